"""Free slots arranged for somebody who looks: by day and week of their own calendar. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from scheduling.domain.choice import as_text
from scheduling.domain.clock import Period


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot on two clocks. `theirs` is None where the teacher's clock shows the same."""

    starts: datetime
    ends: datetime
    theirs: datetime | None

    @property
    def value(self) -> str:
        return as_text(self.starts)


@dataclass(frozen=True, slots=True)
class Day:
    on: date
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Week:
    """`first_on` is its Monday, `last_on` its Sunday."""

    first_on: date
    slots: int

    @property
    def last_on(self) -> date:
        return self.first_on + timedelta(days=6)


def by_day(periods: Sequence[Period], *, zone: ZoneInfo, theirs: ZoneInfo) -> list[Day]:
    """Days of the looking person's `zone`, in order; only days that have a slot."""
    slots = [slot(period, zone=zone, theirs=theirs) for period in periods]
    return [
        Day(on=on, slots=tuple(of_day))
        for on, of_day in groupby(slots, key=lambda slot: slot.starts.date())
    ]


def slot(period: Period, *, zone: ZoneInfo, theirs: ZoneInfo) -> Slot:
    starts, ends = (datetime.fromtimestamp(second, UTC).astimezone(zone) for second in period)
    there = starts.astimezone(theirs)
    same = there.replace(tzinfo=None) == starts.replace(tzinfo=None)
    return Slot(starts=starts, ends=ends, theirs=None if same else there)


def weeks(periods: Sequence[Period], *, zone: ZoneInfo, first: date, last: date) -> list[Week]:
    """Every calendar week from `first` to `last`, with how many slots it has."""
    counts: dict[date, int] = {}
    for start, _end in periods:
        week = monday(datetime.fromtimestamp(start, zone).date())
        counts[week] = counts.get(week, 0) + 1
    number = (monday(last) - monday(first)).days // 7 + 1
    every = (monday(first) + timedelta(weeks=index) for index in range(number))
    return [Week(first_on=week, slots=counts.get(week, 0)) for week in every]


def of_week(periods: Sequence[Period], *, zone: ZoneInfo, week: date) -> list[Period]:
    return [
        period
        for period in periods
        if monday(datetime.fromtimestamp(period[0], zone).date()) == week
    ]


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
