"""A month of which one day is looked at more closely: what is free on each, and why not. Pure."""

import calendar
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from scheduling.domain.reasons import Why

Reason = tuple[Why, str]
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PickDay:
    """free: how many times. why: of a day without any; None where the reason is on another clock's
    date. note: a holiday's name."""

    on: date
    free: int
    why: Why | None = None
    note: str = ""
    today: bool = False
    chosen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Days of one month that lack the same."""

    why: Why
    note: str
    days: Sequence[date]


def weeks(
    month: date,
    *,
    free: Mapping[date, int],
    why: Mapping[date, Reason],
    first: date,
    last: date,
    chosen: date | None,
) -> list[list[PickDay | None]]:
    """Whole weeks from Monday on; None is a neighboring month's. first: today; last: of what can be
    booked."""

    def day(on: date) -> PickDay | None:
        if on.month != month.month:
            return None
        count = free.get(on, 0)
        reason, note = (None, "") if count else _why(on, why, first=first, last=last)
        return PickDay(
            on=on, free=count, why=reason, note=note, today=on == first, chosen=on == chosen
        )

    every = calendar.Calendar().monthdatescalendar(month.year, month.month)
    return [[day(on) for on in week] for week in every]


def _why(
    on: date, why: Mapping[date, Reason], *, first: date, last: date
) -> tuple[Why | None, str]:
    if on < first:
        return Why.PAST, ""
    if on > last:
        return Why.HORIZON, ""
    return why.get(on, (None, ""))


def grouped(days: Iterable[PickDay]) -> list[Closed]:
    """The days that are still to come, by what they lack; what most lack comes last, as it says least."""
    found: dict[Reason, list[date]] = {}
    for day in days:
        if day.why not in (None, Why.PAST):
            assert day.why is not None
            found.setdefault((day.why, day.note), []).append(day.on)
    every = [Closed(why=why, note=note, days=on) for (why, note), on in found.items()]
    return sorted(every, key=lambda one: len(one.days))


def month_of(day: date) -> date:
    return day.replace(day=1)


def month_after(month: date) -> date:
    return month_of(month + 31 * DAY)


def month_before(month: date) -> date:
    return month_of(month - DAY)


def months(first: date, last: date) -> list[date]:
    """Those that have a day from `first` to `last`, both counted."""
    found = [month_of(first)]
    while (following := month_after(found[-1])) <= last:
        found.append(following)
    return found


def next_day(days: Iterable[date], *, after: date) -> date | None:
    return min((day for day in days if day > after), default=None)
