"""Who is called when: from the roster, the policy and the clock. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

# Shifts have the numbers 1 to 9; after them everybody is called who may switch off.
EVERYBODY = 10
# A watch that comes back later than this does not make up for the test that it has missed.
LATE = timedelta(hours=6)
# So long there is to answer a test.
TEST_PATIENCE = timedelta(days=1)
WEEK = timedelta(days=7)

Span = tuple[datetime, datetime]


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Half-open. name: as the roster shows it."""

    user: int
    level: int
    starts_at: datetime
    ends_at: datetime
    name: str = ""

    def covers(self, at: datetime) -> bool:
        return self.starts_at <= at < self.ends_at


def on_call(shifts: Iterable[Shift], *, now: datetime) -> dict[int, int]:
    """Number → whose it is now, the first one first. Numbers that nobody has are left out."""
    found = sorted((one.level, one.user) for one in shifts if one.covers(now))
    return dict(found)


def next_level(levels: Iterable[int], *, after: int) -> int | None:
    """Who is called next, when `after` was called already. None: there is nobody left."""
    if after >= EVERYBODY:
        return None
    return min((level for level in levels if level > after), default=EVERYBODY)


def calls(*, severity: int, page_severity: int, is_acknowledged: bool, is_open: bool) -> bool:
    """Whether an incident needs somebody now. 1 is the worst severity."""
    return is_open and not is_acknowledged and severity <= page_severity


def is_hand_over_due(*, shift: Shift, told_at: datetime | None, now: datetime) -> bool:
    return told_at is None and shift.covers(now)


def newest_test(*, now: datetime, zone: ZoneInfo, weekday: int, hour: int) -> datetime:
    """When the last test was to be, on that zone's clock. weekday: 0 is Monday.

    An hour that the clock jumps over is the instant after the jump, one that it has twice the first.
    """
    today = now.astimezone(zone).date()
    day = today - timedelta(days=(today.weekday() - weekday) % 7)
    found = _instant(day, hour, zone)
    return found if found <= now else _instant(day - WEEK, hour, zone)


def _instant(day: date, hour: int, zone: ZoneInfo) -> datetime:
    # In UTC, in which every instant is one, and equal to itself in whatever zone.
    return datetime.combine(day, time(hour), tzinfo=zone).astimezone(UTC)


def is_test_due(
    *, now: datetime, zone: ZoneInfo, weekday: int, hour: int, last: datetime | None
) -> bool:
    """last: when the last one was opened."""
    planned = newest_test(now=now, zone=zone, weekday=weekday, hour=hour)
    return now - planned < LATE and (last is None or last < planned)


def gaps(shifts: Iterable[Shift], *, start: datetime, end: datetime) -> list[Span]:
    """When, from start to end, none of them is on call."""
    found: list[Span] = []
    free_from = start
    for one in sorted(shifts, key=lambda shift: shift.starts_at):
        if one.starts_at >= end:
            break
        if one.starts_at > free_from:
            found.append((free_from, one.starts_at))
        free_from = max(free_from, one.ends_at)
    if free_from < end:
        found.append((free_from, end))
    return found


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a day: somebody's, or nobody's."""

    starts_at: datetime
    ends_at: datetime
    shift: Shift | None = None


def pieces(shifts: Sequence[Shift], *, start: datetime, end: datetime) -> list[Piece]:
    """What one number looks like from start to end, without a hole between two of them."""
    theirs = [
        Piece(starts_at=max(one.starts_at, start), ends_at=min(one.ends_at, end), shift=one)
        for one in shifts
        if one.starts_at < end and one.ends_at > start
    ]
    nobodys = [Piece(starts_at=a, ends_at=b) for a, b in gaps(shifts, start=start, end=end)]
    return sorted([*theirs, *nobodys], key=lambda piece: piece.starts_at)


def days(*, first: date, count: int, zone: ZoneInfo) -> list[tuple[date, Span]]:
    """Each day with its two midnights: 23 or 25 hours where the clock is changed."""
    found = []
    for number in range(count):
        day = first + timedelta(days=number)
        ends = _instant(day + timedelta(days=1), 0, zone)
        found.append((day, (_instant(day, 0, zone), ends)))
    return found
