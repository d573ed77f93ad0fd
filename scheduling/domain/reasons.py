"""Why a slot is not free, and why a day is closed. Pure.

Slow and plain where `slots.free_slots` is quick; a property test holds that both say the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from scheduling.domain.clock import Period, day_of, day_period
from scheduling.domain.policy import Policy
from scheduling.domain.slots import (
    Counts,
    Facts,
    Span,
    free_slots,
    groups_to_join,
    parts,
    touches,
    windows,
)


class Why(StrEnum):
    """In the order in which they are looked at: the first one counts."""

    CLOSED = "closed"  # a holiday; `note` is its name
    NO_HOURS = "no_hours"
    TIME_OFF = "time_off"
    HORIZON = "horizon"
    PAST = "past"
    NOTICE = "notice"
    OWN_LESSON = "own_lesson"  # the asking student's, with whichever teacher
    LESSON = "lesson"
    FULL = "full"  # a group lesson of this course without an open seat
    BUFFER = "buffer"
    DAY_LIMIT = "day_limit"
    WEEK_LIMIT = "week_limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A slot of the grid that is not offered."""

    period: Period
    why: Why
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayReasons:
    """One date of the teacher's calendar. why: for the day as a whole, if nothing is free in it;
    None while something is."""

    day: date
    free: Sequence[Period]
    missing: Sequence[Missing]
    why: Why | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """Instants: nothing starts before `now`, before `earliest` only at too short notice, and nothing
    from `ends` on."""

    now: int
    earliest: int
    ends: int


def days(
    facts: Facts, policy: Policy, horizon: Horizon, *, first: date, last: date
) -> list[DayReasons]:
    """Every date from `first` to `last`, both counted, of the teacher's calendar."""
    judge = _Judge(facts, policy, horizon)
    since, _ = day_period(facts.zone, first.toordinal())
    _, until = day_period(facts.zone, last.toordinal())
    span = Span(since=since, until=min(until, horizon.ends), earliest=horizon.earliest)
    free = _by_day(facts, free_slots(facts, policy, span))
    missing = {
        day: [judge.missing(slot, why) for slot, why in judged if why]
        for day, judged in judge.by_day(since=since, until=until).items()
    }
    return [
        judge.day(day, free.get(day, []), missing.get(day, []))
        for day in range(first.toordinal(), last.toordinal() + 1)
    ]


def why_not(facts: Facts, policy: Policy, horizon: Horizon, slot: Period) -> Why | None:
    """For one slot, on the grid or not; None: it is free. Whether it stands on the grid, and in the
    teacher's hours, is part of the question."""
    missing = explain(facts, policy, horizon, slot)
    return missing.why if missing else None


def explain(facts: Facts, policy: Policy, horizon: Horizon, slot: Period) -> Missing | None:
    """`why_not` with its note."""
    judge = _Judge(facts, policy, horizon)
    why = judge.why(slot)
    if slot not in judge.groups and why not in (Why.CLOSED, Why.TIME_OFF):
        on_grid = any(slot == other for other in judge.grid(since=slot[0], until=slot[0] + 1))
        why = why if on_grid else Why.NO_HOURS
    return judge.missing(slot, why) if why else None


def slot_from(facts: Facts, policy: Policy, start: int) -> Period:
    """What would be booked from `start` on: a group lesson as it was agreed, else a new one."""
    groups = (one.period for one in groups_to_join(facts))
    return next((period for period in groups if period[0] == start), (start, start + policy.length))


class _Judge:
    def __init__(self, facts: Facts, policy: Policy, horizon: Horizon) -> None:
        self.facts, self.policy, self.horizon = facts, policy, horizon
        self.counts = Counts(facts)
        self.groups = {one.period for one in groups_to_join(facts)}
        self.closed = {day.toordinal(): name for day, name in facts.closures.closed.items()}
        self.parts = parts(facts)

    def grid(self, *, since: int, until: int) -> Iterator[Period]:
        """Every slot that the hours alone would offer."""
        step, length = self.policy.step, self.policy.length
        for start, end in windows(self.facts, since=since, until=until):
            for begin in range(start, end - length + 1, step):
                if since <= begin < until:
                    yield begin, begin + length

    def by_day(self, *, since: int, until: int) -> dict[int, list[tuple[Period, Why | None]]]:
        found: dict[int, list[tuple[Period, Why | None]]] = {}
        for slot in self.grid(since=since, until=until):
            day = day_of(self.facts.zone, slot[0])
            found.setdefault(day, []).append((slot, self.why(slot)))
        return found

    def why(self, slot: Period) -> Why | None:
        if self._closed(slot) is not None:
            return Why.CLOSED
        if touches(slot, self.facts.time_off):
            return Why.TIME_OFF
        return self._too_soon_or_late(slot[0]) or self._taken(slot) or self._limits(slot)

    def missing(self, slot: Period, why: Why) -> Missing:
        return Missing(period=slot, why=why, note=self._closed(slot) or "")

    def day(self, day: int, free: Sequence[Period], missing: Sequence[Missing]) -> DayReasons:
        why, note = (None, "") if free else self._why_day(day, missing)
        return DayReasons(day=date.fromordinal(day), free=free, missing=missing, why=why, note=note)

    def _why_day(self, day: int, missing: Sequence[Missing]) -> tuple[Why, str]:
        if day in self.closed:
            return Why.CLOSED, self.closed[day]
        if not missing:
            return Why.NO_HOURS, ""
        # What most of its slots lack; of two as frequent, the one that is looked at first.
        reasons = [one.why for one in missing]
        why = max(Why, key=reasons.count)
        return why, next(one.note for one in missing if one.why == why)

    def _closed(self, slot: Period) -> str | None:
        """The name of the closed date, or the closed part of one, that it touches. A date's period may
        hold an hour that the clock shows as the day before's, so its neighbors are looked at, too."""
        zone = self.facts.zone
        for day in range(day_of(zone, slot[0]) - 1, day_of(zone, slot[1]) + 2):
            if day in self.closed and touches(slot, [day_period(zone, day)]):
                return self.closed[day]
        return next((name for part, name in self.parts.items() if touches(slot, [part])), None)

    def _too_soon_or_late(self, start: int) -> Why | None:
        if start >= self.horizon.ends:
            return Why.HORIZON
        if start < self.horizon.now:
            return Why.PAST
        return Why.NOTICE if start < self.horizon.earliest else None

    def _taken(self, slot: Period) -> Why | None:
        if touches(slot, self.facts.learning):
            return Why.OWN_LESSON
        return None if slot in self.groups else self._teaching(slot)

    def _teaching(self, slot: Period) -> Why | None:
        lessons = [one for one in self.facts.teaching if touches(slot, [one.period])]
        if lessons:
            is_full = any(one.seats > 1 and one.period == slot for one in lessons)
            return Why.FULL if is_full else Why.LESSON
        buffers = self.policy.around_each(one.busy for one in self.facts.teaching)
        return Why.BUFFER if touches(slot, buffers) else None

    def _limits(self, slot: Period) -> Why | None:
        if slot in self.groups:
            return None
        if self.counts.full_day(slot[0], self.policy):
            return Why.DAY_LIMIT
        return Why.WEEK_LIMIT if self.counts.full_week(slot[0], self.policy) else None


def _by_day(facts: Facts, slots: Sequence[Period]) -> dict[int, list[Period]]:
    found: dict[int, list[Period]] = {}
    for slot in slots:
        found.setdefault(day_of(facts.zone, slot[0]), []).append(slot)
    return found
