"""Making an enrollment: the one way in, for both flows and the office."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from enrollment import sockets
from enrollment.domain.states import LIVE_ENROLLMENT, LessonStatus
from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from enrollment.operations import confirmations
from enrollment.operations.lessons import describe, one_at_a_time, turn_hold_into_lesson

HOURLY_LIMIT = 20


class EnrollmentRefused(Exception):
    """Why no enrollment was made. Nothing was written."""


class CourseClosed(EnrollmentRefused):
    """Today is outside the course's enrollment days."""


class CourseFull(EnrollmentRefused):
    """Every place of the course is taken."""


class TeacherNotOfCourse(EnrollmentRefused):
    """The wished teacher does not teach this course."""


class TooManyEnrollments(EnrollmentRefused):
    """This student made more than HOURLY_LIMIT enrollments within an hour."""


class ChangedElsewhere(EnrollmentRefused):
    """Something else is saved than the posted page showed; the student has to choose."""


class AlreadyEnrolled(EnrollmentRefused):
    """The student has a live enrollment in this course: `enrollment`."""

    def __init__(self, enrollment: Enrollment) -> None:
        super().__init__()
        self.enrollment = enrollment


def live_enrollment(*, student: Student, course: Course) -> Enrollment | None:
    return Enrollment.objects.filter(
        student=student, course=course, status__in=LIVE_ENROLLMENT
    ).first()


@transaction.atomic
def enroll(
    *,
    student: Student,
    course: Course,
    teacher: Teacher | None,
    wished_times: str,
    note: str,
    flow: str,
    now: datetime,
    hold: Lesson | None = None,
    posted: Mapping[str, str] | None = None,
) -> Enrollment:
    """One live enrollment for a student and course, within the course's places.

    posted: the student's own page, as it was posted; None where no page of theirs is behind it.

    With `hold`, the held slot becomes the first lesson. Without, a slot this student still holds
    for the course stays held until it runs out and is named to the office.

    :raises EnrollmentRefused: a subclass says which rule.
    :raises HoldExpired: the held slot is no longer held.
    """
    # Student before course, everywhere. Whatever is still being saved for this student comes
    # before or after this enrollment, never in the middle.
    one_at_a_time(student=student)
    # Serializes enrollments of one course: capacity cannot be counted without it.
    course = lock_course(course=course)
    check_can_enroll(student=student, course=course, teacher=teacher, now=now)
    if posted is not None and sockets.keeper().is_stale(
        student=student, course=course, posted=posted
    ):
        raise ChangedElsewhere
    enrollment = Enrollment.objects.create(
        student=student,
        course=course,
        teacher=teacher,
        wished_times=wished_times,
        note=note,
        flow=flow,
        created_at=now,
    )
    if hold is not None:
        turn_hold_into_lesson(hold=hold, enrollment=enrollment, now=now)
    else:
        _name_open_hold(enrollment, now=now)
    sockets.keeper().finished(enrollment=enrollment)
    # Robust: the enrollment is made by then, and whatever the queue says must not become an error page.
    transaction.on_commit(confirmations.wake, robust=True)
    return enrollment


def lock_course(*, course: Course) -> Course:
    """As it is now, and so until this transaction ends."""
    return Course.objects.select_for_update(no_key=True).get(pk=course.pk)


def check_can_enroll(
    *, student: Student, course: Course, teacher: Teacher | None, now: datetime
) -> None:
    """:raises EnrollmentRefused:"""
    if (existing := live_enrollment(student=student, course=course)) is not None:
        raise AlreadyEnrolled(existing)
    if not course.is_open(today=timezone.localdate(now)):
        raise CourseClosed
    if teacher is not None and not course.teachers.filter(pk=teacher.pk).exists():
        raise TeacherNotOfCourse
    recent = Enrollment.objects.filter(student=student, created_at__gt=now - timedelta(hours=1))
    if recent.exclude(flow=Enrollment.Flow.OFFICE).count() >= HOURLY_LIMIT:
        raise TooManyEnrollments
    taken = course.enrollments.filter(status__in=LIVE_ENROLLMENT).count()
    free = course.capacity - taken
    # Asked only while there is a place at all.
    if free <= 0 or free <= sockets.reserved_places(course=course, apart_from=student, now=now):
        raise CourseFull


def _name_open_hold(enrollment: Enrollment, *, now: datetime) -> None:
    hold = (
        Lesson.objects.select_related("teacher")
        .filter(
            student=enrollment.student,
            course=enrollment.course,
            status=LessonStatus.HELD,
            expires_at__gt=now,
        )
        .first()
    )
    if hold is None or hold.expires_at is None:
        return
    Lesson.objects.filter(pk=hold.pk).update(enrollment=enrollment)
    until = timezone.localtime(hold.expires_at)
    enrollment.office_note = (
        f"Held for this student until {until:%Y-%m-%d %H:%M} ({timezone.get_current_timezone_name()}): "
        f"{describe(hold)} with {hold.teacher}."
    )
    enrollment.save(update_fields=["office_note"])
