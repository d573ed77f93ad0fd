"""Whether a slot may be booked: the question every way of booking asks, under the locks it needs."""

from dataclasses import replace
from datetime import datetime

from enrollment.models import Course, Lesson, Student, Teacher
from enrollment.operations.lessons import SlotTaken, Terms, lock_teacher
from scheduling.domain.clock import Period
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
            only=starts_at,
            apart_from=apart_from,
        )

    known = found()
    if not known.slots():
        raise SlotTaken
    group = known.group_at(starts_at)
    if known.policy.has_limits or course.seats > 1 or group:
        lock_teacher(teacher=teacher)
        # Once more: somebody may have been faster while this waited.
        known = found()
        group = known.group_at(starts_at)
        if not known.slots():
            raise SlotTaken
    agreed = terms(course, known.policy, slot=known.slots()[0])
    # The course may have changed since the group was agreed. Its buffers come with it.
    return replace(agreed, seats=group.seats) if group else agreed


def terms(course: Course, policy: Policy, *, slot: Period) -> Terms:
    """slot: as it was offered. A group that was agreed before the policy changed keeps its length."""
    return Terms(
        minutes=(slot[1] - slot[0]) // 60,
        seats=course.seats,
        buffer_before=policy.buffer_before,
        buffer_after=policy.buffer_after,
    )
