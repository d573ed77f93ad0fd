"""How patient the school is, and what time it is by the clock that all processes share."""

from datetime import datetime

from django.db import connection

from rollback.models import OnCallPolicy


def policy() -> OnCallPolicy:
    """As it was saved; before that, as the house has it."""
    return OnCallPolicy.objects.order_by("pk").first() or OnCallPolicy()


def made() -> OnCallPolicy:
    """The one row, made where it is missing."""
    found = OnCallPolicy.objects.order_by("pk").first()
    return found or OnCallPolicy.objects.get_or_create(pk=1)[0]


def clock() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
