from celery import shared_task
from django.utils import timezone

from enrollment.operations import confirmations, lessons


@shared_task
def send_due_confirmations() -> int:
    """:returns: how many mails went out."""
    sent = 0
    while confirmations.send_next(now=timezone.now()):
        sent += 1
    return sent


@shared_task
def delete_expired_holds() -> int:
    return lessons.delete_expired_holds(now=timezone.now())
