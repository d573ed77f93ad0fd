"""The school's rows as an import would bring them: for each table the rows in the order of a file,
and a row's values by column. What only a page may know is not among them."""

from collections.abc import Mapping
from datetime import time, timedelta
from typing import Any

from django.db.models import Case, QuerySet, Value, When
from django.utils import timezone

from enrollment.domain.clock import instant
from enrollment.domain.states import LIVE_ENROLLMENT, LessonStatus
from enrollment.models import (
    Course,
    CourseUnit,
    Enrollment,
    Lesson,
    Student,
    Teacher,
    UnitDone,
    User,
)

Values = Mapping[str, Any]


def teacher_rows(found: QuerySet[Teacher]) -> QuerySet[Teacher]:
    """Without those who were deleted: they are nobody any more, and no file brings them back."""
    here = found.filter(user__deleted_at__isnull=True)
    return here.select_related("user").order_by("user__email")


def teacher_values(teacher: Teacher) -> Values:
    role = {"zone": teacher.zone, "display_name": teacher.display_name, "bio": teacher.bio}
    return _user_values(teacher.user) | role


def student_rows(found: QuerySet[Student]) -> QuerySet[Student]:
    here = found.filter(user__deleted_at__isnull=True)
    return here.select_related("user").order_by("user__email")


def student_values(student: Student) -> Values:
    return _user_values(student.user) | {"zone": student.zone}


def _user_values(user: User) -> dict[str, Any]:
    names = ("first_name", "last_name", "language")
    return {"email": user.email.lower()} | {name: getattr(user, name) for name in names}


def course_rows(found: QuerySet[Course]) -> QuerySet[Course]:
    return found.prefetch_related("teachers__user").order_by("slug")


def course_values(course: Course) -> Values:
    plain = ("title", "slug", "description", "lesson_minutes", "seats", "capacity")
    names = (*plain, "opens_on", "closes_on")
    teachers = sorted(teacher.user.email.lower() for teacher in course.teachers.all())
    return {name: getattr(course, name) for name in names} | {"teachers": teachers}


def unit_rows(found: QuerySet[CourseUnit]) -> QuerySet[CourseUnit]:
    return found.select_related("course").order_by("course__slug", "position", "pk")


def unit_values(unit: CourseUnit) -> Values:
    return {"course": unit.course.slug, "title": unit.title, "position": unit.position}


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


def meant_enrollments() -> QuerySet[Enrollment]:
    """One for each student and course, as a file means it that names no day: the live enrollment,
    else the last one."""
    is_over = Case(When(status__in=LIVE_ENROLLMENT, then=Value(0)), default=Value(1))
    in_order = Enrollment.objects.order_by("student_id", "course_id", is_over, "-created_at", "-pk")
    return in_order.distinct("student_id", "course_id")


def progress_rows(found: QuerySet[UnitDone]) -> QuerySet[UnitDone]:
    """Without that of earlier enrollments: a file would bring it to the one that is meant."""
    with_all = found.select_related(
        "enrollment__student__user", "enrollment__course", "unit", "by__teacher"
    ).filter(enrollment__in=meant_enrollments().values("pk"))
    return with_all.order_by("enrollment__student__user__email", "enrollment__course__slug", "pk")


def progress_values(done: UnitDone) -> Values:
    """Who noted it is named where it is a teacher; a file knows nobody else."""
    by = done.by if getattr(done.by, "teacher", None) else None
    return {
        "student": done.enrollment.student.user.email.lower(),
        "course": done.enrollment.course.slug,
        "unit": done.unit.title,
        "done_on": timezone.localdate(done.done_at, timezone.get_default_timezone()),
        "teacher": by.email.lower() if by else None,
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
