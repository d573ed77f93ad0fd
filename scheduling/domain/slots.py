"""From weekly wall-clock windows to free slots. Pure: no Django, no clock, no I/O.

Instants are epoch seconds, periods are half-open [start, end). A wall clock becomes an instant as
RFC 5545 § 3.3.5 says: the first of a repeated hour, and forward over a gap (02:30 is 03:30).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

Period = tuple[int, int]

DAY_SECONDS = 24 * 3600
FIRST_DAY = date.min.toordinal()
LAST_DAY = date.max.toordinal()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A weekly window on the teacher's wall clock.

    weekday: 0 is Monday. starts, ends: seconds after local midnight, ends up to 86,400 (midnight).
    first_day, last_day: `date.toordinal()`, both counted.
    """

    weekday: int
    starts: int
    ends: int
    first_day: int = FIRST_DAY
    last_day: int = LAST_DAY


def free_slots(
    *,
    rules: Iterable[Rule],
    busy: Iterable[Period],
    closed: frozenset[date],
    zone: ZoneInfo,
    lesson_minutes: int,
    since: int,
    until: int,
    now: int,
) -> list[Period]:
    """The bookable slots that start in [since, until) and not before now, in order of time.

    The grid begins at each window's start with the lesson's length as its step. A slot that touches
    something busy is left out; the grid stays where it is.
    """
    earliest = max(since, now)
    windows = open_windows(rules=rules, closed=closed, zone=zone, since=earliest, until=until)
    step = lesson_minutes * 60
    slots = _cut(windows, step=step, earliest=earliest, until=until)
    return _without_busy(slots, sorted(busy))


def open_windows(
    *,
    rules: Iterable[Rule],
    closed: frozenset[date],
    zone: ZoneInfo,
    since: int,
    until: int,
) -> list[Period]:
    """The windows as instants, whole (not clipped), that can reach into [since, until).

    Windows that overlap after a gap pushed one forward become one; those that only touch stay two.
    """
    if since >= until:
        return []
    by_weekday: list[list[Rule]] = [[] for _ in range(7)]
    for rule in rules:
        by_weekday[rule.weekday].append(rule)
    days = _local_days(zone=zone, since=since, until=until)
    found = [
        (instant(zone, day, rule.starts), instant(zone, day, rule.ends))
        for day in days
        if date.fromordinal(day) not in closed
        for rule in by_weekday[(day - 1) % 7]
        if rule.first_day <= day <= rule.last_day
    ]
    return _joined(sorted(window for window in found if window[0] < window[1]))


@lru_cache(maxsize=32_768)
def instant(zone: ZoneInfo, day: int, seconds: int) -> int:
    """The epoch second of a wall clock; `seconds` may be 86,400, which is the next day's midnight.

    Cached because each page asks for the same few weeks, and a conversion costs more than the rest.
    """
    days, rest = divmod(seconds, DAY_SECONDS)
    midnight = datetime.fromordinal(day + days)
    # fold=0, the default, is exactly RFC 5545: first occurrence, and the old offset inside a gap.
    return int((midnight + timedelta(seconds=rest)).replace(tzinfo=zone).timestamp())


def nearest(slots: Sequence[Period], *, wanted: int, count: int) -> list[Period]:
    """The slots that start closest to `wanted`, in order of time."""
    return sorted(sorted(slots, key=lambda slot: abs(slot[0] - wanted))[:count])


def _local_days(*, zone: ZoneInfo, since: int, until: int) -> range:
    """From the day before: Samoa once left out a whole day, which pushed its windows into the next."""
    first = datetime.fromtimestamp(since, zone).toordinal() - 1
    last = datetime.fromtimestamp(until, zone).toordinal()
    return range(first, last + 1)


def _joined(windows: Iterable[Period]) -> list[Period]:
    joined: list[Period] = []
    for start, end in windows:
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _cut(windows: Iterable[Period], *, step: int, earliest: int, until: int) -> Iterator[Period]:
    for start, end in windows:
        # The first point of the grid that is not before `earliest`.
        first = start + max(0, -((start - earliest) // step)) * step
        for begin in range(first, min(until, end - step + 1), step):
            yield begin, begin + step


def _without_busy(slots: Iterable[Period], busy: Sequence[Period]) -> list[Period]:
    """One pass over both, each sorted by start: what ended before a slot is over for the later ones."""
    free: list[Period] = []
    position, total = 0, len(busy)
    for slot in slots:
        start, end = slot
        while position < total and busy[position][1] <= start:
            position += 1
        if position == total or busy[position][0] >= end:
            free.append(slot)
    return free
