"""Months as whole weeks, and what lies before and after. Pure."""

import calendar
from collections.abc import Hashable, Iterable
from datetime import date
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

FIRST_YEAR, LAST_YEAR = 2000, 2100
FIRST_DAY, LAST_DAY = date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31)


def weeks_of(year: int, month: int) -> list[list[date]]:
    """From Monday on; days of the neighboring months fill the first and the last."""
    return calendar.Calendar().monthdatescalendar(year, month)


def shifted(year: int, month: int, by: int) -> date | None:
    """The first day of the month `by` months on; None beyond what the calendar shows."""
    index = year * 12 + month - 1 + by
    return date(index // 12, index % 12 + 1, 1) if FIRST_YEAR <= index // 12 <= LAST_YEAR else None


def last_of(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def grouped(entries: Iterable[tuple[K, T]]) -> dict[K, list[T]]:
    by_key: dict[K, list[T]] = {}
    for key, entry in entries:
        by_key.setdefault(key, []).append(entry)
    return by_key
