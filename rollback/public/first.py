"""The first public word, said by the house where nobody has: that it looks into it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import structlog
from django.db import connection
from django.db.models import Exists, OuterRef

from rollback.audit import Actor, ChangeRefused
from rollback.domain.public import PublicState, speaks_by_itself_at
from rollback.limits import limited
from rollback.models import Incident, Latch, OnCallPolicy, PublicUpdate
from rollback.public import updates

log = structlog.get_logger(__name__)

# As `OnCallPolicy.by_itself` names it.
LETTER = PublicState.INVESTIGATING.value
# What is older was open before the school wanted this: a word after a day would be no first word.
OLDEST = timedelta(days=1)


def look(*, by: str) -> int:
    """Called after each tick. What was said is not said again. :returns: how many were published"""
    with limited():
        policy = updates.policy()
        now = _database_clock()
        silent = list(_silent(policy, now=now)) if LETTER in policy.by_itself else []
    return sum(_speak(incident, policy=policy, by=by) for incident in silent)


def _silent(policy: OnCallPolicy, *, now: datetime) -> Iterator[Incident]:
    """Open, something was taken away, nobody has said anything, and it is time."""
    found = Incident.objects.filter(
        Exists(Latch.objects.filter(incident=OuterRef("pk"))),
        ~Exists(PublicUpdate.objects.filter(incident=OuterRef("pk"))),
        resolved_at=None,
        opened_at__gt=now - OLDEST,
    )
    cadence = updates.cadence_of(policy)
    for incident in found.order_by("pk"):
        if speaks_by_itself_at(incident.opened_at, cadence) <= now:
            yield incident


def _speak(incident: Incident, *, policy: OnCallPolicy, by: str) -> bool:
    try:
        with limited():
            now = _database_clock()
            updates.publish(
                incident=incident.pk,
                state=LETTER,
                actor=Actor(name=by, automatic=True),
                now=now,
                next_at=now + updates.cadence_of(policy).between,
                seen=0,
            )
    except ChangeRefused as refused:  # somebody was faster, or it is resolved by now
        log.info("public.not_said", incident=incident.pk, because=str(refused))
        return False
    except Exception:
        # The watch: one incident whose words cannot be filled in must not silence the others.
        log.exception("public.broken", incident=incident.pk)
        return False
    return True


def _database_clock() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
