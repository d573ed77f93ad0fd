"""Everything that stands in a span of days, for the office to look at."""

from datetime import datetime

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import BigIntegerField, QuerySet, Value
from django.db.models.functions import Cast

from enrollment.domain.states import LessonStatus
from enrollment.models import Lesson, Teacher


def timetable(
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    teacher: Teacher | None = None,
    with_cancelled: bool = False,
) -> QuerySet[Lesson]:
    """Lessons and live holds that overlap [since, until), of one teacher or of all, in order."""
    lessons = (
        Lesson.objects.filter(period__overlap=DateTimeTZRange(since, until))
        .exclude(status=LessonStatus.HELD, expires_at__lte=now)
        .select_related("course", "teacher", "student__user")
        .order_by("period", "pk")
    )
    if teacher is not None:
        # The index of the exclusion constraint knows bigint only.
        lessons = lessons.filter(teacher_id=Cast(Value(teacher.pk), BigIntegerField()))
    return lessons if with_cancelled else lessons.exclude(status=LessonStatus.CANCELLED)
