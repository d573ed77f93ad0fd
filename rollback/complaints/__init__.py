"""What people report: kept with the page and the features they had, answered by the office.

Belongs to no feature, so it works with everything off. The watch counts different people, so each
has one name here whatever they send: who is logged in their own, everybody else that of where they
come from, for a cookie is thrown away in no time.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import uuid4

from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from enrollment.models import User
from rollback.audit import Actor
from rollback.models import Complaint

# Sent twice within this time, by a button pressed twice or a page sent again, it is one.
SAME = timedelta(minutes=10)
COUNTED = timedelta(hours=1)
WORDS_KEPT = timedelta(days=365)  # after the answer
GONE = "–"  # the database wants some word where it was answered


class CannotAnswer(Exception):
    """The message says why."""


@transaction.atomic
def report(
    *, kind: str, text: str, path: str, reporter: str, user: User | None, features: Iterable[str]
) -> Complaint:
    """reporter: "u:17" as the switchboard calls them, or `somebody_at`. features: names of flags that
    are on.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [reporter])
    if user is not None and not _is_still_there(user):
        # Deleted a moment ago: what they said counts, who said it is gone.
        user, reporter = None, nobody()
    sent = Complaint.objects.filter(reporter=reporter, kind=kind, text=text, done_at=None)
    same = sent.filter(reported_at__gt=Now() - SAME).first()
    return same or Complaint.objects.create(
        kind=kind, text=text, path=path, by=user, reporter=reporter, features=sorted(features)
    )


def somebody_at(address: str, *, now: datetime) -> str:
    """Who has not logged in: one for each address and hour, of which the address cannot be told.

    A class at one connection is one, too: those who log in are counted each.
    """
    hour = int(now.timestamp()) // int(COUNTED.total_seconds())
    digest = salted_hmac("rollback.complaints", f"{address} {hour}", algorithm="sha256")
    return f"a:{digest.hexdigest()[:40]}"


def nobody() -> str:
    """Somebody whom nobody knows, and who is nobody else."""
    return f"n:{uuid4().hex}"


def _is_still_there(user: User) -> bool:
    """Deleting a person locks this row first: it finds the report, or the report finds it gone."""
    return User.objects.select_for_update(no_key=True).filter(pk=user.pk, is_active=True).exists()


@transaction.atomic
def answer(*, complaint: int, words: str, actor: Actor) -> Complaint:
    """words: what was done.

    :raises CannotAnswer: no such report, no words, or somebody has answered it already
    """
    found = Complaint.objects.select_for_update().filter(pk=complaint).first()
    if found is None:
        raise CannotAnswer(_("There is no report %(number)s.") % {"number": complaint})
    if found.done_at is not None:
        words_of = _("Somebody has answered it already: %(name)s.")
        raise CannotAnswer(words_of % {"name": found.done_by_name})
    if not words.strip():
        raise CannotAnswer(_("Say in words what was done."))
    Complaint.objects.filter(pk=complaint).update(
        done_at=Now(), done_by=actor.user, done_by_name=actor.name[:150], answer=words.strip()
    )
    found.refresh_from_db()
    return found


def forget_old(*, now: datetime) -> int:
    """What people wrote, were answered and where they were; also of visitors, whom nobody can delete.

    :returns: of how many reports
    """
    old = Complaint.objects.filter(done_at__lt=now - WORDS_KEPT).exclude(
        text="", answer=GONE, path=""
    )
    return old.update(text="", answer=GONE, path="")


def people_of_the_last_hour() -> int:
    """Different ones, by the database's clock. One query."""
    recent = Complaint.objects.filter(reported_at__gt=Now() - COUNTED)
    return recent.values("reporter").distinct().count()
