"""Lessons that today's hours would not bear: agreed before the hours changed, or by hand. Pure."""

from collections.abc import Iterable

from scheduling.domain.clock import Period, day_period
from scheduling.domain.reasons import Why
from scheduling.domain.slots import Facts, merged, touches, windows


def outside(facts: Facts, lessons: Iterable[Period]) -> dict[Period, Why]:
    """Those of them that do not lie wholly in the teacher's hours, with the reason.

    Hours that touch count as one stretch: a lesson may reach from one into the next.
    """
    found = sorted(set(lessons))
    if not found:
        return {}
    until = max(end for _start, end in found)
    hours = merged(windows(facts, since=found[0][0], until=until))
    closed = [day_period(facts.zone, day.toordinal()) for day in facts.closed]
    judged = ((lesson, _why(lesson, hours, closed, facts.time_off)) for lesson in found)
    return {lesson: why for lesson, why in judged if why}


def _why(
    lesson: Period,
    hours: Iterable[Period],
    closed: Iterable[Period],
    time_off: Iterable[Period],
) -> Why | None:
    if touches(lesson, closed):
        return Why.CLOSED
    if touches(lesson, time_off):
        return Why.TIME_OFF
    start, end = lesson
    return (
        None if any(opens <= start and end <= closes for opens, closes in hours) else Why.NO_HOURS
    )
