"""Whether Python and PostgreSQL read time zones alike, and which lessons a change of their rules moved.

Both bring their own copy of the IANA data, of different age. Python's decides what is offered;
PostgreSQL's only what is written in SQL by hand. But where they differ, one of them is old.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.db.models import Q

from enrollment.domain.states import LessonStatus
from enrollment.models import Lesson, Student, Teacher

AHEAD = timedelta(days=2 * 365)
# The clock is changed back after weeks at the earliest; this finds the day.
EVERY = timedelta(hours=6)

OFFSETS = """
SELECT zone, array_agg(extract(epoch FROM (at AT TIME ZONE zone) - (at AT TIME ZONE 'UTC'))::int
                       ORDER BY at)
  FROM unnest(%s::text[]) AS zone,
       generate_series(%s::timestamptz, %s::timestamptz, make_interval(secs => %s)) AS at
 GROUP BY zone
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """since: the first moment looked at (each six hours) at which the two clocks differ; None where
    only one of them knows the zone."""

    zone: str
    since: datetime | None

    def __str__(self) -> str:
        if self.since is None:
            return f"{self.zone} (unknown to one of them)"
        return f"{self.zone} (from {self.since:%Y-%m-%d} on)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A lesson that no longer begins at the time that was agreed. agreed, shown: on the wall clock of
    its zone; back_at: the instant at which that clock shows what was agreed."""

    lesson: Lesson
    agreed: datetime
    shown: datetime
    back_at: datetime


def zones_in_use() -> list[str]:
    """The school's, and those of its people, by name."""
    people = Teacher.objects.values_list("zone").union(Student.objects.values_list("zone"))
    return sorted({settings.TIME_ZONE, *(zone for (zone,) in people)})


def differences(*, now: datetime, zones: Iterable[str] | None = None) -> list[Difference]:
    """Between Python's and PostgreSQL's offsets, of the next two years. zones: None is all in use.
    Three queries, some of them slow: for starts and for the night, never for a page."""
    first = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    moments = [first + EVERY * number for number in range(AHEAD // EVERY + 1)]
    known, unknown = _known_to_both(zones_in_use() if zones is None else zones)
    with connection.cursor() as cursor:
        cursor.execute(OFFSETS, [list(known), moments[0], moments[-1], EVERY.total_seconds()])
        theirs: dict[str, list[int]] = dict(cursor.fetchall())
    found = [Difference(zone=name, since=None) for name in unknown]
    for name, zone in known.items():
        ours = [_offset(zone, at) for at in moments]
        if ours != theirs[name]:
            pairs = zip(ours, theirs[name], strict=True)
            index = next(index for index, (one, other) in enumerate(pairs) if one != other)
            found.append(Difference(zone=name, since=moments[index]))
    return sorted(found, key=lambda one: one.zone)


def _known_to_both(names: Iterable[str]) -> tuple[dict[str, ZoneInfo], list[str]]:
    """One that PostgreSQL does not know would end the whole query in an error."""
    wanted = list(names)
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_timezone_names WHERE name = ANY(%s)", [wanted])
        theirs = {name for (name,) in cursor.fetchall()}
    known: dict[str, ZoneInfo] = {}
    for name in wanted:
        try:
            zone = ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            continue
        if name in theirs:
            known[name] = zone
    return known, [name for name in wanted if name not in known]


def _offset(zone: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(zone).utcoffset() or timedelta(0)
    return int(offset.total_seconds())


def moved_by_zone_data(*, now: datetime) -> list[Moved]:
    """Lessons to come whose instant no longer shows the wall clock that was agreed, by their start.

    Asked from the instant to the clock, so that both of a repeated hour are right. One in a zone that
    Python does not know is left out; the zone itself is found by `differences`.
    """
    lessons = (
        Lesson.objects.filter(period__endswith__gt=now)
        .exclude(
            Q(status=LessonStatus.CANCELLED) | Q(status=LessonStatus.HELD, expires_at__lte=now)
        )
        .values_list("pk", "period", "local_on", "local_start", "zone")
    )
    shown: dict[int, datetime] = {}
    for pk, period, on, clock, name in lessons.iterator():
        try:
            local = period.lower.astimezone(ZoneInfo(name)).replace(tzinfo=None)
        except (KeyError, ValueError, OSError):
            continue
        if local.replace(second=0, microsecond=0) != datetime.combine(on, clock).replace(second=0):
            shown[pk] = local
    found = Lesson.objects.filter(pk__in=shown).select_related("course", "teacher", "student__user")
    return [_moved(lesson, shown[lesson.pk]) for lesson in found.order_by("period", "pk")]


def _moved(lesson: Lesson, shown: datetime) -> Moved:
    agreed = datetime.combine(lesson.local_on, lesson.local_start)
    back_at = agreed.replace(tzinfo=ZoneInfo(lesson.zone)).astimezone(UTC)
    return Moved(lesson=lesson, agreed=agreed, shown=shown, back_at=back_at)
