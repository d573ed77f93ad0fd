"""Who could give a lesson instead: free then, and not away for good."""

from datetime import datetime

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Case, Exists, OuterRef, QuerySet, Value, When

from enrollment.domain.states import LessonStatus
from enrollment.models import Lesson, Teacher
from enrollment.queries.people import teachers_here


def substitutes_for(lesson: Lesson, *, now: datetime) -> QuerySet[Teacher]:
    """Those of the course first (`teaches_it`); without the lesson's own teacher."""
    period = DateTimeTZRange(lesson.starts_at, lesson.ends_at)
    busy = (
        Lesson.objects.filter(teacher=OuterRef("pk"), busy__overlap=period)
        .exclude(status=LessonStatus.CANCELLED)
        .exclude(status=LessonStatus.HELD, expires_at__lte=now)
    )
    of_course = Teacher.courses.through.objects.filter(
        course=lesson.course_id, teacher=OuterRef("pk")
    )
    return (
        teachers_here()
        .filter(~Exists(busy))
        .exclude(pk=lesson.teacher_id)
        .annotate(teaches_it=Case(When(Exists(of_course), then=Value(1)), default=Value(0)))
        .order_by("-teaches_it", "display_name", "pk")
    )
