"""What a program books for a student: whichever step of the way it is."""

from datetime import datetime

from django.db import transaction

from enrollment.models import Course, Lesson, Student, Teacher, User
from enrollment.operations.enroll import live_enrollment
from enrollment.operations.lessons import lock_user, one_at_a_time
from scheduling.operations import flow
from scheduling.operations.booking import book_lesson


@transaction.atomic
def book(
    *,
    student: Student,
    course: Course,
    teacher: Teacher,
    starts_at: datetime,
    wished_times: str,
    note: str,
    by: User,
    now: datetime,
) -> Lesson:
    """One more lesson of the student's enrollment; without one, the enrollment with its first.

    :raises EnrollmentRefused:
    :raises BookingRefused:
    :raises SlotTaken:
    :raises HoldExpired:
    """
    # Of two requests the second waits here, and then books in the enrollment that the first made.
    lock_user(user=by)
    one_at_a_time(student=student)
    enrollment = live_enrollment(student=student, course=course)
    if enrollment is not None:
        return book_lesson(
            enrollment=enrollment, teacher=teacher, starts_at=starts_at, by=by, now=now
        )
    made = flow.finish(
        student=student,
        course=course,
        teacher=teacher,
        starts_at=starts_at,
        wished_times=wished_times,
        note=note,
        now=now,
    )
    return Lesson.objects.get(enrollment=made)
