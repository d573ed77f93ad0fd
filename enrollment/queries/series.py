"""Every week of a series before it is planned: whether it is free, why not, and what is free instead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from enrollment.domain.clock import NoSuchTime, comes_twice, instant
from enrollment.domain.nearby import WEEK, Wish, free_nearby
from enrollment.models import Enrollment, Lesson, Teacher
from enrollment.queries.busy import Busy, as_blocks, busy_of
from enrollment.queries.clashes import lesson_length

# The same weekday a week later is the series' own.
OTHER_DAYS = WEEK - 1
AROUND = timedelta(days=WEEK + 1)


@dataclass(frozen=True, kw_only=True)
class Week:
    """starts_at: None where the clocks leave the time out that night, as `no_such_time` says.

    clash: the first lesson or hold in the way. nearby: what is free besides, the nearest first.
    """

    on: date
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    no_such_time: NoSuchTime | None = None
    twice: bool = False
    clash: Lesson | None = None
    nearby: Sequence[datetime] = ()

    @property
    def is_free(self) -> bool:
        return self.starts_at is not None and self.clash is None


def look_ahead(
    *, enrollment: Enrollment, teacher: Teacher, days: Sequence[date], at: time, now: datetime
) -> list[Week]:
    """On the teacher's clock, in order of `days`. Two queries, however many weeks."""
    length = lesson_length(enrollment.course)
    wishes = [Wish(on=day, at=at, zone=teacher.zone, length=length) for day in days]
    busy = busy_of(
        teacher=teacher,
        student=enrollment.student,
        since=wishes[0].starts_at() - AROUND,
        until=wishes[-1].starts_at() + AROUND + length,
        now=now,
        course=enrollment.course,
    )
    in_the_way = {wish: _first_over(wish, busy) for wish in wishes}
    lessons = Lesson.objects.select_related("course", "teacher", "student__user").in_bulk(
        [one.lesson_id for one in in_the_way.values() if one]
    )
    return [_week(wish, in_the_way[wish], busy, lessons, now) for wish in wishes]


def _week(
    wish: Wish,
    over: Busy | None,
    busy: Sequence[Busy],
    lessons: Mapping[int, Lesson],
    now: datetime,
) -> Week:
    try:
        starts_at = instant(on=wish.on, at=wish.at, zone=wish.zone)
    except NoSuchTime as error:
        return Week(on=wish.on, no_such_time=error, nearby=_nearby(wish, busy, now))
    return Week(
        on=wish.on,
        starts_at=starts_at,
        ends_at=starts_at + wish.length,
        twice=comes_twice(on=wish.on, at=wish.at, zone=wish.zone),
        clash=lessons.get(over.lesson_id) if over else None,
        nearby=_nearby(wish, busy, now),
    )


def _first_over(wish: Wish, busy: Sequence[Busy]) -> Busy | None:
    start = wish.starts_at().timestamp()
    end = start + wish.length.total_seconds()
    touching = (one for one in busy if one.since < end and start < one.until)
    return next((one for one in touching if one.joins != (start, end)), None)


def _nearby(wish: Wish, busy: Sequence[Busy], now: datetime) -> list[datetime]:
    wished = wish.starts_at()
    since, until = (wished - AROUND).timestamp(), (wished + AROUND + wish.length).timestamp()
    blocks, groups = as_blocks(one for one in busy if one.since < until and since < one.until)
    earliest = now if wished >= now else None
    return free_nearby(wish, busy=blocks, groups=groups, earliest=earliest, days=OTHER_DAYS)
