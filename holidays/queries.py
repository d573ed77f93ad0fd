from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, pgettext

from enrollment.domain.findings import Finding
from enrollment.domain.states import LessonStatus
from enrollment.models import Lesson
from holidays.domain.days import days_between, runs
from holidays.models import Holiday

if TYPE_CHECKING:
    from enrollment.models import Conflict

ON_HOLIDAY = "holiday"
# Lessons farther away are looked at once they come nearer.
AHEAD = timedelta(days=366)
# A date is somebody's a day before or after it is ours.
ZONES = timedelta(days=1)
MOMENT = timedelta(microseconds=1)


def closed_days(*, first: date, last: date) -> dict[date, str]:
    """The days from `first` to `last`, both counted, on which the school is closed, and their names."""
    # In SQL: every question about free slots asks this one, too, and to build a queryset costs
    # more than the answer.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT first_on, last_on, name FROM holidays_holiday"
            " WHERE first_on <= %s AND last_on >= %s ORDER BY first_on, last_on, name",
            [last, first],
        )
        periods = cursor.fetchall()
    return {
        day: name
        for first_on, last_on, name in periods
        # Clipped first: whoever types the year 9999 must not cost every page three million days.
        for day in days_between(max(first, first_on), min(last, last_on))
    }


def holidays_between(*, first: date, last: date) -> QuerySet[Holiday]:
    """Those with at least one day from `first` to `last`, both counted; by their first day."""
    return Holiday.objects.filter(first_on__lte=last, last_on__gte=first)


def overlapping(holiday: Holiday) -> QuerySet[Holiday]:
    """Other holidays that share a day with this one."""
    return holidays_between(first=holiday.first_on, last=holiday.last_on).exclude(pk=holiday.pk)


def lessons_on_closed_days(*, now: datetime, lessons: Collection[int] | None) -> list[Finding]:
    """Planned lessons to come that touch a closed date of their teacher's calendar. Two queries."""
    closed = closed_days(first=now.date() - ZONES, last=now.date() + AHEAD)
    if not closed:
        return []
    near = (around(first, last) for first, last in runs(closed))
    coming = Lesson.objects.filter(
        reduce(or_, near), status=LessonStatus.PLANNED, period__endswith__gt=now
    )
    if lessons is not None:
        coming = coming.filter(pk__in=lessons)
    return list(_found(coming.select_related("teacher").order_by("period", "pk"), closed))


def around(first: date, last: date) -> Q:
    """Lessons that may touch one of these dates on somebody's clock."""
    begins = _midnight(first - ZONES) if first - date.min > ZONES else None
    ends = _midnight(last + 2 * ZONES) if date.max - last > 2 * ZONES else None
    return Q(period__overlap=DateTimeTZRange(begins, ends))


def _found(lessons: QuerySet[Lesson], closed: Mapping[date, str]) -> Iterator[Finding]:
    for lesson in lessons:
        names = [closed[day] for day in _dates(lesson) if day in closed]
        if names:
            yield Finding(
                kind=ON_HOLIDAY,
                key=f"{lesson.pk}@{int(lesson.starts_at.timestamp())}:{lesson.teacher_id}",
                lessons=(lesson.pk,),
                enrollment=lesson.enrollment_id,
                student=lesson.student_id,
                teacher=lesson.teacher_id,
                facts={"starts": int(lesson.starts_at.timestamp()), "note": names[0]},
            )


def _dates(lesson: Lesson) -> Iterator[date]:
    zone = ZoneInfo(lesson.teacher.zone)
    first, last = lesson.starts_at.astimezone(zone), (lesson.ends_at - MOMENT).astimezone(zone)
    return days_between(first.date(), last.date())


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
