"""Who may book, move and cancel, until when, and the locks they take first."""

from datetime import datetime
from enum import StrEnum

from django.db import connection

from enrollment.domain.states import LIVE_ENROLLMENT, LessonStatus
from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.lessons import (
    PersonDeleted,
    lock_people,
    lock_user,
    one_at_a_time,
)
from enrollment.queries.teaching import teachers_of


class BookingRefused(Exception):
    """Why nothing was booked, moved or cancelled. Nothing was written."""


class NotYours(BookingRefused):
    """Neither its student, nor its teacher, nor the office."""


class NotThisTeacher(BookingRefused):
    """They do not teach the course; or a teacher wants to give a lesson to somebody else."""


class EnrollmentNotLive(BookingRefused):
    """No lessons are booked for an enrollment that is over."""


class NotPlanned(BookingRefused):
    """The lesson was cancelled, or has been given, or is only held."""


class TooLate(BookingRefused):
    """It could be moved, or cancelled, until `deadline`; the office still can."""

    def __init__(self, deadline: datetime) -> None:
        super().__init__()
        self.deadline = deadline


class Role(StrEnum):
    STUDENT = "student"
    TEACHER = "teacher"
    OFFICE = "office"


def is_office(user: User) -> bool:
    """Who may change any lesson in the admin may do so here."""
    return user.is_staff and user.has_perm("enrollment.change_lesson")


def role_with_lesson(*, by: User, lesson: Lesson) -> Role:
    """:raises NotYours:"""
    if is_office(by):
        return Role.OFFICE
    if lesson.student.user_id == by.pk:
        return Role.STUDENT
    if lesson.teacher.user_id == by.pk:
        return Role.TEACHER
    raise NotYours


def role_with_enrollment(*, by: User, enrollment: Enrollment) -> Role:
    """:raises NotYours:"""
    if is_office(by):
        return Role.OFFICE
    if enrollment.student.user_id == by.pk:
        return Role.STUDENT
    if teachers_of(enrollment).filter(user=by).exists():
        return Role.TEACHER
    raise NotYours


def check_teacher(
    *, role: Role, by: User, teacher: Teacher, course: Course, own: Teacher | None = None
) -> None:
    """own: who gives the lesson that is moved; to stay with them is always possible.

    :raises NotThisTeacher: a teacher gives their own time only; a substitute is the office's matter.
    """
    if role == Role.OFFICE:
        return
    if role == Role.TEACHER and teacher.user_id != by.pk:
        raise NotThisTeacher
    if teacher != own and not course.teachers.contains(teacher):
        raise NotThisTeacher


def check_in_time(*, role: Role, deadline: datetime, lesson: Lesson, now: datetime) -> None:
    """:raises TooLate:"""
    if role != Role.OFFICE and (now > deadline or now >= lesson.starts_at):
        raise TooLate(deadline)


def check_planned(lesson: Lesson) -> None:
    """:raises NotPlanned:"""
    if lesson.status != LessonStatus.PLANNED:
        raise NotPlanned


def lock_person_and_student(*, by: User, student: Student) -> None:
    """First of all, in this order. Whatever is booked, moved or cancelled of one student by anybody
    comes one after the other: what is read of their lessons after this is true until the end.

    :raises PersonDeleted:
    """
    lock_user(user=by)
    one_at_a_time(student=student)


def keep_teacher(*, role: Role, teacher: Teacher, course: Course) -> None:
    """Nobody deletes this teacher meanwhile: that needs all their courses. The office may plan with
    somebody of another course, and takes the teacher's own row.

    The course is shared, so that many may book in it at once; only an enrollment or a deletion waits.

    :raises PersonDeleted:
    """
    if role == Role.OFFICE:
        lock_people(students=[], teachers=[teacher.pk])
        return
    with connection.cursor() as cursor:
        # Django knows no FOR SHARE.
        cursor.execute("SELECT FROM enrollment_course WHERE id = %s FOR SHARE", [course.pk])
    if User.objects.filter(teacher=teacher, deleted_at__isnull=False).exists():
        raise PersonDeleted


def lock_live(enrollment: Enrollment) -> Enrollment:
    """After people, course and teacher; before the lesson.

    :raises EnrollmentNotLive:
    """
    rows = Enrollment.objects.select_for_update(of=("self",), no_key=True)
    locked = rows.select_related("student__user", "course").get(pk=enrollment.pk)
    if locked.status not in LIVE_ENROLLMENT:
        raise EnrollmentNotLive
    return locked
