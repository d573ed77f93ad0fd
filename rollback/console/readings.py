"""All that the console shows, read at once: each part may be locked, archived or not there yet.

First everything in one short transaction; if that fails, each part once more alone, so that what is
missing is one part, and said to be missing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import Error, connection, transaction
from django.db.models import OuterRef, Prefetch, Subquery
from django.utils.translation import gettext_lazy as _

from rollback import exposure, processes, registry, sendings
from rollback.backups import age
from rollback.console.cadence import Word, all_due
from rollback.domain.errors import without_rows
from rollback.domain.plans import LIVE
from rollback.domain.processes import RollCall
from rollback.models import (
    Flag,
    FlagChange,
    Heartbeat,
    Incident,
    IncidentEvent,
    PhaseRun,
    Plan,
    Trigger,
    Verification,
)
from rollback.oncall import warnings
from rollback.schema import standing
from rollback.schema.standing import Away

log = structlog.get_logger(__name__)

# Nobody waits for a table, nor for a slow answer. The clock is the database's: what it is compared
# with was written by it.
BEGIN = """
    SELECT set_config('lock_timeout', '200ms', true), set_config('statement_timeout', %s, true),
           clock_timestamp()
"""
PATIENCE = "2s"
HOUR = timedelta(hours=1)
POINTS = 60
NEWEST = 12
CHANGES = 60  # also to know since when a feature is what it is

# feature '' is said of the ground floor, and asked for by a trigger that means everything.
SAMPLES = """
    SELECT metric, feature, is_on, floor(extract(epoch FROM %(now)s - begins_at) / 60)::int AS ago,
           sum(total)::bigint, sum(bad)::bigint
      FROM rollback_sample
     WHERE seconds = 10 AND begins_at > %(now)s - interval '1 hour' AND begins_at <= %(now)s
     GROUP BY 1, 2, 3, 4
"""
Minute = tuple[int, int]  # total, bad
Traffic = Mapping[tuple[str, str], Sequence[Minute | None]]


@dataclass(frozen=True, kw_only=True)
class Watch:
    """beat: None if the triggers were never evaluated."""

    beat: Heartbeat | None
    triggers: Sequence[Trigger]


@dataclass(frozen=True, kw_only=True)
class Events:
    """Both newest first. changed: by flag, when it became what it is, however long ago."""

    changes: Sequence[FlagChange]
    lines: Sequence[IncidentEvent]
    changed: Mapping[str, datetime]


@dataclass(frozen=True, kw_only=True)
class Phases:
    """away: what is in the archive. newest: the run that lives or, if none does, the last one."""

    away: Away | None
    newest: PhaseRun | None


@dataclass(kw_only=True)
class Readings:
    """Whatever could not be read is None, and named in `unread`."""

    now: datetime
    flags: Sequence[Flag] | None = None
    on: tuple[int, Mapping[str, int]] | None = None
    incidents: Sequence[Incident] | None = None
    words: Sequence[Word] | None = None
    watch: Watch | None = None
    traffic: Traffic | None = None
    plans: Sequence[Plan] | None = None
    phases: Phases | None = None
    processes: RollCall | None = None
    events: Events | None = None
    backups: age.Age | None = None
    oncall: Sequence[warnings.Alarm] | None = None
    letters: Mapping[int, int] | None = None
    unread: list[str] = field(default_factory=list)


def read_all() -> Readings:
    try:
        with transaction.atomic():
            found = Readings(now=_begin())
            for name, read in PARTS.items():
                setattr(found, name, read(found.now))
    except Error as error:
        log.warning("console.not_read", error=without_rows(error))
        return _one_by_one()
    return found


def _begin() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute(BEGIN, [PATIENCE])
        now: datetime = cursor.fetchone()[2]
        return now


def _one_by_one() -> Readings:
    with transaction.atomic():
        found = Readings(now=_begin())
        for name, read in PARTS.items():
            try:
                with transaction.atomic():
                    setattr(found, name, read(found.now))
            except Error as error:
                log.warning("console.part_not_read", part=name, error=without_rows(error))
                found.unread.append(name)
    return found


def _flags(now: datetime) -> list[Flag]:
    return list(Flag.objects.select_related("requires"))  # type: ignore[misc]


def _on(now: datetime) -> tuple[int, Mapping[str, int]]:
    return exposure.on_now()


def _incidents(now: datetime) -> list[Incident]:
    """The open ones, the oldest first, each with `passed`: what its newest verification came to, and
    `told`: how it was opened, and what was decided, in order.
    """
    ended = Verification.objects.filter(incident=OuterRef("pk"), passed__isnull=False)
    newest = Subquery(ended.order_by("-pk").values("passed")[:1])
    found = Incident.objects.filter(resolved_at=None).annotate(passed=newest)
    kinds = (IncidentEvent.Kind.OPENED, IncidentEvent.Kind.DECIDED)
    told = IncidentEvent.objects.filter(kind__in=kinds).order_by("number")
    return list(
        found.select_related("acknowledged_by")
        .prefetch_related("latches", Prefetch("events", queryset=told, to_attr="told"))
        .order_by("opened_at", "pk")
    )


def _watch(now: datetime) -> Watch:
    return Watch(
        beat=Heartbeat.objects.order_by("-beat_at").first(), triggers=list(Trigger.objects.all())
    )


def _traffic(now: datetime) -> Traffic:
    """By metric and feature, the last hour by minute, the oldest first; None: no traffic. With a
    feature those who have it; with '' all of them together.
    """
    found: dict[tuple[str, str], list[Minute | None]] = {}
    with connection.cursor() as cursor:
        cursor.execute(SAMPLES, {"now": now})
        for metric, feature, is_on, ago, total, bad in cursor.fetchall():
            for key in {(metric, ""), (metric, feature if is_on else "")}:
                minutes = found.setdefault(key, [None] * POINTS)
                before = minutes[-1 - ago] or (0, 0)
                minutes[-1 - ago] = (before[0] + total, before[1] + bad)
    return found


def _plans(now: datetime) -> list[Plan]:
    live = Plan.objects.filter(state__in=[one.value for one in LIVE])
    return list(live.prefetch_related("steps").order_by("created_at", "pk"))


def _phases(now: datetime) -> Phases:
    """Of these two tables and no other: what has a lock of its own is not waited for here."""
    newest = PhaseRun.objects.order_by("-pk").first()
    return Phases(away=standing.away(registry.by_admin_app()), newest=newest)


def _processes(now: datetime) -> RollCall | None:
    return processes.read()


def _events(now: datetime) -> Events:
    lines = IncidentEvent.objects.order_by("-at", "-pk")
    newest = FlagChange.objects.order_by("flag_name", "-pk").distinct("flag_name")
    return Events(
        changes=list(FlagChange.objects.order_by("-pk")[:CHANGES]),
        lines=list(lines[:NEWEST]),
        changed=dict(newest.values_list("flag_name", "changed_at")),
    )


def _backups(now: datetime) -> age.Age | None:
    """None where none are made by themselves."""
    return age.of_newest() if settings.BACKUP_NIGHTLY else None


def _oncall(now: datetime) -> list[warnings.Alarm]:
    return warnings.found(now=now)


def _letters(now: datetime) -> Mapping[int, int]:
    """Incident → how many letters to its people wait for somebody to release them."""
    return sendings.held()


PARTS: Mapping[str, Callable[[datetime], Any]] = {
    "flags": _flags,
    "on": _on,
    "incidents": _incidents,
    "words": all_due,
    "watch": _watch,
    "traffic": _traffic,
    "plans": _plans,
    "phases": _phases,
    "processes": _processes,
    "events": _events,
    "backups": _backups,
    "oncall": _oncall,
    "letters": _letters,
}
NAMES = {
    "flags": _("what is on"),
    "on": _("for how many it is on"),
    "incidents": _("incidents"),
    "words": _("what the public was told"),
    "watch": _("verdicts"),
    "traffic": _("the last hour"),
    "plans": _("plans"),
    "phases": _("phases"),
    "processes": _("processes"),
    "events": _("what has happened"),
    "backups": _("backups"),
    "oncall": _("who is on call"),
    "letters": _("letters that wait"),
}
