"""Which times near a wished one are free, on the teacher's wall clock. Pure.

Periods are half-open and in whole epoch seconds, as the database hands them out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from enrollment.domain.clock import NoSuchTime, instant, instant_or_instead

Period = tuple[int, int]

# Nobody is offered a lesson at three in the morning, unless it was asked for.
OPENS, CLOSES = time(7), time(21)
STEP = timedelta(minutes=15)
SAME_DAY = 4
OTHER_DAYS = 3
WEEK = 7


class Group(NamedTuple):
    """A group lesson with an open seat: in the way of whatever touches `busy`, but not of who joins."""

    period: Period
    busy: Period


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A lesson's start on the teacher's clock, and its length. It need not exist: see NoSuchTime."""

    on: date
    at: time
    zone: str
    length: timedelta

    def starts_at(self) -> datetime:
        return instant_or_instead(on=self.on, at=self.at, zone=self.zone)


def is_free(
    busy: Iterable[Period],
    *,
    starts_at: datetime,
    length: timedelta,
    groups: Iterable[Group] = (),
) -> bool:
    start = int(starts_at.timestamp())
    end = start + int(length.total_seconds())
    blocks = [*busy, *(group.busy for group in groups if group.period != (start, end))]
    return not any(since < end and start < until for since, until in blocks)


def free_nearby(
    wish: Wish,
    *,
    busy: Sequence[Period],
    groups: Sequence[Group] = (),
    earliest: datetime | None = None,
    days: int = WEEK,
) -> list[datetime]:
    """What to offer instead, in UTC: the nearest of the same day, then the same time on other days.

    Of the same day every quarter of an hour counts that lies in the office's hours, or beyond them
    as far as the wished time itself; the nearest come first, the earlier of two that are as near.
    Of the `days` after it the first few count, and always the same weekday a week later.
    Nothing begins before `earliest`.
    """

    def offered(start: datetime) -> bool:
        in_time = earliest is None or start >= earliest
        return in_time and is_free(busy, starts_at=start, length=wish.length, groups=groups)

    wished = wish.starts_at()
    that_day = sorted(
        {start for start in _grid(wish) if start != wished and offered(start)},
        key=lambda start: (abs(start - wished), start),
    )
    after = [(day, start) for day, start in _same_time(wish, days=days) if offered(start)]
    soon = [start for day, start in after if day < WEEK][:OTHER_DAYS]
    in_a_week = [start for day, start in after if day == WEEK]
    return [*that_day[:SAME_DAY], *soon, *in_a_week]


def _grid(wish: Wish) -> Iterator[datetime]:
    """Steps before and after the wished time, as the clock on the wall shows them."""
    wished, step = _minute(wish.at), _minutes(STEP)
    first = min(_minute(OPENS), wished)
    last = max(_minute(CLOSES) - _minutes(wish.length), wished)
    for minute in range(wished - (wished - first) // step * step, last + 1, step):
        start = _at(wish, wish.on, time(minute // 60, minute % 60))
        if start is not None:
            yield start


def _same_time(wish: Wish, *, days: int) -> Iterator[tuple[int, datetime]]:
    for day in range(1, days + 1):
        start = _at(wish, wish.on + timedelta(days=day), wish.at)
        if start is not None:
            yield day, start


def _at(wish: Wish, on: date, at: time) -> datetime | None:
    try:
        return instant(on=on, at=at, zone=wish.zone)
    except NoSuchTime:
        return None


def _minute(at: time) -> int:
    return at.hour * 60 + at.minute


def _minutes(length: timedelta) -> int:
    """Rounded up, so that a lesson of a fraction more is over in time."""
    return -int(-length.total_seconds() // 60)
