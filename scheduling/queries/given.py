"""The lessons of a teacher: a group is one lesson, however many rows it has."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import BigIntegerField, QuerySet, Value
from django.db.models.functions import Cast

from enrollment.models import Course, Lesson, Teacher
from scheduling.domain.clock import Period
from scheduling.domain.reasons import Why
from scheduling.domain.standing import outside
from scheduling.queries.availability import availability
from scheduling.queries.why import in_full

# As far as anything can be booked; hours and holidays beyond are nobody's plan yet.
AHEAD = timedelta(days=366)


@dataclass(frozen=True, kw_only=True)
class Given:
    """rows: one for each student. outside: why the teacher's hours would not bear it today."""

    rows: Sequence[Lesson]
    outside: Why | None = None

    @property
    def course(self) -> Course:
        return self.rows[0].course

    @property
    def starts_at(self) -> datetime:
        return self.rows[0].starts_at

    @property
    def ends_at(self) -> datetime:
        return self.rows[0].ends_at

    @property
    def period(self) -> Period:
        return period_of(self.rows[0])

    @property
    def held(self) -> bool:
        """By somebody who is just enrolling; nothing is agreed yet."""
        return self.rows[0].status == Lesson.Status.HELD

    @property
    def held_until(self) -> datetime | None:
        return self.rows[0].expires_at

    @property
    def why(self) -> str:
        return in_full(self.outside) if self.outside else ""


def period_of(lesson: Lesson) -> Period:
    return int(lesson.starts_at.timestamp()), int(lesson.ends_at.timestamp())


def gathered(lessons: Iterable[Lesson], hours_say: dict[Period, Why] | None = None) -> list[Given]:
    """In the order of their first rows. hours_say: which of them lie outside the hours."""
    groups: dict[object, list[Lesson]] = {}
    for one in lessons:
        is_group = one.seats > 1 and one.status != Lesson.Status.HELD
        key = (one.course_id, one.starts_at, one.ends_at) if is_group else one.pk
        groups.setdefault(key, []).append(one)
    known = hours_say or {}
    return [Given(rows=rows, outside=known.get(period_of(rows[0]))) for rows in groups.values()]


def coming_lessons(*, teacher: Teacher, now: datetime) -> QuerySet[Lesson]:
    """Planned, and not over yet, in order of time."""
    return (
        # The index of the exclusion constraint knows bigint only.
        Lesson.objects.filter(
            teacher=Cast(Value(teacher.pk), BigIntegerField()),
            status=Lesson.Status.PLANNED,
            period__endswith__gt=now,
        )
        .select_related("course", "student__user")
        .order_by("period", "pk")
    )


def lessons_outside(*, teacher: Teacher, now: datetime) -> list[Given]:
    """Lessons of the coming year that the hours would not bear as they are now."""
    coming = coming_lessons(teacher=teacher, now=now)
    lessons = list(coming.filter(period__endswith__lte=now + AHEAD))
    if not lessons:
        return []
    # Hours, closed days and time off are those of every course.
    known = availability(
        teacher=teacher,
        course=Course(),
        now=now,
        since=lessons[0].starts_at,
        until=max(lesson.ends_at for lesson in lessons),
    )
    found = outside(known.facts, map(period_of, lessons))
    return [one for one in gathered(lessons, found) if one.outside]
