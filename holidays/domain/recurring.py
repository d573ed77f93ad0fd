"""The times of a series (RRULE, RDATE, EXDATE; RFC 5545 § 3.3.10) on a wall clock. Pure.

Written here because a rule that never matches (the 30th of February, each day) is looked for by
dateutil until the year 9999, which takes a minute. Here only days up to the end of the window are looked
at, and a file as a whole has a budget of them. Rules with BYWEEKNO, or more often than daily, are refused.
"""

from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any

BUDGET = 150_000
MOST_TIMES = 2000
EARLIEST = datetime(1900, 1, 1)  # noqa: DTZ001 - a wall clock of no zone
DAY = timedelta(days=1)
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
SETS = ("BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYSETPOS")
KNOWN = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *SETS}
DAYS_IN = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 31, "YEARLY": 366}

Wall = Callable[[date | datetime], datetime]
Window = tuple[datetime, datetime]


class TooMuch(Exception):
    """More often than once a day, or more days to look at than anybody means."""


class BadRule(ValueError):
    """Not a rule, or one that is not understood here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """interval counts periods: days, weeks that begin on `wkst`, months or years. byday: (weekday,
    which one of the month or year; 0 is each)."""

    freq: str
    interval: int
    count: int | None
    until: datetime | None
    wkst: int
    bymonth: frozenset[int]
    bymonthday: frozenset[int]
    byyearday: frozenset[int]
    byday: frozenset[tuple[int, int]]
    bysetpos: frozenset[int]

    def takes(self, day: date) -> bool:
        return (
            (not self.bymonth or day.month in self.bymonth)
            and (not self.bymonthday or not self.bymonthday.isdisjoint(_in_month(day)))
            and (not self.byyearday or not self.byyearday.isdisjoint(_in_year(day)))
            and (not self.byday or self._takes_weekday(day))
        )

    def _takes_weekday(self, day: date) -> bool:
        weekday = day.weekday()
        if (weekday, 0) in self.byday:
            return True
        if self.freq not in ("MONTHLY", "YEARLY"):
            return False
        of_month = self.freq == "MONTHLY" or bool(self.bymonth)
        forwards, backwards = _in_month(day) if of_month else _in_year(day)
        return (weekday, (forwards - 1) // 7 + 1) in self.byday or (
            weekday,
            -((-backwards - 1) // 7 + 1),
        ) in self.byday


def occurrences(
    component: Any, starts: datetime, wall: Wall, window: Window, budget: list[int]
) -> list[datetime]:
    """Within the window, in order, each once. An event without a rule happens once.

    budget: [days that may still be looked at], for all events of a file together.

    :raises TooMuch:
    :raises BadRule:
    """
    extra = [wall(_start(one)) for one in _dates(component, "RDATE")]
    if starts < EARLIEST or len(extra) > MOST_TIMES:
        raise TooMuch
    found = {starts, *extra}
    for one in _all(component.get("RRULE")):
        found.update(expanded(rule_of(one, starts, wall), starts, window, budget))
    left_out = [_start(one) for one in _dates(component, "EXDATE")]
    # A day without a time leaves out whatever begins on it: Apple and Outlook write it so.
    days = {one for one in left_out if not isinstance(one, datetime)}
    times = {wall(one) for one in left_out}
    return sorted(
        one
        for one in found
        if window[0] <= one < window[1] and one not in times and one.date() not in days
    )


def expanded(rule: Rule, starts: datetime, window: Window, budget: list[int]) -> Iterator[datetime]:
    """Times from `starts` on, up to the end of the window; those long before it may be left out.

    :raises TooMuch:
    """
    times = _unended(rule, starts, window, budget)
    return times if rule.count is None else islice(times, rule.count)


def _unended(rule: Rule, starts: datetime, window: Window, budget: list[int]) -> Iterator[datetime]:
    found = 0
    # Whoever counts must begin at the beginning; else a rule of 1990 begins near the window.
    since = starts.date() if rule.count is not None else max(starts, window[0] - DAY).date()
    for period in _periods(rule, starts.date(), since, window[1].date()):
        budget[0] -= len(period)
        days = _chosen(rule, period)
        for day in days:
            at = datetime.combine(day, starts.time())
            if at < starts:
                continue
            if at >= window[1] or (rule.until is not None and at > rule.until):
                return
            found += 1
            yield at
        if budget[0] < 0 or found > MOST_TIMES:
            raise TooMuch


def _chosen(rule: Rule, period: Sequence[date]) -> list[date]:
    days = [day for day in period if rule.takes(day)]
    if not rule.bysetpos:
        return days
    count = len(days)
    return [
        day
        for number, day in enumerate(days)
        if number + 1 in rule.bysetpos or number - count in rule.bysetpos
    ]


def _periods(rule: Rule, first: date, since: date, last: date) -> Iterator[Sequence[date]]:
    """The days of each period that counts, from the one that `first` lies in; those that are over
    before `since` are stepped over."""
    number = 0
    begins = _period(rule, first, 0)[0]
    if since > first:
        # Never too far: no period is longer than this.
        number = max((since - begins).days // DAYS_IN[rule.freq] // rule.interval - 1, 0)
    while True:
        try:
            days = _period(rule, first, number * rule.interval)
        except (ValueError, OverflowError):
            return
        if days[0] > last:
            return
        if days[-1] >= since:
            yield days
        number += 1


def _period(rule: Rule, first: date, steps: int) -> Sequence[date]:
    if rule.freq == "DAILY":
        return [first + steps * DAY]
    if rule.freq == "WEEKLY":
        begins = first - (first.weekday() - rule.wkst) % 7 * DAY + 7 * steps * DAY
        return [begins + number * DAY for number in range(7)]
    if rule.freq == "MONTHLY":
        year, month = divmod(first.year * 12 + first.month - 1 + steps, 12)
        begins = date(year, month + 1, 1)
        return [begins + number * DAY for number in range(monthrange(year, month + 1)[1])]
    begins = date(first.year + steps, 1, 1)
    return [
        begins + number * DAY for number in range((date(begins.year, 12, 31) - begins).days + 1)
    ]


# ------------------------------------------------------------------ reading
def rule_of(parts: Any, starts: datetime, wall: Wall) -> Rule:
    """:raises TooMuch:
    :raises BadRule:
    """
    given = {key.upper(): _all(value) for key, value in parts.items()}
    freq = str(given["FREQ"][0]).upper() if "FREQ" in given else ""
    if freq in ("SECONDLY", "MINUTELY", "HOURLY"):
        raise TooMuch
    if freq not in DAYS_IN or given.keys() - KNOWN:
        raise BadRule
    interval = int(given.get("INTERVAL", [1])[0])
    count = int(given["COUNT"][0]) if "COUNT" in given else None
    if interval < 1 or (count is not None and count < 1):
        raise BadRule
    numbers = {name.lower(): frozenset(int(one) for one in given.get(name, ())) for name in SETS}
    byday = frozenset(_weekday(str(one)) for one in given.get("BYDAY", ()))
    if not (numbers["bymonthday"] or numbers["byyearday"] or byday):
        # What a rule does not say is said by its first time.
        if freq == "WEEKLY":
            byday = frozenset({(starts.weekday(), 0)})
        elif freq in ("MONTHLY", "YEARLY"):
            numbers["bymonthday"] = frozenset({starts.day})
        if freq == "YEARLY" and not numbers["bymonth"]:
            numbers["bymonth"] = frozenset({starts.month})
    until = _until(given["UNTIL"][0], wall) if "UNTIL" in given else None
    wkst = _weekday(str(given.get("WKST", ["MO"])[0]))[0]
    return Rule(
        freq=freq, interval=interval, count=count, until=until, wkst=wkst, byday=byday, **numbers
    )


def _until(value: Any, wall: Wall) -> datetime:
    """A day without a time is counted in."""
    if isinstance(value, datetime):
        return wall(value)
    if isinstance(value, date):
        return datetime.combine(value, time.max)
    raise BadRule


def _weekday(text: str) -> tuple[int, int]:
    name, which = text[-2:].upper(), text[:-2]
    if name not in WEEKDAYS:
        raise BadRule
    return WEEKDAYS.index(name), int(which or 0)


def _in_month(day: date) -> tuple[int, int]:
    """Counted from its beginning, and from its end: the last is -1."""
    return day.day, day.day - monthrange(day.year, day.month)[1] - 1


def _in_year(day: date) -> tuple[int, int]:
    number = day.timetuple().tm_yday
    return number, number - (date(day.year, 12, 31).timetuple().tm_yday) - 1


def _dates(component: Any, name: str) -> Iterator[Any]:
    for group in _all(component.get(name)):
        for one in group.dts:
            yield one.dt


def _start(value: Any) -> Any:
    """Of a period its beginning."""
    return value[0] if isinstance(value, tuple) else value


def _all(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
