import os
import socket

import structlog
from celery import shared_task
from django.utils import timezone

from enrollment.operations.mailing import Outcome
from rollback import (
    baselines,
    complaints,
    expiry,
    oncall,
    outbox,
    reminders,
    rollup,
    sessions,
    timings,
)
from rollback import evaluate as evaluation
from rollback.backups import nightly
from rollback.domain.verification import ProbeFailed
from rollback.public.status import kept

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


# Seconds. Beat asks every ten: so one of the workers at a time is busy with it, and whatever else is to be
# done gets its turn.
SENDING = 8.0


# Not given back to the queue by a worker that dies: the rows are there, and beat asks again.
@shared_task(acks_late=False)
def send_notifications() -> dict[str, int]:
    """:returns: what became of how many."""
    return dict(outbox.send_due(seconds=SENDING))


@shared_task
def delete_expired_drafts() -> int:
    return expiry.delete_expired(now=timezone.now())


@shared_task
def delete_old_timings() -> int:
    return timings.delete_old(now=timezone.now())


@shared_task
def close_abandoned_sessions() -> int:
    return sessions.close_abandoned(now=timezone.now())


@shared_task
def roll_up_samples() -> str:
    return str(rollup.roll_up(now=timezone.now()))


@shared_task
def delete_old_sessions() -> int:
    return sessions.delete_old(now=timezone.now())


@shared_task
def forget_old_reports() -> int:
    return complaints.forget_old(now=timezone.now())


@shared_task
def evaluate() -> bool:
    """:returns: whether this process evaluated the triggers; else another one was at it."""
    return evaluation.tick(by=f"worker, {socket.gethostname()}, {os.getpid()}")


@shared_task
def call_on_call() -> None:
    """A second leg: whoever evaluates looks as well, but may be in the middle of what follows a rollback."""
    by = f"worker, {socket.gethostname()}, {os.getpid()}"
    evaluation.say_first(by=by)
    oncall.look(by=by)


@shared_task
def make_status() -> bool:
    return kept.look(by="beat")


@shared_task
def delete_old_judgments() -> int:
    return evaluation.delete_old(now=timezone.now())


@shared_task
def take_baselines() -> int:
    """Only while all is well. :returns: how many."""
    try:
        return len(baselines.take())
    except (baselines.IncidentOpen, ProbeFailed) as why:
        log.warning("baselines.not_taken", because=str(why))
        return 0


# Not given back to the queue by a worker that dies: beat asks again within the night.
@shared_task(acks_late=False)
def backup() -> str:
    return nightly.tonight()


@shared_task
def look_for_backup() -> bool:
    """:returns: whether there is one that is young enough, or none is wanted."""
    return nightly.look()
