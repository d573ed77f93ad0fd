from celery import shared_task
from django.utils import timezone

from holidays.operations import differences


@shared_task(name="holidays.tasks.look_for_differences")
def look_for_differences() -> int:
    """:returns: of how many sources the library says something else than what was imported."""
    return differences.look(now=timezone.now())
