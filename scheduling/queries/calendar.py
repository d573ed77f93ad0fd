from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db.models import BigIntegerField, QuerySet, Value
from django.db.models.functions import Cast

from enrollment.models import Lesson, Student, Teacher
from scheduling.domain import month as months


@dataclass(frozen=True, kw_only=True)
class Month:
    first_on: date
    before: date | None
    after: date | None
    zone: str
    weeks: Sequence[Sequence[months.Cell[Lesson]]]
    lessons: int


def month_of(*, person: Student | Teacher, year: int, month: int, now: datetime) -> Month:
    """The lessons somebody takes or gives in a month of their own clock."""
    zone = ZoneInfo(person.zone)
    after = months.shifted(year, month, 1)
    lessons = list(
        lessons_of(
            person=person,
            since=_midnight(date(year, month, 1), zone),
            until=_midnight(after or date(year + 1, 1, 1), zone),
        )
    )
    entries = months.grouped(
        (lesson.starts_at.astimezone(zone).date(), lesson) for lesson in lessons
    )
    return Month(
        first_on=date(year, month, 1),
        before=months.shifted(year, month, -1),
        after=after,
        zone=person.zone,
        weeks=months.weeks_of(year, month, today=now.astimezone(zone).date(), entries=entries),
        lessons=len(lessons),
    )


def lessons_of(*, person: Student | Teacher, since: datetime, until: datetime) -> QuerySet[Lesson]:
    """Planned and done lessons that start in [since, until), in order of time.

    `overlap` beside the start: only that is served by the index of the exclusion constraint, which
    leaves cancelled lessons out.
    """
    # Named a bigint: btree_gist has none of PostgreSQL's operators between integers of two sizes,
    # and the index would be searched by time alone.
    number = Cast(Value(person.pk), BigIntegerField())
    every = Lesson.objects.exclude(status=Lesson.Status.CANCELLED)
    mine = (
        every.filter(student=number)
        if isinstance(person, Student)
        else every.filter(teacher=number)
    )
    return (
        mine.filter(period__overlap=(since, until), period__startswith__gte=since)
        .exclude(status=Lesson.Status.HELD)
        .select_related("course", "teacher", "student__user")
        .order_by("period")
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)
