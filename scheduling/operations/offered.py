"""Whether a slot may be booked: the question every way of booking asks, under the locks it needs."""

from datetime import datetime, timedelta

from enrollment.models import Course, Lesson, Student, Teacher
from enrollment.operations.lessons import SlotTaken, Terms, lock_teacher
from scheduling.domain.policy import Policy
from scheduling.queries.availability import Availability, availability


def check_offered(
    *,
    teacher: Teacher,
    course: Course,
    student: Student,
    starts_at: datetime,
    now: datetime,
    apart_from: Lesson | None = None,
) -> Terms:
    """Inside a transaction; takes the teacher's lock where lessons are counted.

    :raises SlotTaken: it is not, or no longer, offered.
    """

    def found() -> Availability:
        return availability(
            teacher=teacher,
            course=course,
            student=student,
            now=now,
            since=starts_at,
            until=starts_at + timedelta(seconds=1),
            apart_from=apart_from,
        )

    known = found()
    if known.slots() and (known.policy.has_limits or course.seats > 1):
        lock_teacher(teacher=teacher)
        # Once more: somebody may have been faster while this waited.
        known = found()
    if starts_at.microsecond or not known.slots():
        raise SlotTaken
    return terms(course, known.policy)


def terms(course: Course, policy: Policy) -> Terms:
    return Terms(
        minutes=policy.lesson_minutes,
        seats=course.seats,
        buffer_before=policy.buffer_before,
        buffer_after=policy.buffer_after,
    )
