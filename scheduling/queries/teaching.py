from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Prefetch, QuerySet

from enrollment.models import Course, Student, Teacher
from enrollment.queries.people import teachers_here


@dataclass(frozen=True)
class Teaching:
    """Who teaches what. student: of `user`, if they are one."""

    teacher: Teacher
    course: Course
    student: Student | None


def teaching(*, teacher_id: int, course: str, user: Any) -> Teaching | None:
    """In one query. None: no such teacher or course, or the one does not teach the other."""
    found = who_teaches(course=course, user=user, teacher_id=teacher_id)
    return found[0] if found else None


# In SQL: each request for slots asks this, and to build the query and three whole models took longer
# than everything else about it.
WHO = """
SELECT t.id, t.user_id, t.display_name, t.zone,
       c.id, c.title, c.slug, c.lesson_minutes, c.seats,
       s.id, s.user_id, s.zone
  FROM enrollment_course c
  JOIN enrollment_course_teachers teaches ON teaches.course_id = c.id
  JOIN enrollment_teacher t ON t.id = teaches.teacher_id
  LEFT JOIN enrollment_student s ON s.user_id = %(user)s::bigint
 WHERE c.slug = %(course)s
   AND (%(teacher)s::bigint IS NULL OR t.id = %(teacher)s::bigint)
 ORDER BY t.display_name, t.id
"""
MOST_ID = 2**63 - 1
# In the order of the models' fields, as `from_db` wants them.
OF_TEACHER = ["id", "user_id", "display_name", "zone"]
OF_COURSE = ["id", "title", "slug", "lesson_minutes", "seats"]
OF_STUDENT = ["id", "user_id", "zone"]


def who_teaches(*, course: str, user: Any, teacher_id: int | None = None) -> list[Teaching]:
    """In one query, in order of names. teacher_id: only this one; None is everybody.

    What else one wants to know of them is loaded when it is asked for.
    """
    if teacher_id is not None and teacher_id > MOST_ID:
        return []
    with connection.cursor() as cursor:
        cursor.execute(WHO, {"course": course, "user": user.pk, "teacher": teacher_id})
        return [_teaching(row) for row in cursor.fetchall()]


def _teaching(row: tuple[Any, ...]) -> Teaching:
    teacher, course, student = row[:4], row[4:9], row[9:]
    return Teaching(
        teacher=Teacher.from_db("default", OF_TEACHER, teacher),
        course=Course.from_db("default", OF_COURSE, course),
        student=None if student[0] is None else Student.from_db("default", OF_STUDENT, student),
    )


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
