"""What is free instead of a time that is not."""

from datetime import datetime

from enrollment.models import Course, Lesson, Student, Teacher
from scheduling.domain.clock import Period
from scheduling.domain.slots import nearest
from scheduling.queries.availability import free_slots

ALTERNATIVES = 5


def nearest_alternatives(
    *,
    teacher: Teacher,
    course: Course,
    student: Student | None,
    wanted: datetime,
    now: datetime,
    count: int = ALTERNATIVES,
    apart_from: Lesson | None = None,
) -> list[Period]:
    """The free slots that start closest to `wanted`, in order of time."""
    free = free_slots(
        teacher=teacher, course=course, student=student, now=now, apart_from=apart_from
    )
    others = [slot for slot in free if slot[0] != wanted.timestamp()]
    return nearest(others, wanted=int(wanted.timestamp()), count=count)
