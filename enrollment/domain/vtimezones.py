"""A zone as RFC 5545 writes it: from when which offset counts. Pure; the offsets are zoneinfo's.

Our own, because icalendar 7 names the beginning of each offset on the clock that begins then, where
the standard (3.6.5) wants the one that ends: an hour wrong, whenever the clocks are put forward.
A change that comes back by one rule is written as that rule. Some programs, Outlook among them, know
nothing else.
"""

from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard, vRecur

# No two changes of a zone are closer to each other than this.
WEEK = timedelta(weeks=1)
SECOND = timedelta(seconds=1)
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
# Long enough to tell “the last Sunday” from “the fourth”.
YEARS_AHEAD = 12
YEARS_BEFORE = 2


class Change(NamedTuple):
    before: timedelta
    after: timedelta
    name: str


@lru_cache(maxsize=256)
def as_timezone(zone: str, year: int) -> Timezone:
    """Right for whatever happens from `year` on, for the ten years after it."""
    first, last = year - YEARS_BEFORE, year + YEARS_AHEAD
    onsets: dict[Change, list[datetime]] = {}
    for at, change in _changes(ZoneInfo(zone), first, last):
        onsets.setdefault(change, []).append((at + change.before).replace(tzinfo=None))
    timezone = Timezone()
    timezone.add("tzid", zone)
    begins = min((times[0] for times in onsets.values()), default=None)
    if begins is None or begins.year >= year:
        _add_beginning(timezone, ZoneInfo(zone), first)
    for change, times in onsets.items():
        _add(timezone, change, times, last=last)
    return timezone


def _changes(zone: ZoneInfo, first: int, last: int) -> Iterator[tuple[datetime, Change]]:
    """Each instant from which another offset counts, to the second."""
    start = datetime(first, 1, 1, tzinfo=UTC)
    weeks = (datetime(last + 1, 1, 1, tzinfo=UTC) - start) // WEEK
    for before, after in pairwise(start + WEEK * number for number in range(weeks + 1)):
        if _offset(before, zone) != _offset(after, zone):
            at = _first_with(zone, before, after)
            name = at.astimezone(zone).tzname() or ""
            yield at, Change(_offset(before, zone), _offset(at, zone), name)


def _first_with(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    wanted = _offset(after, zone)
    while after - before > SECOND:
        middle = before + timedelta(seconds=(after - before) // SECOND // 2)
        if _offset(middle, zone) == wanted:
            after = middle
        else:
            before = middle
    return after


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _add_beginning(timezone: Timezone, zone: ZoneInfo, year: int) -> None:
    """What counts before anything changes, and for ever where nothing does."""
    at = datetime(year, 1, 1, tzinfo=UTC).astimezone(zone)
    offset = at.utcoffset() or timedelta()
    change = Change(offset, offset, at.tzname() or "")
    _add(timezone, change, [datetime(1970, 1, 1)], last=0)  # noqa: DTZ001 - a wall clock's


def _add(timezone: Timezone, change: Change, times: Sequence[datetime], *, last: int) -> None:
    forward = change.after > change.before
    part = TimezoneDaylight() if forward else TimezoneStandard()
    part.add("dtstart", times[0])
    part.add("tzoffsetfrom", change.before)
    part.add("tzoffsetto", change.after)
    part.add("tzname", change.name)
    rule = _rule(times, last=last)
    if rule:
        part.add("rrule", vRecur(rule))
    elif times[1:]:
        part.add("rdate", list(times[1:]))
    timezone.add_component(part)


def _rule(times: Sequence[datetime], *, last: int) -> dict[str, str | int]:
    """Like: each year on the last Sunday of March. Empty: it follows none, or ends."""
    years = [time.year for time in times]
    if len(times) < YEARS_AHEAD or years != list(range(years[0], last + 1)):
        return {}
    if len({(time.month, time.weekday(), time.time()) for time in times}) > 1:
        return {}
    if all(time.day > monthrange(time.year, time.month)[1] - 7 for time in times):
        week = -1
    elif len(weeks := {(time.day - 1) // 7 + 1 for time in times}) == 1:
        (week,) = weeks
    else:
        return {}
    day = WEEKDAYS[times[0].weekday()]
    return {"freq": "YEARLY", "bymonth": times[0].month, "byday": f"{week}{day}"}
