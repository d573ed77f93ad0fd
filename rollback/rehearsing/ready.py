"""The copy as it is needed: of these migrations, all features on, and nothing that is still under way."""

from collections.abc import Iterator
from contextlib import suppress

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from knox.models import get_token_model

from rollback import incidents, plans, registry
from rollback.domain.plans import LIVE
from rollback.models import Draining, Incident, PhaseRun, Plan, Process, Verification
from rollback.rehearsing import shares
from rollback.rehearsing.shares import ACTOR, REASON
from rollback.safely import planning
from rollback.schema import archive, reverse

# Superusers may have more, but ours are few; the school beside needs the others.
CONNECTIONS = 20


def feature_apps() -> list[str]:
    """Whose tables phase 1 takes away."""
    return sorted({app for feature in registry.features() for app in feature.admin_apps})


def make_ready() -> str:
    """:returns: what had to be done, in words."""
    return " ".join(_made()) or _("Nothing had to be done.")


def _made() -> Iterator[str]:
    _go_easy()
    if waiting := planning.plan_of():
        call_command("migrate", interactive=False, verbosity=0)
        words = ngettext(
            "The backup is older than the code: %(number)s migration was applied first.",
            "The backup is older than the code: %(number)s migrations were applied first.",
            len(waiting),
        )
        yield words % {"number": len(waiting)}
    with suppress(reverse.NothingToDo):
        reverse.bring_back(apps=feature_apps(), accept_changes=True, accept_copy=True)
        yield _("Tables that were archived were brought back first.")
    with connection.cursor() as cursor:
        archive.make_archive(cursor)
    yield from _ended()
    # Those of the school, which the copy will not see again.
    Process.objects.all().delete()
    yield _locked_out()
    Draining.objects.all().delete()
    shares.all_on()


def _locked_out() -> str:
    """The copy's server lets in the rehearsal's own people alone, who come after this: the school's
    have neither password, nor session, nor token there.
    """
    number = get_user_model()._default_manager.update(password=make_password(None))
    Session.objects.all().delete()
    get_token_model().objects.all().delete()
    words = ngettext(
        "The school’s one account cannot sign in on the copy.",
        "None of the school’s %(number)s accounts can sign in on the copy.",
        number,
    )
    return words % {"number": number}


def _go_easy() -> None:
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} CONNECTION LIMIT {CONNECTIONS}")
        cursor.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        cursor.execute(f"ALTER DATABASE {name} SET max_parallel_maintenance_workers = 0")


def _ended() -> Iterator[str]:
    """What was under way at the school when the backup was taken."""
    Verification.objects.filter(ended_at=None).update(ended_at=Now(), passed=False)
    PhaseRun.objects.filter(status__in=PhaseRun.LIVE).update(status=PhaseRun.Status.CANCELLED)
    for plan in Plan.objects.filter(state__in=LIVE):
        plans.abort(plan=plan.pk, actor=ACTOR, reason=REASON)
        yield _("A plan was under way; on the copy it was ended.")
    for incident in Incident.objects.filter(resolved_at=None):
        incidents.resolve(incident=incident.pk, actor=ACTOR, reason=REASON)
        words = _("Incident %(number)s was open; on the copy it was resolved.")
        yield words % {"number": incident.pk}
