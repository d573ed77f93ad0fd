"""From hours, policy and what is in the way to free slots. Pure: no Django, no clock, no I/O.

Periods are half-open [start, end) in epoch seconds.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from zoneinfo import ZoneInfo

from scheduling.domain.clock import Period, day_of, day_period, instant, monday_of
from scheduling.domain.closures import Closures
from scheduling.domain.hours import DayHours, Rule, open_windows
from scheduling.domain.policy import Policy


class Taken(NamedTuple):
    """A lesson of the teacher. busy: with its buffers.

    seats: above 1 for a group of the asked course; open_seats of them are still free, and 0 for
    whoever is in it already.
    """

    period: Period
    busy: Period
    seats: int = 1
    open_seats: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that decides about one teacher's slots, whole weeks of the teacher's calendar.

    zone: the teacher's. closures: what holidays say about the dates of that calendar.
    teaching: the teacher's lessons and live holds; learning: those of the asking student. What the
    student holds for the asked course is in neither, nor is the lesson that is being moved.
    """

    zone: ZoneInfo
    rules: Sequence[Rule] = ()
    exceptions: Sequence[DayHours] = ()
    closures: Closures = field(default_factory=Closures)
    time_off: Sequence[Period] = ()
    teaching: Sequence[Taken] = ()
    learning: Sequence[Period] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Slots are looked for that start in [since, until). earliest: the minimum notice's end."""

    since: int
    until: int
    earliest: int


def free_slots(facts: Facts, policy: Policy, span: Span) -> list[Period]:
    """The bookable slots in order of time.

    The grid begins at each window's start. A slot that touches something is left out; the grid
    stays where it is. A group lesson with an open seat is offered as it was agreed, on the grid or
    not, and needs no hours: it takes place.
    """
    start = max(span.since, span.earliest)
    opened = windows(facts, since=start, until=span.until)
    begins = _free_starts(opened, blocked(facts, policy), policy, first=start, last=span.until)
    length = policy.length
    free = [(begin, begin + length) for begin in begins]
    return finished(free, facts, policy, span)


def finished(free: list[Period], facts: Facts, policy: Policy, span: Span) -> list[Period]:
    """`free`, which nothing is in the way of, without those beyond a limit, and with the groups."""
    if policy.has_limits:
        counts = Counts(facts)
        free = [slot for slot in free if not counts.full(slot[0], policy)]
    groups = groups_to_join(facts)
    return _with_groups(free, groups, facts, policy, span) if groups else free


def windows(facts: Facts, *, since: int, until: int) -> list[Period]:
    return open_windows(
        rules=facts.rules,
        exceptions=facts.exceptions,
        zone=facts.zone,
        since=since,
        until=until,
        works_like=facts.closures.works_like,
    )


def blocked(facts: Facts, policy: Policy) -> list[Period]:
    """Where no new lesson may be: apart from each other, in order. Groups to join are not in it."""
    return merged(
        [
            *away(facts),
            *facts.learning,
            *policy.around_each(one.busy for one in facts.teaching if not one.open_seats),
        ]
    )


def away(facts: Facts) -> Iterator[Period]:
    """Closed dates and parts of them, and time off. A closed date ends a window that reaches into it at
    midnight."""
    for day in facts.closures.closed:
        yield day_period(facts.zone, day.toordinal())
    yield from parts(facts)
    yield from facts.time_off


def parts(facts: Facts) -> dict[Period, str]:
    """The closed parts of dates, and what they are called."""
    zone = facts.zone
    return {
        (instant(zone, day.toordinal(), starts), instant(zone, day.toordinal(), ends)): name
        for day, name, starts, ends in facts.closures.parts
    }


def merged(periods: Iterable[Period]) -> list[Period]:
    """The same time as periods that do not touch, in order; empty ones are dropped."""
    apart: list[Period] = []
    for start, end in sorted(periods):
        if start >= end:
            continue
        if apart and start <= apart[-1][1]:
            if end > apart[-1][1]:
                apart[-1] = (apart[-1][0], end)
        else:
            apart.append((start, end))
    return apart


def without(slots: Iterable[Period], blocks: Sequence[Period]) -> list[Period]:
    """Those slots that touch none of `blocks`. One pass: slots are of one length and in order,
    blocks apart and in order."""
    free: list[Period] = []
    position, total = 0, len(blocks)
    for slot in slots:
        start, end = slot
        while position < total and blocks[position][1] <= start:
            position += 1
        if position == total or blocks[position][0] >= end:
            free.append(slot)
    return free


class Counts:
    """How many lessons a teacher has on each date and in each week of their own calendar."""

    def __init__(self, facts: Facts) -> None:
        self.zone = facts.zone
        # A group lesson is one, however many rows it has.
        starts = sorted({one.period for one in facts.teaching})
        days = [day_of(self.zone, start) for start, _end in starts]
        self._days = Counter(days)
        self._weeks = Counter(monday_of(day) for day in days)

    def full_day(self, start: int, policy: Policy) -> bool:
        return bool(policy.most_a_day) and self._days[self._day(start)] >= policy.most_a_day

    def full_week(self, start: int, policy: Policy) -> bool:
        if not policy.most_a_week:
            return False
        return self._weeks[monday_of(self._day(start))] >= policy.most_a_week

    def full(self, start: int, policy: Policy) -> bool:
        return self.full_day(start, policy) or self.full_week(start, policy)

    def _day(self, start: int) -> int:
        return day_of(self.zone, start)


def groups_to_join(facts: Facts) -> list[Taken]:
    """Each once, in order of time."""
    by_period = {one.period: one for one in facts.teaching if one.open_seats}
    return [by_period[period] for period in sorted(by_period)]


def _with_groups(
    free: list[Period], groups: Sequence[Taken], facts: Facts, policy: Policy, span: Span
) -> list[Period]:
    """Instead of every new slot that would touch a group stands the group, if it can be joined."""
    apart = without(free, merged(policy.around_each(group.busy for group in groups)))
    in_the_way = merged([*away(facts), *facts.learning])
    start = max(span.since, span.earliest)
    joined = [
        group.period
        for group in groups
        if start <= group.period[0] < span.until and not touches(group.period, in_the_way)
    ]
    return sorted([*apart, *joined])


def touches(period: Period, blocks: Iterable[Period]) -> bool:
    return any(block[0] < period[1] and period[0] < block[1] for block in blocks)


def nearest(slots: Sequence[Period], *, wanted: int, count: int) -> list[Period]:
    """The slots that start closest to `wanted`, in order of time."""
    return sorted(sorted(slots, key=lambda slot: abs(slot[0] - wanted))[:count])


def _free_starts(
    opened: Iterable[Period], blocks: Sequence[Period], policy: Policy, *, first: int, last: int
) -> list[int]:
    """The points of each window's grid in [first, last) from which a lesson touches no block.

    One pass over both, which are apart and in order; the grid is cut in whole free pieces.
    """
    step, length, total = policy.step, policy.length, len(blocks)
    found: list[int] = []
    passed = 0
    for start, end in opened:
        free_from = max(start, first)
        while passed < total and blocks[passed][1] <= free_from:
            passed += 1
        for block_from, block_until in [*_until(blocks, passed, end), (end, end)]:
            begin = start - (start - free_from) // step * step
            found.extend(range(begin, min(last, block_from - length + 1), step))
            free_from = block_until
    return found


def _until(blocks: Sequence[Period], number: int, end: int) -> Iterator[Period]:
    """From that number on, those that begin before `end`."""
    while number < len(blocks) and blocks[number][0] < end:
        yield blocks[number]
        number += 1
