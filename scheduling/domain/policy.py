"""What may be booked, how closely together, and until when it may be changed. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

from scheduling.domain.clock import Period

HORIZON_DAYS = 28
MOST_HORIZON_DAYS = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules for one teacher and course.

    step_minutes: between two starts; 0 is the lesson's length. most_a_day, most_a_week: lessons on
    the teacher's calendar, weeks begin on Monday; 0 is no limit. horizon_days: the last day that can
    be booked is so many days after today, in the dates of who books. notices: how long before its
    start a lesson can be booked, cancelled or moved at the latest.
    """

    lesson_minutes: int
    step_minutes: int = 0
    buffer_before: int = 0
    buffer_after: int = 0
    notice_minutes: int = 0
    horizon_days: int = HORIZON_DAYS
    most_a_day: int = 0
    most_a_week: int = 0
    cancel_notice_hours: int = 24
    move_notice_hours: int = 24
    automatic_moves: int = 0

    @property
    def length(self) -> int:
        """Seconds."""
        return self.lesson_minutes * 60

    @property
    def step(self) -> int:
        """Seconds."""
        return (self.step_minutes or self.lesson_minutes) * 60

    @property
    def has_limits(self) -> bool:
        return bool(self.most_a_day or self.most_a_week)

    def move_until(self, starts_at: datetime) -> datetime:
        """The last moment at which a lesson that starts then can be moved."""
        return starts_at - timedelta(hours=self.move_notice_hours)

    def cancel_until(self, starts_at: datetime) -> datetime:
        return starts_at - timedelta(hours=self.cancel_notice_hours)

    def around_each(self, busy: Iterable[Period]) -> list[Period]:
        """Where a new lesson may not be because of those, which have their own buffers inside."""
        after, before = self.buffer_after * 60, self.buffer_before * 60
        return [(start - after, end + before) for start, end in busy]


# In the order in which they are written in rows.
NAMES = tuple(field.name for field in fields(Policy))
UNSAID = -1


def merged(base: Policy, rows: Iterable[tuple[int, ...]]) -> Policy:
    """rows: from the farthest to the nearest, values in order of NAMES, UNSAID where not said."""
    said = {
        name: value
        for row in rows
        for name, value in zip(NAMES, row, strict=True)
        if value != UNSAID
    }
    return replace(base, **said) if said else base
