"""Lessons that contradict each other, as a restore or a hand at the database leaves them."""

from collections.abc import Collection
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from enrollment.operations.conflicts import Found, find_conflicts
from enrollment.operations.lessons import hold_slot

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


def search(now: datetime = NOW, lessons: Collection[int] | None = None) -> Found:
    return find_conflicts(now=now, lessons=lessons)


def hold(student: Student, course: Course, teacher: Teacher) -> Lesson:
    return hold_slot(student=student, course=course, teacher=teacher, starts_at=START, now=NOW)


def twice(enrollment: Enrollment, teacher: Teacher, **fields: Any) -> tuple[Lesson, Lesson]:
    """16:00 in Berlin, and 16:00 in London an hour later."""
    older = lesson(enrollment, teacher, local_start="16:00")
    there = {"local_start": "16:00", "zone": "Europe/London", **fields}
    return older, lesson(enrollment, teacher, START + timedelta(hours=1), **there)
