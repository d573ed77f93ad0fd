"""Lessons that stand on closed days."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, pgettext

from enrollment.domain.findings import Finding
from enrollment.domain.states import LessonStatus
from enrollment.models import Lesson
from holidays.domain.closures import Closure
from holidays.domain.days import days_between, runs
from holidays.queries.closures import closures

if TYPE_CHECKING:
    from enrollment.models import Conflict

ON_HOLIDAY = "holiday"
# Lessons farther away are looked at once they come nearer.
AHEAD = timedelta(days=366)
# A date is somebody's a day before or after it is ours.
ZONES = timedelta(days=1)

ByDay = dict[date, list[Closure]]


def lessons_on_closed_days(*, now: datetime, lessons: Collection[int] | None) -> list[Finding]:
    """Planned lessons to come that touch closed time of their teacher's calendar. Two queries."""
    return [
        Finding(
            kind=ON_HOLIDAY,
            key=f"{lesson.pk}@{int(lesson.starts_at.timestamp())}:{lesson.teacher_id}",
            lessons=(lesson.pk,),
            enrollment=lesson.enrollment_id,
            student=lesson.student_id,
            teacher=lesson.teacher_id,
            facts={"starts": int(lesson.starts_at.timestamp()), "note": closed[0].name},
        )
        for lesson, closed in standing_on_closed_days(now=now, lessons=lessons)
    ]


def standing_on_closed_days(
    *, now: datetime, lessons: Collection[int] | None
) -> Iterator[tuple[Lesson, Sequence[Closure]]]:
    """Each with what closes its time."""
    first, last = now.date() - ZONES, now.date() + AHEAD
    by_day = _by_day(closures(first=first, last=last), first=first, last=last)
    if not by_day:
        return
    near = (around(first, last) for first, last in runs(by_day))
    coming = Lesson.objects.filter(
        reduce(or_, near), status=LessonStatus.PLANNED, period__endswith__gt=now
    )
    if lessons is not None:
        coming = coming.filter(pk__in=lessons)
    for lesson in coming.select_related("teacher").order_by("period", "pk"):
        if closed := closing(lesson, by_day):
            yield lesson, closed


def around(first: date, last: date) -> Q:
    """Lessons that may touch one of these dates on somebody's clock."""
    begins = _midnight(first - ZONES) if first - date.min > ZONES else None
    ends = _midnight(last + 2 * ZONES) if date.max - last > 2 * ZONES else None
    return Q(period__overlap=DateTimeTZRange(begins, ends))


def _by_day(found: Iterable[Closure], *, first: date, last: date) -> ByDay:
    by_day: ByDay = defaultdict(list)
    for one in found:
        if one.as_weekday is None:
            for day in one.days(first=first, last=last):
                by_day[day].append(one)
    return by_day


def closing(lesson: Lesson, by_day: ByDay) -> Sequence[Closure]:
    """What closes the time of this lesson, by its teacher's clock."""
    zone = ZoneInfo(lesson.teacher.zone)
    first, last = (at.astimezone(zone).date() for at in (lesson.starts_at, lesson.ends_at))
    near = {
        one.key: one
        for day in days_between(first, last)
        for one in by_day.get(day, ())
        if one.concerns(teacher=lesson.teacher_id, course=lesson.course_id)
    }
    period = lesson.starts_at, lesson.ends_at
    return [one for one in near.values() if one.touches(period, zone=zone)]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def words_on_holiday(*, conflict: "Conflict") -> str:
    """On the teacher's clock."""
    zone = ZoneInfo(conflict.teacher.zone) if conflict.teacher else UTC
    start = timezone.localtime(datetime.fromtimestamp(conflict.facts["starts"], UTC), zone)
    words = gettext(
        "%(when)s: %(student)s with %(teacher)s, while the school is closed (%(holiday)s)."
    )
    return words % {
        "when": date_format(start, pgettext("date format", "D j F Y, H:i")),
        "student": conflict.student,
        "teacher": conflict.teacher,
        "holiday": conflict.facts["note"],
    }
