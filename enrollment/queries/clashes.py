"""Which lesson is in the way: asked before writing, so that a person can be told its name."""

from datetime import datetime, timedelta

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Q

from enrollment.domain.states import LessonStatus
from enrollment.models import Course, Lesson, Student, Teacher


def lesson_length(of: Lesson | Course) -> timedelta:
    """A known lesson keeps its length; a new one has its course's."""
    if isinstance(of, Course):
        return timedelta(minutes=of.lesson_minutes)
    return of.ends_at - of.starts_at


def clashing_lesson(
    *,
    teacher: Teacher,
    student: Student,
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
    apart_from: Lesson | None = None,
) -> Lesson | None:
    """The first lesson or hold of either of them that overlaps; a hold that ran out does not."""
    period = DateTimeTZRange(starts_at, ends_at)
    found = (
        Lesson.objects.filter(Q(teacher=teacher) | Q(student=student), period__overlap=period)
        .exclude(status=LessonStatus.CANCELLED)
        .exclude(status=LessonStatus.HELD, expires_at__lte=now)
        .select_related("course", "teacher", "student__user")
        .order_by("period")
    )
    return found.exclude(pk=apart_from.pk).first() if apart_from else found.first()
