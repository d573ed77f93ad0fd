"""Until when lessons can be moved and cancelled by their student and teacher."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from enrollment.models import Lesson
from scheduling.domain.policy import Policy
from scheduling.queries.availability import policy_for


class Deadlines(NamedTuple):
    """The last moments; both counted in, and never after the start."""

    move: datetime
    cancel: datetime


def deadlines_of(lessons: Iterable[Lesson]) -> list[tuple[Lesson, Deadlines]]:
    """One query for each teacher and course among them."""
    policies: dict[tuple[int, int], Policy] = {}
    found = []
    for lesson in lessons:
        key = (lesson.teacher_id, lesson.course_id)
        if key not in policies:
            policies[key] = policy_for(teacher=lesson.teacher, course=lesson.course)
        found.append((lesson, deadlines(lesson, policies[key])))
    return found


def deadlines(lesson: Lesson, policy: Policy) -> Deadlines:
    starts_at = lesson.starts_at
    return Deadlines(policy.move_until(starts_at), policy.cancel_until(starts_at))
