"""The specification's triggers, put back where a transactional test before has emptied the tables."""

from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from django.apps import apps
from django.db import connection

from rollback.domain.metrics import Metric
from rollback.models import Sample, Trigger

MASTER = "ENABLE_TEACHER_SCHEDULING"
CALENDAR = "ENABLE_CALENDAR_DISPLAY"
STEP = timedelta(seconds=10)


def seed_triggers() -> None:
    migration: Any = import_module("rollback.migrations.0019_backfill_triggers")
    migration.fill(apps, None)


def only(*names: str) -> None:
    """Only these are evaluated."""
    Trigger.objects.exclude(name__in=names).update(is_enabled=False)
    assert Trigger.objects.filter(is_enabled=True).count() == len(names)


def database_clock() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


Parts = tuple[tuple[int, int, int], ...]
# (how many slots, total and bad of each): a fifth of all requests fail, for six minutes and a bit.
FAULTY: Parts = ((150, 100, 1), (37, 100, 20))
HEALTHY: Parts = ((187, 100, 1),)


def samples(
    *parts: tuple[int, int, int],
    now: datetime,
    metric: str = Metric.REQUESTS,
    feature: str = MASTER,
    is_on: bool = True,
) -> None:
    """As the watch would have written them until now; instead of those that are there."""
    flat = [(total, bad) for length, total, bad in parts for _ in range(length)]
    end = datetime.fromtimestamp(now.timestamp() // 10 * 10, tz=UTC)
    key = {"metric": metric, "feature": feature, "is_on": is_on}
    Sample.objects.filter(**key).delete()
    Sample.objects.bulk_create(
        Sample(**key, begins_at=end - STEP * (len(flat) - place), total=total, bad=bad)
        for place, (total, bad) in enumerate(flat)
    )
