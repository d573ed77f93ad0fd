"""Lessons that contradict each other, as a restore or a hand at the database leaves them."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
START = datetime(2031, 3, 10, 15, tzinfo=UTC)


def without_guards() -> None:
    """Undone with the test's transaction."""
    with connection.cursor() as cursor:
        for name in ("lesson_student_once", "lesson_teacher_once"):
            cursor.execute(f"ALTER TABLE enrollment_lesson DROP CONSTRAINT {name}")


def enrolled(student: Student, course: Course, **fields: Any) -> Enrollment:
    values = {"status": "confirmed", "teacher": course.teachers.first(), **fields}
    return Enrollment.objects.create(student=student, course=course, **values)


def lesson(
    enrollment: Enrollment, teacher: Teacher, starts: datetime = START, **fields: Any
) -> Lesson:
    values: dict[str, Any] = {
        "period": DateTimeTZRange(starts, starts + timedelta(minutes=45)),
        "local_on": starts.date(),
        "local_start": time(starts.hour, starts.minute),
        "zone": "Europe/Berlin",
        "student": enrollment.student,
        "course": enrollment.course,
        "enrollment": enrollment,
        **fields,
    }
    return Lesson.objects.create(teacher=teacher, **values)
