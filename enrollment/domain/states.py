"""The state machines of the ground floor, as tables. Pure: no Django, no clock.

docs/reference/states.md is drawn from these tables by `manage.py draw_states`; a test compares it.
"""

from collections.abc import Mapping
from enum import StrEnum


class EnrollmentStatus(StrEnum):
    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    COMPLETED = "completed"
    DECLINED = "declined"
    CANCELLED = "cancelled"


class LessonStatus(StrEnum):
    HELD = "held"
    PLANNED = "planned"
    DONE = "done"
    CANCELLED = "cancelled"


class ConflictStatus(StrEnum):
    OPEN = "open"
    DISMISSED = "dismissed"
    RESOLVED = "resolved"


ENROLLMENT_STEPS: Mapping[str, frozenset[str]] = {
    EnrollmentStatus.REQUESTED: frozenset(
        {EnrollmentStatus.CONFIRMED, EnrollmentStatus.DECLINED, EnrollmentStatus.CANCELLED}
    ),
    EnrollmentStatus.CONFIRMED: frozenset({EnrollmentStatus.COMPLETED, EnrollmentStatus.CANCELLED}),
    EnrollmentStatus.COMPLETED: frozenset(),
    EnrollmentStatus.DECLINED: frozenset(),
    EnrollmentStatus.CANCELLED: frozenset(),
}

# A hold that runs out is deleted, not cancelled: nothing was ever agreed.
LESSON_STEPS: Mapping[str, frozenset[str]] = {
    LessonStatus.HELD: frozenset({LessonStatus.PLANNED}),
    LessonStatus.PLANNED: frozenset({LessonStatus.DONE, LessonStatus.CANCELLED}),
    LessonStatus.DONE: frozenset(),
    LessonStatus.CANCELLED: frozenset(),
}

# What a person keeps as it is ends when it is found no more, and may be looked at again.
CONFLICT_STEPS: Mapping[str, frozenset[str]] = {
    ConflictStatus.OPEN: frozenset({ConflictStatus.DISMISSED, ConflictStatus.RESOLVED}),
    ConflictStatus.DISMISSED: frozenset({ConflictStatus.OPEN, ConflictStatus.RESOLVED}),
    ConflictStatus.RESOLVED: frozenset(),
}

# Takes a place in the course; at most one for a student and course.
LIVE_ENROLLMENT = (EnrollmentStatus.REQUESTED, EnrollmentStatus.CONFIRMED)


class StepNotAllowed(Exception):
    """The state machine has no arrow from `before` to `after`."""

    def __init__(self, *, before: str, after: str) -> None:
        super().__init__(f"A step from {before} to {after} is not allowed.")
        self.before = before
        self.after = after


def check_step(steps: Mapping[str, frozenset[str]], *, before: str, after: str) -> None:
    """Staying where one is counts as no step.

    :raises StepNotAllowed:
    """
    if before != after and after not in steps[before]:
        raise StepNotAllowed(before=before, after=after)
