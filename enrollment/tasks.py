from collections.abc import Callable
from datetime import datetime

import structlog
from celery import shared_task
from django.utils import timezone

from enrollment.operations import confirmations, conflicts, lessons, notices, uploads
from enrollment.operations.mailing import Outcome
from enrollment.queries import zones

log = structlog.get_logger(__name__)

# With the server away each mail would wait for its timeout; beat comes again in half a minute.
ENOUGH = (Outcome.NOTHING_DUE, Outcome.SERVER_AWAY)


@shared_task
def send_due_confirmations() -> int:
    """:returns: how many mails went out."""
    return _send_all(lambda now: confirmations.send_next(now=now))


@shared_task
def send_due_notices() -> int:
    """:returns: how many mails went out."""
    notices.seat_new_teachers(now=timezone.now())
    return _send_all(lambda now: notices.send_next(now=now))


@shared_task
def delete_expired_holds() -> int:
    return lessons.delete_expired_holds(now=timezone.now())


def _send_all(send_next: Callable[[datetime], Outcome]) -> int:
    sent = 0
    while (outcome := send_next(timezone.now())) not in ENOUGH:
        sent += outcome is Outcome.SENT
    return sent


@shared_task
def delete_expired_uploads() -> int:
    return uploads.delete_expired(now=timezone.now())


@shared_task
def find_conflicts(asked_at: float | None = None) -> int:
    """asked_at: see `conflicts.find_if_newer`.

    :returns: how many are new.
    """
    found = conflicts.find_if_newer(asked_at=asked_at, now=timezone.now())
    return found.opened if found else 0


@shared_task
def compare_zone_data() -> int:
    """Says in the log where Python and PostgreSQL disagree about a time zone, and which lessons no
    longer begin when it was agreed.

    :returns: how many lessons.
    """
    now = timezone.now()
    for one in zones.differences(now=now):
        log.warning("zones.differ", zone=one.zone, since=one.since)
    moved = zones.moved_by_zone_data(now=now)
    for lesson in moved:
        log.warning("zones.lesson_moved", lesson=lesson.lesson.pk, agreed=lesson.agreed)
    return len(moved)
