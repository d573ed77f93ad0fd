"""Drafts are personal data: thirty days after anybody last needed one it is deleted."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from rollback.models import EnrollmentDraft

KEPT = timedelta(days=30)
BATCH = 500


def expired(*, now: datetime) -> QuerySet[EnrollmentDraft]:
    """Since they were finished, set aside for the office, or else last saved."""
    last_needed = Coalesce("finished_at", "quarantined_at", "saved_at")
    return EnrollmentDraft.objects.alias(last_needed=last_needed).filter(
        last_needed__lte=now - KEPT
    )


def delete_expired(*, now: datetime) -> int:
    """:returns: how many. In batches, so that no autosave waits for a large one."""
    deleted = 0
    while batch := _delete_batch(now=now):
        deleted += batch
    return deleted


@transaction.atomic
def _delete_batch(*, now: datetime) -> int:
    """One that is being saved at this moment is locked, and not expired any more."""
    batch = expired(now=now).order_by("pk").select_for_update(skip_locked=True)[:BATCH]
    ids = list(batch.values_list("pk", flat=True))
    deleted, _by_model = EnrollmentDraft.objects.filter(pk__in=ids).delete()
    return deleted
