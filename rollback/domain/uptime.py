"""How much of a day a part of the school was there, from what was counted. Pure.

Only minutes of which something is known count: in which the watch counted anything at all, or in which
the part was taken away for everybody. Of these, those are down in which too many requests failed, or it was
away. So a day of which nothing is known has no share; a school that stood still is a gap.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

# More than one in twenty requests of a minute failed: the minute is down.
BAD_SHARE = 0.05
SHORT = 0.99  # of a day with troubles no longer than this leaves them short
MINUTE = 60  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """on: a date in the school's zone. down_minutes: of the known ones."""

    on: date
    known_minutes: int = 0
    down_minutes: int = 0

    @property
    def share(self) -> float | None:
        return share_of([self])

    @property
    def look(self) -> str:
        """How it is drawn: "none", "up", "short" or "long"."""
        if not self.known_minutes:
            return "none"
        if not self.down_minutes:
            return "up"
        up = self.known_minutes - self.down_minutes
        return "short" if up >= SHORT * self.known_minutes else "long"


@dataclass(frozen=True, slots=True)
class Stretch:
    """begins_at is aware; seconds: a minute, or an hour where no more is known."""

    begins_at: datetime
    seconds: int = MINUTE


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` on the flag reaches somebody, or nobody."""

    at: datetime
    reaches: bool


@dataclass(frozen=True, slots=True)
class History:
    """Of one flag. reached: whether it reached somebody before its first change."""

    reached: bool
    changes: Sequence[Change] = ()


@dataclass(frozen=True, slots=True)
class Away:
    """since: from when on anybody had it; None: nobody ever. periods: half-open, in order; the last
    may have no end."""

    since: datetime | None
    periods: Sequence[tuple[datetime, datetime | None]] = ()


LONG_AGO = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
ALWAYS_THERE = Away(LONG_AGO)


def away(histories: Sequence[History]) -> Away:
    """Of a flag and its masters: while one of them reaches nobody, nobody has it.

    Before anybody had it for the first time nothing was taken away.
    """
    reaches = [history.reached for history in histories]
    steps = [
        (change.at, who, change.reaches)
        for who, history in enumerate(histories)
        for change in history.changes
    ]
    since = LONG_AGO if all(reaches) else None
    left_at: datetime | None = None
    periods: list[tuple[datetime, datetime | None]] = []
    # All of one moment together, each flag's in their order: what lasted no time was not.
    for at, together in groupby(sorted(steps, key=_when), key=_when):
        for _, who, now_reaches in together:
            reaches[who] = now_reaches
        if all(reaches):
            since = since or at
            if left_at is not None:
                periods.append((left_at, at))
            left_at = None
        elif since is not None and left_at is None:
            left_at = at
    if left_at is not None:
        periods.append((left_at, None))
    return Away(since, periods)


def _when(step: tuple[datetime, int, bool]) -> datetime:
    return step[0]


def day_of(
    *,
    on: date,
    begins_at: datetime,
    ends_at: datetime,
    watched: Iterable[Stretch],
    failed: Iterable[Stretch],
    away: Away,
) -> Day:
    """ends_at: the end of the day, or now: a minute that is not over does not count.

    A minute that began while it was away was away.
    """
    if away.since is None:
        return Day(on=on)
    first, end = _minute(begins_at), _minute(ends_at)
    there_from = _minute(away.since)
    seen = _minutes(watched, first=max(first, there_from), end=end)
    gone = {
        minute
        for left_at, back_at in away.periods
        for minute in range(
            max(first, _first_in(left_at)), end if back_at is None else min(end, _first_in(back_at))
        )
    }
    down = (_minutes(failed, first=first, end=end) & seen) | gone
    return Day(on=on, known_minutes=len(seen | gone), down_minutes=len(down))


def share_of(days: Iterable[Day]) -> float | None:
    """Of all known minutes of these days; None where nothing is known."""
    known = down = 0
    for day in days:
        known += day.known_minutes
        down += day.down_minutes
    return (known - down) / known if known else None


def is_bad(*, total: int, bad: int) -> bool:
    return bad > BAD_SHARE * total


def by_day(stretches: Iterable[Stretch], *, days: Mapping[date, tuple[datetime, datetime]]) -> (
    Mapping[date, list[Stretch]]
):  # fmt: skip
    """An hour that belongs to two days stands in both."""
    found: dict[date, list[Stretch]] = {on: [] for on in days}
    order = sorted(days.items(), key=lambda item: item[1])
    place = 0
    for one in sorted(stretches, key=lambda one: one.begins_at):
        while place < len(order) and order[place][1][1] <= one.begins_at:
            place += 1
        for on, (begins_at, _) in order[place : place + 2]:
            if begins_at < one.begins_at + timedelta(seconds=one.seconds):
                found[on].append(one)
    return found


def _minutes(stretches: Iterable[Stretch], *, first: int, end: int) -> set[int]:
    return {
        minute
        for one in stretches
        for minute in range(
            max(first, _minute(one.begins_at)),
            min(end, _minute(one.begins_at) + one.seconds // MINUTE),
        )
    }


def _minute(at: datetime) -> int:
    return int(at.timestamp() // MINUTE)


def _first_in(at: datetime) -> int:
    """The first minute that begins at `at` or later."""
    return int(-(-at.timestamp() // MINUTE))
