"""The nearest free times, from lessons and live holds alone: hours are a feature, this is not."""

from datetime import datetime, timedelta

from enrollment.domain.nearby import WEEK, Wish, free_nearby
from enrollment.models import Course, Lesson, Student, Teacher
from enrollment.queries.busy import as_blocks, busy_of

# A day of the teacher's is never longer, wherever the clocks change.
DAY = timedelta(hours=28)


def nearest_free_times(
    wish: Wish,
    *,
    teacher: Teacher,
    student: Student,
    now: datetime,
    apart_from: Lesson | None = None,
    course: Course | None = None,
) -> list[datetime]:
    """When both are free, as `free_nearby` orders it. The past is offered to the past only.

    apart_from, course: as `clashing_lesson` takes them.
    """
    wished = wish.starts_at()
    busy = busy_of(
        teacher=teacher,
        student=student,
        since=wished - DAY,
        until=wished + timedelta(days=WEEK) + DAY + wish.length,
        now=now,
        apart_from=apart_from,
        course=course,
    )
    blocks, groups = as_blocks(busy)
    return free_nearby(wish, busy=blocks, groups=groups, earliest=now if wished >= now else None)
