"""Weeks, days and what is left of them between lessons. Pure."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

# What the office's pages can be asked for; beyond lies nothing but overflowing dates.
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def every(first: date, *, weeks: int, count: int) -> list[date]:
    """`count` days, each so many weeks after the one before."""
    return [first + timedelta(weeks=weeks * number) for number in range(count)]


def gaps(
    periods: Iterable[tuple[datetime, datetime]],
    *,
    opens: datetime,
    closes: datetime,
    shortest: timedelta,
) -> Iterator[tuple[datetime, datetime]]:
    """What is free between `opens` and `closes`, in order; `periods` may be in any, and overlap."""
    free_from = opens
    for start, end in sorted(periods):
        if min(start, closes) - free_from >= shortest:
            yield free_from, min(start, closes)
        free_from = max(free_from, end)
    if closes - free_from >= shortest:
        yield free_from, closes
