"""The history of the last ninety days: of the days that are over as they were stored, of the others from the
samples and from the flags' audit.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.db import OperationalError, connection
from django.db.models.fields.json import KT
from psycopg.errors import QueryCanceled

from rollback import registry
from rollback.domain.errors import without_rows
from rollback.domain.metrics import Metric
from rollback.domain.standing import SCHOOL
from rollback.domain.uptime import (
    ALWAYS_THERE,
    BAD_SHARE,
    Away,
    Change,
    Day,
    History,
    Stretch,
    by_day,
    day_of,
)
from rollback.domain.uptime import away as away_of
from rollback.limits import limited
from rollback.models import FlagChange, UptimeDay

log = structlog.get_logger(__name__)

SHOWN = 90  # days, today among them
# Of days that nobody has stored yet; the others come with the next times.
AT_ONCE = 7
# For each of a day's three; shorter than whoever asks waits for an answer.
STATEMENT = "800ms"
# Counts come late; then a day that is over does not change any more.
SETTLED = timedelta(minutes=30)

# Any sample at all: the evaluator's own queries make some around the clock.
WATCHED = """
    SELECT DISTINCT date_bin('1 min', begins_at, '2000-01-01+00'), greatest(seconds, 60)
      FROM rollback_sample
     WHERE seconds IN (10, 60, 3600) AND begins_at >= %s AND begins_at < %s
"""
FAILED = """
    SELECT feature, date_bin('1 min', begins_at, '2000-01-01+00'), greatest(seconds, 60)
      FROM rollback_sample
     WHERE seconds IN (10, 60, 3600) AND begins_at >= %s AND begins_at < %s
       AND metric = %s AND is_on
     GROUP BY 1, 2, 3
    HAVING sum(bad) > %s * sum(total)
"""

Limits = Mapping[date, tuple[datetime, datetime]]


@dataclass(frozen=True, kw_only=True)
class Past:
    """days: by part, the oldest first. never: parts that nobody has had yet."""

    days: Mapping[str, Sequence[Day]]
    never: Collection[str] = frozenset()


def past(*, now: datetime) -> Past:
    """Four queries, whatever there is; of samples those of today, and of yesterday until that is stored.

    Older days that nobody has stored are gaps here, so that the page costs the same whatever is missing.
    """
    dates = _dates(now)
    stored, away = _stored(dates[0]), _away()
    recent = [on for on in dates[-2:] if _is_missing(on, stored)]
    known = _worked_out(recent, away, now=now) | stored
    return Past(
        days={part: [known.get((part, on), Day(on=on)) for on in dates] for part in away},
        never=[part for part, gone in away.items() if gone.since is None],
    )


def settle(*, now: datetime, may_go_on: Callable[[], bool]) -> int:
    """Stores days that are over, a few, the newest first, each worked out in a transaction of its own.

    :returns: how many. :raises Error: the database is away
    """
    with limited(statement=STATEMENT):
        stored, away = _stored(_dates(now)[0]), _away()
    count = 0
    for on in reversed(_dates(now)):
        if count == AT_ONCE or not may_go_on():
            break
        if _is_missing(on, stored) and _limits(on)[1] + SETTLED < now:
            count += _stored_now(on, away, now=now)
    return count


def _stored_now(on: date, away: Mapping[str, Away], *, now: datetime) -> bool:
    """One that takes too long keeps no other from being stored."""
    try:
        with limited(statement=STATEMENT):
            _store(_worked_out([on], away, now=now))
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        log.warning("status.day_not_stored", on=str(on), error=without_rows(error))
        return False
    return True


def _store(found: Mapping[tuple[str, date], Day]) -> None:
    """Of two that do it at once the first has done it; nor does a day change that was stored."""
    rows = [
        UptimeDay(
            part=part,
            on_date=on,
            known_minutes=day.known_minutes,
            down_minutes=day.down_minutes,
        )
        for (part, on), day in found.items()
    ]
    UptimeDay.objects.bulk_create(rows, ignore_conflicts=True)


def _dates(now: datetime) -> Sequence[date]:
    """The oldest first."""
    last = now.astimezone(_zone()).date()
    return [last - timedelta(days=back) for back in range(SHOWN - 1, -1, -1)]


def _is_missing(on: date, stored: Collection[tuple[str, date]]) -> bool:
    parts = [SCHOOL, *(feature.name for feature in registry.features())]
    return any((part, on) not in stored for part in parts)


def _stored(first: date) -> dict[tuple[str, date], Day]:
    rows = UptimeDay.objects.filter(on_date__gte=first)
    return {
        (row.part, row.on_date): Day(
            on=row.on_date, known_minutes=row.known_minutes, down_minutes=row.down_minutes
        )
        for row in rows
    }


def _worked_out(
    dates: Sequence[date], away: Mapping[str, Away], *, now: datetime
) -> dict[tuple[str, date], Day]:
    limits: Limits = {on: _limits(on) for on in dates}
    begins_at = min(begin for begin, _ in limits.values())
    ends_at = min(now, max(end for _, end in limits.values()))
    watched, failed = _samples(begins_at, ends_at)
    by_date = by_day(watched, days=limits)
    found = {}
    for part, gone in away.items():
        failed_on = by_day(failed.get(part, ()), days=limits)
        for on, (begin, end) in limits.items():
            found[part, on] = day_of(
                on=on,
                begins_at=begin,
                ends_at=min(end, now),
                watched=by_date[on],
                failed=failed_on[on],
                away=gone,
            )
    return found


def _samples(
    begins_at: datetime, ends_at: datetime
) -> tuple[Sequence[Stretch], Mapping[str, list[Stretch]]]:
    """When anything was counted, and by part where too many requests failed."""
    names = {"": SCHOOL} | {feature.flag: feature.name for feature in registry.features()}
    # An hour that began before may reach into the first day.
    begins_at -= timedelta(hours=1)
    failed: dict[str, list[Stretch]] = {}
    with connection.cursor() as cursor:
        cursor.execute(WATCHED, [begins_at, ends_at])
        watched = [Stretch(at, seconds) for at, seconds in cursor.fetchall()]
        cursor.execute(FAILED, [begins_at, ends_at, Metric.REQUESTS, BAD_SHARE])
        for flag, at, seconds in cursor.fetchall():
            if flag in names:
                failed.setdefault(names[flag], []).append(Stretch(at, seconds))
    return watched, failed


def _away() -> Mapping[str, Away]:
    """Since when and in which times nobody had it, by part."""
    changes = _changes()
    found = {SCHOOL: ALWAYS_THERE}
    for feature in registry.features():
        flags = [one.flag for one in registry.with_masters(feature)]
        found[feature.name] = away_of([changes.get(flag, History(reached=True)) for flag in flags])
    return found


def _changes() -> Mapping[str, History]:
    flags = [feature.flag for feature in registry.features()]
    rows = (
        FlagChange.objects.filter(flag_name__in=flags)
        .order_by("pk")
        .values_list(
            "flag_name",
            "changed_at",
            KT("before__share"),
            KT("before__killed"),
            KT("after__share"),
            KT("after__killed"),
        )
    )
    reached: dict[str, bool] = {}
    changes: dict[str, list[Change]] = {}
    for flag, at, share_before, killed_before, share, killed in rows:
        reached.setdefault(flag, _reaches(share_before, killed_before))
        changes.setdefault(flag, []).append(Change(at, _reaches(share, killed)))
    return {flag: History(reached[flag], changes[flag]) for flag in reached}


def _reaches(share: Any, killed: Any) -> bool:
    """As the audit writes both: "50.00" and "true"."""
    return bool(share) and float(share) > 0 and killed != "true"


def _limits(on: date) -> tuple[datetime, datetime]:
    begin = datetime.combine(on, time(), _zone())
    return begin, datetime.combine(on + timedelta(days=1), time(), _zone())


def _zone() -> ZoneInfo:
    return ZoneInfo(settings.TIME_ZONE)
