from celery import shared_task
from django.utils import timezone

from enrollment.operations import confirmations, lessons, uploads
from enrollment.operations.confirmations import Outcome

# With the server away each mail would wait for its timeout; beat comes again in half a minute.
ENOUGH = (Outcome.NOTHING_DUE, Outcome.SERVER_AWAY)


@shared_task
def send_due_confirmations() -> int:
    """:returns: how many mails went out."""
    sent = 0
    while (outcome := confirmations.send_next(now=timezone.now())) not in ENOUGH:
        sent += outcome is Outcome.SENT
    return sent


@shared_task
def delete_expired_holds() -> int:
    return lessons.delete_expired_holds(now=timezone.now())


@shared_task
def delete_expired_uploads() -> int:
    return uploads.delete_expired(now=timezone.now())
