"""Which lesson is in the way: asked before writing, so that a person can be told its name."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import QuerySet

from enrollment.domain.states import LessonStatus
from enrollment.models import Course, Lesson, Student, Teacher


def lesson_length(of: Lesson | Course) -> timedelta:
    """A known lesson keeps its length; a new one has its course's."""
    if isinstance(of, Course):
        return timedelta(minutes=of.lesson_minutes)
    return of.ends_at - of.starts_at


class Wanted(NamedTuple):
    """What is to be put somewhere: for how many, and what the teacher keeps free around it."""

    course_id: int | None = None
    seats: int = 1
    before: timedelta = timedelta()
    after: timedelta = timedelta()

    @classmethod
    def of(cls, known: Lesson | None, course: Course | None) -> "Wanted":
        """A known lesson keeps what was agreed for it; a new one is as the office plans it."""
        if known is not None:
            before, after = known.buffer_before, known.buffer_after
            return cls(
                known.course_id, known.seats, timedelta(minutes=before), timedelta(minutes=after)
            )
        return cls(course.pk, course.seats) if course else cls()


def clashing_lesson(
    *,
    teacher: Teacher,
    student: Student,
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
    apart_from: Lesson | None = None,
    course: Course | None = None,
) -> Lesson | None:
    """The first lesson or hold of either of them that is in the way; a hold that ran out is not.

    The teacher's count with the minutes kept free around them. A group of the same course at exactly
    this time is in the way only when it is full. apart_from: the lesson that is to be moved there.
    course: of a new lesson, where it may join a group.
    """
    wanted = Wanted.of(apart_from, course)
    period = DateTimeTZRange(starts_at, ends_at)
    around = DateTimeTZRange(starts_at - wanted.before, ends_at + wanted.after)
    lessons = _live(now=now, apart_from=apart_from)
    of_student = lessons.filter(student=student, period__overlap=period)
    of_teacher = list(lessons.filter(teacher=teacher, busy__overlap=around))
    if wanted.seats > 1:
        of_teacher = _without_open_group(of_teacher, wanted, period)
    return min([*of_student, *of_teacher], key=lambda one: (one.period, one.pk), default=None)


def _live(*, now: datetime, apart_from: Lesson | None) -> QuerySet[Lesson]:
    found = (
        Lesson.objects.exclude(status=LessonStatus.CANCELLED)
        .exclude(status=LessonStatus.HELD, expires_at__lte=now)
        .select_related("course", "teacher", "student__user")
    )
    return found.exclude(pk=apart_from.pk) if apart_from else found


def _without_open_group(
    lessons: Sequence[Lesson], wanted: Wanted, period: DateTimeTZRange
) -> list[Lesson]:
    group = [
        one
        for one in lessons
        if one.seats > 1 and (one.course_id, one.period) == (wanted.course_id, period)
    ]
    if group and len(group) < max(one.seats for one in group):
        return [one for one in lessons if one not in group]
    return list(lessons)
