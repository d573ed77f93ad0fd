"""What the watch knows about each metric: evidence for the triggers, and lines for the console.

Each question is one query, by an index. Samples are written every ten seconds, so the newest slots of
some processes may still be missing: whoever judges does so again at the next tick.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from rollback import registry
from rollback.domain.metrics import Metric, Slot
from rollback.domain.triggers import STEP, Evidence, look_back

# An enrollment takes some minutes. Who is at it for longer than this has finished or left, or is
# still typing, and is not judged before that is known.
OLD_ENOUGH = timedelta(minutes=30)
LONGEST_SESSION = timedelta(days=1)
SESSION_SLOT = 600  # seconds
NO_FEATURE = ""

Point = tuple[datetime, int, int]  # from when on; total, bad


@dataclass(frozen=True, slots=True)
class _Slots:
    """words: a query of (is_on, begins_at, total, bad, seconds)."""

    words: str

    def evidence(self, facts: Mapping[str, Any]) -> Evidence:
        found: tuple[list[Slot], list[Slot]] = ([], [])
        for is_on, begins_at, total, bad, seconds in _rows(self.words, facts):
            found[is_on].append(Slot(begins_at.astimezone(UTC), seconds, total, bad))
        control, slots = found
        if facts["feature"] == NO_FEATURE:
            # Everybody: there is nobody to compare with.
            return Evidence(now=facts["now"], slots=sorted(slots + control, key=_begin))
        return Evidence(now=facts["now"], slots=slots, control=control)


@dataclass(frozen=True, slots=True)
class _Number:
    """words: a query of (number, when the first of them was or None)."""

    words: str

    def evidence(self, facts: Mapping[str, Any]) -> Evidence:
        ((number, first_at),) = _rows(self.words, facts)
        return Evidence(now=facts["now"], number=float(number), first_at=first_at)


SAMPLES = """
    SELECT is_on, begins_at, total, bad, seconds FROM rollback_sample
     WHERE metric = %(metric)s AND feature = %(feature)s AND is_on = ANY('{f,t}')
       AND begins_at >= %(since)s AND begins_at < %(now)s
     ORDER BY begins_at, seconds
"""
# Of those that are over. is_open may be late by a minute, which must not hide who has left.
COMPLETION = """
    SELECT is_on, date_bin(%(slot)s * interval '1 s', started_at, '2000-01-01+00') AS at,
           count(*), count(*) FILTER (WHERE finished_at IS NULL), %(slot)s
      FROM rollback_enrollmentsession
     WHERE started_at >= %(since)s AND started_at < %(old)s
       AND (NOT is_open OR changed_at <= %(old)s)
     GROUP BY is_on, at
     ORDER BY at
"""
# By when they were last touched, and all as long ago as it takes to be called left: else the finished,
# of whom that is known at once, would hide the others.
ABANDONED = """
    SELECT is_on, date_bin(%(slot)s * interval '1 s', changed_at, '2000-01-01+00') AS at,
           count(*), count(*) FILTER (WHERE finished_at IS NULL), %(slot)s
      FROM rollback_enrollmentsession
     WHERE started_at >= %(since)s - %(longest)s AND started_at < %(old)s
       AND changed_at >= %(since)s AND changed_at <= %(old)s
     GROUP BY is_on, at
     ORDER BY at
"""
COMPLAINTS = """
    SELECT count(DISTINCT reporter), min(reported_at) FROM rollback_complaint
     WHERE reported_at >= %(since)s AND reported_at <= %(now)s
       AND (%(feature)s = '' OR features @> ARRAY[%(feature)s::text]::varchar[])
"""
PAYMENTS = f"{COMPLAINTS} AND kind = 'payment'"
CONFLICTS = """
    SELECT count(*), min(found_at) FROM enrollment_conflict
     WHERE status = 'open' AND found_at <= %(now)s AND NOT kind = ANY(%(kinds)s::text[])
"""
HOLIDAYS = CONFLICTS.replace("NOT kind", "kind")
# The table of processes forgets who has been silent for ten minutes; who has tripped and is back says so.
LOCAL_TRIPS = """
    WITH tripped AS (
        SELECT uuid, min(tripped_at) AS at FROM rollback_localtrip
         WHERE back_at >= %(since)s AND back_at <= %(now)s GROUP BY uuid
    ), lived AS (
        SELECT uuid FROM rollback_process WHERE seen_at >= %(since)s
        UNION SELECT uuid FROM tripped
    )
    SELECT (SELECT count(*) FROM tripped)::float / greatest((SELECT count(*) FROM lived), 1),
           (SELECT min(at) FROM tripped)
"""
_OF_ROWS: Mapping[Metric, _Slots | _Number] = {
    Metric.COMPLETION: _Slots(COMPLETION),
    Metric.ABANDONED: _Slots(ABANDONED),
    Metric.COMPLAINTS: _Number(COMPLAINTS),
    Metric.PAYMENTS: _Number(PAYMENTS),
    Metric.CONFLICTS: _Number(CONFLICTS),
    Metric.HOLIDAYS: _Number(HOLIDAYS),
    Metric.LOCAL_TRIPS: _Number(LOCAL_TRIPS),
}


def evidence(
    *,
    metric: str,
    feature: str,
    window_seconds: int,
    held_seconds: int,
    now: datetime,
    since: datetime | None = None,
) -> Evidence:
    """As far back as `judge` looks, and not beyond `since`. feature: empty: of everybody.

    :raises ValueError: there is no such metric.
    """
    known = Metric(metric)
    reach = look_back(window_seconds=window_seconds, held_seconds=held_seconds) + STEP
    source = _OF_ROWS.get(known, _Slots(SAMPLES))
    begin = now - timedelta(seconds=reach)
    if since is None or since <= begin:
        return source.evidence(_facts(known, feature, begin, now))
    return replace(source.evidence(_facts(known, feature, since, now)), since=since)


def _facts(metric: Metric, feature: str, since: datetime, now: datetime) -> dict[str, Any]:
    return {
        "metric": metric.value,
        "feature": feature,
        "since": since,
        "now": now,
        "old": now - OLD_ENOUGH,
        "longest": LONGEST_SESSION,
        "slot": SESSION_SLOT,
        "kinds": list(registry.inconsistencies()),
    }


# --- lines --------------------------------------------------------------------------------------

# Each gives (number of the point, total, bad); `width` is how many seconds a point stands for.
_PLACE = "floor(extract(epoch FROM {at} - %(since)s::timestamptz) / %(width)s)::int"
SAMPLE_LINE = f"""
    SELECT {_PLACE.format(at="begins_at")} AS place, sum(total), sum(bad) FROM rollback_sample
     WHERE metric = %(metric)s AND feature = %(feature)s AND is_on = ANY('{{t}}')
       AND begins_at >= %(since)s AND begins_at < %(now)s
     GROUP BY place
"""  # noqa: S608 - made of the constants above
SESSION_LINE = f"""
    SELECT {_PLACE.format(at="started_at")} AS place,
           count(*), count(*) FILTER (WHERE finished_at IS NULL)
      FROM rollback_enrollmentsession
     WHERE started_at >= %(since)s AND started_at < %(old)s
       AND (NOT is_open OR changed_at <= %(old)s) AND (%(feature)s = '' OR is_on)
     GROUP BY place
"""  # noqa: S608 - made of the constants above
COMPLAINT_LINE = f"""
    SELECT {_PLACE.format(at="reported_at")} AS place,
           count(DISTINCT reporter), count(DISTINCT reporter)
      FROM rollback_complaint
     WHERE reported_at >= %(since)s AND reported_at < %(now)s
       AND (%(feature)s = '' OR features @> ARRAY[%(feature)s::text]::varchar[])
       AND (%(metric)s <> 'payment issues' OR kind = 'payment')
     GROUP BY place
"""  # noqa: S608 - made of the constants above
# How many were open at the end of each point's time.
CONFLICT_LINE = """
    SELECT place, count(*), count(*)
      FROM generate_series(0, %(points)s - 1) AS place
      JOIN enrollment_conflict c
        ON c.found_at < %(since)s::timestamptz + (place + 1) * %(width)s * interval '1 s'
       AND (c.resolved_at IS NULL
            OR c.resolved_at >= %(since)s::timestamptz + (place + 1) * %(width)s * interval '1 s')
     WHERE (kind = ANY(%(kinds)s::text[])) = (%(metric)s = 'holiday inconsistencies')
     GROUP BY place
"""
TRIP_LINE = f"""
    SELECT {_PLACE.format(at="back_at")} AS place, count(DISTINCT uuid), count(DISTINCT uuid)
      FROM rollback_localtrip
     WHERE back_at >= %(since)s AND back_at < %(now)s
     GROUP BY place
"""  # noqa: S608 - made of the constants above
_LINES: Mapping[Metric, str] = {
    Metric.COMPLETION: SESSION_LINE,
    Metric.ABANDONED: SESSION_LINE,
    Metric.COMPLAINTS: COMPLAINT_LINE,
    Metric.PAYMENTS: COMPLAINT_LINE,
    Metric.CONFLICTS: CONFLICT_LINE,
    Metric.HOLIDAYS: CONFLICT_LINE,
    Metric.LOCAL_TRIPS: TRIP_LINE,
}


def series(
    metric: str, feature: str, *, since: datetime, until: datetime, points: int
) -> list[Point]:
    """`points` of them, from `since` on, each with what lies between it and the next; 0 where there was
    nothing. With the feature on. Counts stand in both numbers; of processes, how many had tripped.

    :raises ValueError: there is no such metric.
    """
    known = Metric(metric)
    width = (until - since).total_seconds() / points
    facts = _facts(known, feature, since, until) | {"width": width, "points": points}
    found = {
        place: (int(total), int(bad))
        for place, total, bad in _rows(_LINES.get(known, SAMPLE_LINE), facts)
    }
    return [
        (since + timedelta(seconds=place * width), *found.get(place, (0, 0)))
        for place in range(points)
    ]


def _begin(slot: Slot) -> datetime:
    return slot.begins_at


def _rows(words: str, facts: Mapping[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(words, facts)
        rows: list[Any] = cursor.fetchall()
    return rows
