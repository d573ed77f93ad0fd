"""A month as weeks of days, with what falls on each. Pure."""

import calendar
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

T = TypeVar("T")

FIRST_YEAR, LAST_YEAR = 2000, 2100


@dataclass(frozen=True, slots=True)
class Cell(Generic[T]):
    on: date
    outside: bool
    today: bool
    entries: Sequence[T]


def weeks_of(
    year: int, month: int, *, today: date, entries: Mapping[date, Sequence[T]]
) -> list[list[Cell[T]]]:
    """Whole weeks from Monday on; days of the neighboring months are there, and marked outside."""
    weeks = calendar.Calendar().monthdatescalendar(year, month)
    return [
        [
            Cell(
                on=day,
                outside=day.month != month,
                today=day == today,
                entries=entries.get(day, ()) if day.month == month else (),
            )
            for day in week
        ]
        for week in weeks
    ]


def shifted(year: int, month: int, by: int) -> date | None:
    """The first day of the month `by` months on; None beyond what the calendar shows."""
    index = year * 12 + month - 1 + by
    return date(index // 12, index % 12 + 1, 1) if FIRST_YEAR <= index // 12 <= LAST_YEAR else None


def grouped(entries: Iterable[tuple[date, T]]) -> dict[date, list[T]]:
    by_day: dict[date, list[T]] = {}
    for day, entry in entries:
        by_day.setdefault(day, []).append(entry)
    return by_day
