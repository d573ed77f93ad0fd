"""Until when lessons can be moved and cancelled by their student and teacher."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from enrollment.models import Lesson
from scheduling.domain.policy import Policy
from scheduling.queries.policies import policies_of


class Deadlines(NamedTuple):
    """The last moments; both counted in, and never after the start."""

    move: datetime
    cancel: datetime


def deadlines_of(lessons: Iterable[Lesson]) -> list[tuple[Lesson, Deadlines]]:
    """One query, and none without lessons."""
    asked = list(lessons)
    if not asked:
        return []
    policies = policies_of({(one.teacher_id, one.course) for one in asked})
    return [(one, deadlines(one, policies[one.teacher_id, one.course_id])) for one in asked]


def deadlines(lesson: Lesson, policy: Policy) -> Deadlines:
    starts_at = lesson.starts_at
    return Deadlines(policy.move_until(starts_at), policy.cancel_until(starts_at))
