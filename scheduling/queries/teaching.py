from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch, QuerySet, Subquery

from enrollment.models import Course, Student, Teacher
from enrollment.queries.people import teachers_here


@dataclass(frozen=True)
class Teaching:
    """Who teaches what. student: of `user`, if they are one; only its key and zone are loaded."""

    teacher: Teacher
    course: Course
    student: Student | None


def teaching(*, teacher_id: int, course: str, user: Any) -> Teaching | None:
    """In one query. None: no such teacher or course, or the one does not teach the other."""
    found = who_teaches(course=course, user=user, teacher_id=teacher_id)
    return found[0] if found else None


def who_teaches(*, course: str, user: Any, teacher_id: int | None = None) -> list[Teaching]:
    """In one query, in order of names. teacher_id: only this one; None is everybody."""
    mine = Student.objects.filter(user=user)
    rows: Any = (
        Course.teachers.through.objects.filter(course__slug=course)
        .select_related("teacher", "course")
        .annotate(student_id=Subquery(mine.values("pk")), zone=Subquery(mine.values("zone")))
        .order_by("teacher__display_name", "teacher_id")
    )
    if teacher_id is not None:
        rows = rows.filter(teacher_id=teacher_id)
    return [Teaching(row.teacher, row.course, _student(row)) for row in rows]


def _student(row: Any) -> Student | None:
    if row.student_id is None:
        return None
    return Student.from_db("default", ["id", "zone"], [row.student_id, row.zone])


def teachers() -> QuerySet[Teacher]:
    """Whom one can ask for times, each with the courses."""
    courses = Course.objects.order_by("title", "pk")
    return (
        teachers_here()
        .filter(courses__isnull=False)
        .distinct()
        .prefetch_related(Prefetch("courses", queryset=courses))
    )


def is_course(*, slug: str) -> bool:
    return Course.objects.filter(slug=slug).exists()
