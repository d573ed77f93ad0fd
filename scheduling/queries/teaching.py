from dataclasses import dataclass
from typing import Any

from django.db.models import Subquery

from enrollment.models import Course, Student, Teacher


@dataclass(frozen=True)
class Teaching:
    """Who teaches what; student_id: of `user`, if they are a student."""

    teacher: Teacher
    course: Course
    student_id: int | None


def teaching(*, teacher_id: int, course: str, user: Any) -> Teaching | None:
    """In one query. None: no such teacher or course, or the one does not teach the other."""
    found = (
        Course.teachers.through.objects.filter(teacher_id=teacher_id, course__slug=course)
        .select_related("teacher", "course")
        .annotate(student_id=Subquery(Student.objects.filter(user=user).values("pk")))
        .first()
    )
    if found is None:
        return None
    student_id: int | None = found.student_id  # type: ignore[attr-defined]  # annotated
    return Teaching(found.teacher, found.course, student_id)
