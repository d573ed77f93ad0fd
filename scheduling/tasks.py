from celery import shared_task
from django.utils import timezone

from enrollment.operations.mailing import Outcome
from scheduling.operations import idempotency, reminders, waitlist_mails, waitlist_offers

# With the server away each mail would wait for its timeout; beat comes again in half a minute.
ENOUGH = (Outcome.NOTHING_DUE, Outcome.SERVER_AWAY)


@shared_task(
    name="scheduling.tasks.remind_teachers_without_hours",
    # A mail server that is away for a while: beat comes back only in a week.
    autoretry_for=(OSError,),
    retry_backoff=60,
    max_retries=8,
)
def remind_teachers_without_hours() -> int:
    """:returns: how many mails went out."""
    return reminders.remind_teachers_without_hours(today=timezone.localdate())


@shared_task(name="scheduling.tasks.fill_waitlist")
def fill_waitlist() -> int:
    """Offer what became free, and mail the offers.

    :returns: how many mails went out.
    """
    waitlist_offers.fill(now=timezone.now())
    sent = 0
    while (outcome := waitlist_mails.send_next(now=timezone.now())) not in ENOUGH:
        sent += outcome is Outcome.SENT
    return sent


@shared_task(name="scheduling.tasks.delete_old_answers")
def delete_old_answers() -> int:
    """:returns: of how many requests it is forgotten what was answered."""
    return idempotency.delete_old(now=timezone.now())
