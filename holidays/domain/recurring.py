"""The times of a series (RRULE, RDATE, EXDATE) on a wall clock. Pure.

Counted before anything is expanded: a rule that never ends, or never matches, costs no more than `budget`.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

from dateutil.rrule import rrule, rruleset, rrulestr

LONGEST_RULE = 500
MOST_TIMES = 2000
# Days looked at by one step of a rule; a year's step looks at each of its days.
STEPS = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 30, "YEARLY": 90}
BUDGET = 40_000
EARLIEST = datetime(1900, 1, 1)  # noqa: DTZ001 - a wall clock of no zone

Wall = Callable[[date | datetime], datetime]
Window = tuple[datetime, datetime]


class TooMuch(Exception):
    """More often than once a day, or more days to look at than anybody means."""


def occurrences(
    component: Any, starts: datetime, wall: Wall, window: Window, budget: list[int]
) -> list[datetime]:
    """Within the window, in order, each once. An event without a rule happens once.

    budget: [steps that may still be made], for all events of a file together.

    :raises TooMuch:
    """
    rules = _all(component.get("RRULE"))
    extra = [wall(_start(one)) for one in _dates(component, "RDATE")]
    if not rules and not extra:
        return [starts] if window[0] <= starts < window[1] else []
    if len(extra) > MOST_TIMES or starts < EARLIEST:
        raise TooMuch
    found = rruleset()
    found.rdate(starts)
    for one in extra:
        found.rdate(one)
    for one in rules:
        found.rrule(_rule(one, starts, wall, window, budget))
    left_out = [_start(one) for one in _dates(component, "EXDATE")]
    # A day without a time leaves out whatever begins on it: Apple and Outlook write it so.
    days = {one for one in left_out if not isinstance(one, datetime)}
    times = {wall(one) for one in left_out}
    return [
        one for one in _some(iter(found), window) if one not in times and one.date() not in days
    ]


def _some(found: Iterator[datetime], window: Window) -> Iterator[datetime]:
    """:raises TooMuch:"""
    count = 0
    for one in found:
        if one >= window[1]:
            return
        if one >= window[0]:
            count += 1
            if count > MOST_TIMES:
                raise TooMuch
            yield one


def _rule(rule: Any, starts: datetime, wall: Wall, window: Window, budget: list[int]) -> rrule:
    """:raises TooMuch:"""
    parts = {key.upper(): value for key, value in rule.items()}
    ends = window[1]
    if (until := _first(parts.pop("UNTIL", None))) is not None:
        # A day without a time is counted in.
        at = (
            wall(until)
            if isinstance(until, datetime)
            else wall(until) + timedelta(days=1, seconds=-1)
        )
        ends = min(at, ends)
    often = str(_first(parts.get("FREQ"))).upper()
    text = type(rule)(parts).to_ical().decode()
    if often not in STEPS or len(text) > LONGEST_RULE:
        raise TooMuch
    interval = int(_first(parts.get("INTERVAL")) or 1)
    if interval < 1:
        raise ValueError("an interval is at least 1")
    if "COUNT" not in parts:
        starts = _nearer(starts, often, interval, window[0])
    budget[0] -= max((ends - starts).days, 0) // STEPS[often] + 1
    if budget[0] < 0:
        raise TooMuch
    made = rrulestr(text, dtstart=starts)
    if not isinstance(made, rrule):
        raise ValueError("a rule is one rule")
    # Without an end, a rule that never matches would be looked for until the year 9999.
    return made.replace(until=ends)


def _nearer(starts: datetime, often: str, interval: int, window: datetime) -> datetime:
    """A later time of the same series, before the window: a lesson of 1990 has ten thousand days to
    today. Months and years are steps of different lengths, and few."""
    if often not in ("DAILY", "WEEKLY") or starts >= window:
        return starts
    step = timedelta(days=STEPS[often] * interval)
    return starts + max((window - starts) // step - 1, 0) * step


def _dates(component: Any, name: str) -> Iterator[Any]:
    for group in _all(component.get(name)):
        for one in group.dts:
            yield one.dt


def _start(value: Any) -> Any:
    """Of a period its beginning."""
    return value[0] if isinstance(value, tuple) else value


def _all(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value
