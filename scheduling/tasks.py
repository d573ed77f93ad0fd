from celery import shared_task
from django.utils import timezone

from scheduling.operations import idempotency, reminders


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


@shared_task(name="scheduling.tasks.delete_old_answers")
def delete_old_answers() -> int:
    """:returns: of how many requests it is forgotten what was answered."""
    return idempotency.delete_old(now=timezone.now())
