from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

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


def month_of(
    *, student: Student | None, teacher: Teacher | None, year: int, month: int, now: datetime
) -> Month:
    """The lessons somebody takes or gives in a month of their own clock.

    Exactly one of `student` and `teacher` is somebody.
    """
    person = student or teacher
    if person is None:
        raise ValueError("A calendar is somebody's.")
    zone = ZoneInfo(person.zone)
    after = months.shifted(year, month, 1)
    lessons = list(
        _lessons(
            student=student,
            teacher=teacher,
            since=datetime(year, month, 1, tzinfo=zone),
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


def _lessons(
    *, student: Student | None, teacher: Teacher | None, since: datetime, until: datetime
) -> QuerySet[Lesson]:
    """`overlap` and not `startswith`: only that is served by the index of the exclusion constraint,
    which is also why cancelled lessons stay out. A lesson that began before `since` is dropped.
    """
    lessons = Lesson.objects.filter(
        period__overlap=(since, until), period__startswith__gte=since
    ).exclude(status=Lesson.Status.CANCELLED)
    mine = lessons.filter(student=student) if student else lessons.filter(teacher=teacher)
    return (
        mine.exclude(status=Lesson.Status.HELD)
        .select_related("course", "teacher", "student__user")
        .order_by("period")
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)
