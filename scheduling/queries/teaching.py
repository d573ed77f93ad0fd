from dataclasses import dataclass
from typing import Any

from django.db.models import Subquery

from enrollment.models import Course, Student, Teacher


@dataclass(frozen=True)
class Teaching:
    """Who teaches what. student: of `user`, if they are one; only its key and zone are loaded."""

    teacher: Teacher
    course: Course
    student: Student | None


def teaching(*, teacher_id: int, course: str, user: Any) -> Teaching | None:
    """In one query. None: no such teacher or course, or the one does not teach the other."""
    mine = Student.objects.filter(user=user)
    found: Any = (
        Course.teachers.through.objects.filter(teacher_id=teacher_id, course__slug=course)
        .select_related("teacher", "course")
        .annotate(student_id=Subquery(mine.values("pk")), zone=Subquery(mine.values("zone")))
        .first()
    )
    if found is None:
        return None
    student = None
    if found.student_id is not None:
        student = Student.from_db("default", ["id", "zone"], [found.student_id, found.zone])
    return Teaching(found.teacher, found.course, student)
