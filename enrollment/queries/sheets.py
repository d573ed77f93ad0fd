"""The school's rows as an import would bring them: for each table the rows in the order of a file,
and a row's values by column. What only a page may know is not among them."""

from collections.abc import Mapping
from datetime import time, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from enrollment.domain.clock import instant
from enrollment.domain.states import LessonStatus
from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User

Values = Mapping[str, Any]


def teacher_rows(found: QuerySet[Teacher]) -> QuerySet[Teacher]:
    return found.select_related("user").order_by("user__email")


def teacher_values(teacher: Teacher) -> Values:
    role = {"zone": teacher.zone, "display_name": teacher.display_name, "bio": teacher.bio}
    return _user_values(teacher.user) | role


def student_rows(found: QuerySet[Student]) -> QuerySet[Student]:
    return found.select_related("user").order_by("user__email")


def student_values(student: Student) -> Values:
    return _user_values(student.user) | {"zone": student.zone}


def _user_values(user: User) -> dict[str, Any]:
    names = {"first_name": user.first_name, "last_name": user.last_name}
    return {"email": user.email.lower()} | names


def course_rows(found: QuerySet[Course]) -> QuerySet[Course]:
    return found.prefetch_related("teachers__user").order_by("slug")


def course_values(course: Course) -> Values:
    names = ("title", "slug", "description", "lesson_minutes", "capacity", "opens_on", "closes_on")
    teachers = sorted(teacher.user.email.lower() for teacher in course.teachers.all())
    return {name: getattr(course, name) for name in names} | {"teachers": teachers}


def enrollment_rows(found: QuerySet[Enrollment]) -> QuerySet[Enrollment]:
    with_all = found.select_related("student__user", "course", "teacher__user")
    return with_all.order_by("student__user__email", "course__slug", "created_at", "pk")


def enrollment_values(enrollment: Enrollment) -> Values:
    names = ("status", "wished_times", "note", "office_note", "payment_reference")
    teacher = enrollment.teacher
    school = timezone.get_default_timezone()
    return {name: getattr(enrollment, name) for name in names} | {
        "student": enrollment.student.user.email.lower(),
        "course": enrollment.course.slug,
        "teacher": teacher.user.email.lower() if teacher else None,
        "enrolled_on": timezone.localdate(enrollment.created_at, school),
    }


def lesson_rows(found: QuerySet[Lesson]) -> QuerySet[Lesson]:
    """Without the times that somebody holds while filling in a form: a file cannot bring one."""
    with_all = found.select_related("teacher__user", "student__user", "course")
    return with_all.exclude(status=LessonStatus.HELD).order_by("period", "pk")


def lesson_values(lesson: Lesson) -> Values:
    return {
        "teacher": lesson.teacher.user.email.lower(),
        "student": lesson.student.user.email.lower(),
        "course": lesson.course.slug,
        "date": lesson.local_on,
        "time": _agreed_time(lesson),
        "zone": lesson.zone,
        "minutes": (lesson.ends_at - lesson.starts_at) // timedelta(minutes=1),
        "status": lesson.status,
    }


def _agreed_time(lesson: Lesson) -> time:
    """With `fold` where the lesson is at the second of two equal times in autumn."""
    again = lesson.local_start.replace(fold=1)
    try:
        second = instant(on=lesson.local_on, at=again, zone=lesson.zone)
        first = instant(on=lesson.local_on, at=lesson.local_start, zone=lesson.zone)
    except ValueError:
        return lesson.local_start
    return again if second == lesson.starts_at != first else lesson.local_start
