"""Whether lessons that are there already stand where the teacher has time for them. Pure.

Unlike a slot, a lesson needs no grid, no notice and no limit: it was agreed. It stands outside on a
closed date, in time off, or not wholly in the teacher's hours. Hours that touch are one.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from scheduling.domain.clock import Period, day_period
from scheduling.domain.reasons import Why
from scheduling.domain.slots import Facts, merged, parts, windows


def why_outside(facts: Facts, period: Period) -> Why | None:
    """The first reason, in the order of `Why`; None: it stands inside."""
    return next(Standing(facts, since=period[0], until=period[1]).whys(period), None)


def outside(facts: Facts, lessons: Iterable[Period]) -> dict[Period, Why]:
    """Those of them that do not stand inside, with the first reason."""
    found = sorted(set(lessons))
    if not found:
        return {}
    standing = Standing(facts, since=found[0][0], until=max(end for _start, end in found))
    judged = ((one, next(standing.whys(one), None)) for one in found)
    return {one: why for one, why in judged if why}


class Standing:
    """One teacher's [since, until), worked out once and asked for many lessons."""

    def __init__(self, facts: Facts, *, since: int, until: int) -> None:
        self._hours = Blocks(windows(facts, since=since, until=until))
        self._time_off = Blocks(facts.time_off)
        closed = facts.closures.closed
        self._names = {
            day_period(facts.zone, day.toordinal()): closed[day] for day in closed
        } | parts(facts)
        self._closed = Blocks(self._names)

    def whys(self, period: Period) -> Iterator[Why]:
        """Each reason by itself, in the order in which `Why` counts: when time off ends, a lesson may
        still stand outside the hours."""
        if self._closed.touch(period):
            yield Why.CLOSED
        if self._time_off.touch(period):
            yield Why.TIME_OFF
        if not self._hours.hold(period):
            yield Why.NO_HOURS

    def closed_as(self, period: Period) -> str:
        """What the closed time is called that the lesson stands on."""
        return next(
            (
                name
                for day, name in sorted(self._names.items())
                if day[0] < period[1] and period[0] < day[1]
            ),
            "",
        )


class Blocks:
    """Periods apart from each other, looked up by halving."""

    def __init__(self, periods: Iterable[Period]) -> None:
        self._apart = merged(periods)
        self._starts = [start for start, _end in self._apart]

    def hold(self, period: Period) -> bool:
        """Whether one of them has the whole of it."""
        index = bisect_right(self._starts, period[0]) - 1
        return index >= 0 and period[1] <= self._apart[index][1]

    def touch(self, period: Period) -> bool:
        # Of those that begin before it ends, the last one ends last.
        index = bisect_right(self._starts, period[1] - 1) - 1
        return index >= 0 and self._apart[index][1] > period[0]
