"""A watch that beats, samples, an incident, a plan: what the console's tests are about, as rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

from django.apps import apps
from django.db import connection
from django.utils import timezone

from rollback import audit, runner
from rollback.audit import Actor
from rollback.models import Flag, Heartbeat, Incident, Plan, PlanStep, Sample, Trigger, Verification

MASTER, CALENDAR = "ENABLE_TEACHER_SCHEDULING", "ENABLE_CALENDAR_DISPLAY"
WATCH = Actor(name="trigger errors-calendar", automatic=True)
SOMEBODY = Actor(name="somebody")


def triggers() -> None:
    """Also where a transactional test before has emptied the tables."""
    migration: Any = import_module("rollback.migrations.0019_backfill_triggers")
    migration.fill(apps, None)


def all_on() -> None:
    with audit.told(actor=SOMEBODY, reason="a test begins"):
        Flag.objects.update(everyone=None, percent=100)


def beat(*, ago: float = 1.0, by: str = "beat", **verdicts: Mapping[str, Any]) -> Heartbeat:
    """Every trigger is OK but for those named (with _ for -)."""
    found = {name: said(verdict="OK") for name in Trigger.objects.values_list("name", flat=True)}
    found |= {name.replace("_", "-"): dict(verdict) for name, verdict in verdicts.items()}
    Heartbeat.objects.all().delete()
    row = Heartbeat.objects.create(name="evaluator", by=by, milliseconds=12, verdicts=found)
    Heartbeat.objects.update(beat_at=timezone.now() - timedelta(seconds=ago))
    return row


def verified() -> None:
    """A moment ago, so that a plan up may begin."""
    now = timezone.now()
    Verification.objects.create(by_name="a test", started_at=now, ended_at=now, passed=True)


def said(*, verdict: str, words: str = "", **numbers: Any) -> dict[str, Any]:
    return {"verdict": verdict, "words": words, "since": None, **numbers}


def samples(
    *, metric: str, feature: str, bads: Sequence[int | None], total: int = 100, is_on: bool = True
) -> None:
    """One of each of the last minutes, the newest last; None: no traffic."""
    now = timezone.now()
    for place, bad in enumerate(reversed(bads)):
        if bad is not None:
            Sample.objects.create(
                metric=metric,
                feature=feature,
                is_on=is_on,
                begins_at=now - timedelta(minutes=place, seconds=20),
                total=total,
                bad=bad,
            )


def open_incident(
    *, title: str = "Lessons are booked twice.", began: float = 0.0, **fields: Any
) -> Incident:
    """The calendar is taken away. began: how many minutes ago the first bad sample was."""
    done = runner.roll_back(flags=[CALENDAR], incident=title, actor=SOMEBODY, reason=title)
    first = timezone.now() - timedelta(minutes=began)
    Incident.objects.filter(pk=done.incident.pk).update(first_bad_at=first, **fields)
    return done.incident


def plan(
    *,
    steps: Sequence[tuple[str, int, datetime | None]],
    state: str = "running",
    direction: str = "down",
    **fields: Any,
) -> Plan:
    row = Plan.objects.create(
        direction=direction,
        flags=[CALENDAR],
        state=state,
        actor_name="somebody",
        reason="Too slow.",
        **fields,
    )
    for number, (percent, dwell, done_at) in enumerate(steps, start=1):
        PlanStep.objects.create(
            plan=row, number=number, percent=Decimal(percent), dwell_seconds=dwell, done_at=done_at
        )
    return row


def lock(table: str) -> str:
    """For a second connection: nobody reads it until that one is done."""
    return f"LOCK TABLE {connection.ops.quote_name(table)} IN ACCESS EXCLUSIVE MODE"
