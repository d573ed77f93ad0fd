"""A year at a glance: twelve months of whole weeks, Monday first. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

from holidays.domain.days import days_between

T = TypeVar("T")
WEEK = 7


@dataclass(frozen=True, slots=True)
class Day(Generic[T]):
    on: date
    found: tuple[T, ...]


@dataclass(frozen=True, slots=True)
class Month(Generic[T]):
    """weeks: None stands where the month has no day."""

    first_on: date
    weeks: tuple[tuple[Day[T] | None, ...], ...]


def spread(
    spans: Iterable[tuple[date, date, T]], *, first: date, last: date
) -> dict[date, list[T]]:
    """What there is on each date from `first` to `last`, in the order given; both ends counted."""
    by_day: dict[date, list[T]] = {}
    for begins, ends, what in spans:
        for day in days_between(max(begins, first), min(ends, last)):
            by_day.setdefault(day, []).append(what)
    return by_day


def months(year: int, by_day: Mapping[date, Iterable[T]]) -> Iterator[Month[T]]:
    for number in range(1, 13):
        first = date(year, number, 1)
        after = date(year + 1, 1, 1) if number == 12 else date(year, number + 1, 1)
        days: list[Day[T] | None] = [None] * first.weekday()
        for offset in range((after - first).days):
            on = date(year, number, offset + 1)
            days.append(Day(on, tuple(by_day.get(on, ()))))
        days += [None] * (-len(days) % WEEK)
        weeks = (tuple(days[at : at + WEEK]) for at in range(0, len(days), WEEK))
        yield Month(first, tuple(weeks))
