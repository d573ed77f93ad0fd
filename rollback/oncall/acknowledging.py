"""“I am at it”: by a link that is a key, in the console, or at the terminal."""

from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from enrollment.models import User
from rollback import incidents
from rollback.audit import Actor, ChangeRefused
from rollback.models import Page
from rollback.oncall import roster


def token_for(*, page: int, user: int) -> str:
    """Good for this page, this person and this purpose, and for as long as the page waits or is shown."""
    return _signer().sign(f"{page}-{user}")


def of_token(token: str) -> tuple[Page, User] | None:
    """None: it is none of ours, or who it was made for is not called any more."""
    try:
        page, _dash, user = _signer().unsign(token).partition("-")
    except BadSignature:
        return None
    together = Page.objects.select_related("incident", "acknowledged_by")
    found = together.filter(pk=int(page)).first()
    person = roster.candidates().select_related("student", "teacher").filter(pk=int(user)).first()
    return (found, person) if found and person else None


def _signer() -> Signer:
    return Signer(salt="rollback.oncall.acknowledge", sep=".")


def waits(page: Page) -> bool:
    return page.acknowledged_at is None and page.closed_at is None


@transaction.atomic
def acknowledge(*, page: int, actor: Actor) -> None:
    """The first one stays. An incident's page is acknowledged with its incident.

    :raises ChangeRefused: also when somebody has already
    """
    incident = Page.objects.filter(pk=page).values_list("incident", flat=True).first()
    if incident is not None:
        incidents.acknowledge(incident=incident, actor=actor)
        return
    if actor.automatic:
        raise ChangeRefused(_("This needs a person."))
    found = Page.objects.select_for_update().filter(pk=page).first()
    if found is None or not waits(found):
        raise ChangeRefused(_("This page needs no answer any more."))
    # A test is over with its answer; the watch is silent until it is back.
    over = {"closed_at": Now()} if found.kind == Page.Kind.TEST else {}
    Page.objects.filter(pk=page).update(
        acknowledged_at=Now(),
        acknowledged_by=actor.user,
        acknowledged_by_name=actor.name[:150],
        escalates_at=None,
        **over,
    )
