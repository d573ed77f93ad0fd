"""Many lessons of one enrollment at once: all of them, or none."""

from collections.abc import Sequence
from datetime import datetime

from django.db import OperationalError, transaction
from psycopg.errors import DeadlockDetected

from enrollment.models import Enrollment, Lesson, Teacher, User
from enrollment.operations import look_again
from enrollment.operations.lessons import SlotTaken, plan_lesson
from enrollment.operations.office import lock_for_lessons


def plan_series(
    *,
    enrollment: Enrollment,
    teacher: Teacher,
    starts: Sequence[datetime],
    now: datetime,
    by: User | None = None,
) -> list[Lesson]:
    """In order of time, so that two series in each other's way wait once and never block each other.

    :raises EnrollmentNotLive:
    :raises PersonDeleted:
    :raises SlotTaken: nothing was written.
    """
    try:
        return _plan_all(enrollment, teacher, sorted(starts), now, by)
    except OperationalError as error:
        # A lesson moved by hand at the same moment: an UPDATE cannot say ON CONFLICT DO NOTHING.
        if isinstance(error.__cause__, DeadlockDetected):
            raise SlotTaken from error
        raise


@transaction.atomic
def _plan_all(
    enrollment: Enrollment,
    teacher: Teacher,
    starts: Sequence[datetime],
    now: datetime,
    by: User | None,
) -> list[Lesson]:
    # The same button pressed twice: the second waits here, and then meets the first one's lessons.
    live = lock_for_lessons(enrollment=enrollment, teacher=teacher)
    look_again.after_commit()
    return [
        plan_lesson(enrollment=live, teacher=teacher, starts_at=start, now=now, by=by)
        for start in starts
    ]
