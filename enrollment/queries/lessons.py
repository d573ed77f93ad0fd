from datetime import datetime

from django.db.models import Prefetch, QuerySet

from enrollment.models import Enrollment, Lesson, Student, Teacher
from enrollment.queries.progress import with_progress


def enrollments_of(student: Student) -> QuerySet[Enrollment]:
    """Newest first, each with its planned, done and cancelled lessons in order of time, and progress."""
    lessons = (
        Lesson.objects.exclude(status=Lesson.Status.HELD)
        .select_related("teacher")
        .order_by("period")
    )
    return with_progress(
        Enrollment.objects.filter(student=student)
        .select_related("course", "teacher")
        .prefetch_related(Prefetch("lessons", queryset=lessons))
    )


def lessons_of_teacher(teacher: Teacher, *, since: datetime) -> QuerySet[Lesson]:
    """Planned lessons that end after `since`."""
    return (
        Lesson.objects.filter(
            teacher=teacher, status=Lesson.Status.PLANNED, period__endswith__gt=since
        )
        .select_related("course", "teacher", "student__user", "enrollment")
        .order_by("period")
    )
