import structlog
from celery import shared_task
from django.utils import timezone

from enrollment.operations.mailing import Outcome
from rollback import baselines, expiry, reminders, timings
from rollback.domain.verification import ProbeFailed

log = structlog.get_logger(__name__)

# With the server away each mail would wait for its timeout; beat comes again in ten minutes.
ENOUGH = (Outcome.NOTHING_DUE, Outcome.SERVER_AWAY)


@shared_task
def send_due_reminders() -> int:
    """:returns: how many mails went out."""
    sent = 0
    while (outcome := reminders.send_next(now=timezone.now())) not in ENOUGH:
        sent += outcome is Outcome.SENT
    return sent


@shared_task
def delete_expired_drafts() -> int:
    return expiry.delete_expired(now=timezone.now())


@shared_task
def delete_old_timings() -> int:
    return timings.delete_old(now=timezone.now())


@shared_task
def take_baselines() -> int:
    """Only while all is well. :returns: how many."""
    try:
        return len(baselines.take())
    except (baselines.IncidentOpen, ProbeFailed) as why:
        log.warning("baselines.not_taken", because=str(why))
        return 0
