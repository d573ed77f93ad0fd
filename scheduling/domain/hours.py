"""When a teacher offers lessons: weekly windows, and single days that differ. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from scheduling.domain.clock import DAY_SECONDS, WEEK, Period, day_of, instant, monday_of

FIRST_DAY = date.min.toordinal()
LAST_DAY = date.max.toordinal()
WEEK_SECONDS = WEEK * DAY_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A weekly window on the teacher's wall clock.

    weekday: 0 is Monday. starts, ends: seconds after that day's midnight; above 86,400 it ends on
    the next day. first_day, last_day: `date.toordinal()`, both counted; they are the days on which
    a window begins. every_weeks: counted from the week of `first_day`, weeks begin on Monday.
    """

    weekday: int
    starts: int
    ends: int
    first_day: int = FIRST_DAY
    last_day: int = LAST_DAY
    every_weeks: int = 1

    @classmethod
    def of(cls, row: Sequence[int]) -> "Rule":
        """row: all of it, in the order above."""
        weekday, starts, ends, first_day, last_day, every_weeks = row
        return cls(
            weekday=weekday,
            starts=starts,
            ends=ends,
            first_day=first_day,
            last_day=last_day,
            every_weeks=every_weeks,
        )

    def holds_on(self, day: int) -> bool:
        """For a day of its weekday, or one that works like it."""
        if not self.first_day <= day <= self.last_day:
            return False
        weeks = (monday_of(day) - monday_of(self.first_day)) // WEEK
        return weeks % self.every_weeks == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DayHours:
    """One window of one date. replaces: the weekly hours that begin on this date do not count.

    An empty one (starts == ends) that replaces says: no hours on this date.
    """

    day: int
    replaces: bool
    starts: int = 0
    ends: int = 0

    @classmethod
    def of(cls, row: Sequence[int]) -> "DayHours":
        """row: all of it, in the order above."""
        day, replaces, starts, ends = row
        return cls(day=day, replaces=bool(replaces), starts=starts, ends=ends)


def open_windows(
    *,
    rules: Iterable[Rule],
    exceptions: Iterable[DayHours] = (),
    zone: ZoneInfo,
    since: int,
    until: int,
    works_like: Mapping[date, int] | None = None,
) -> list[Period]:
    """The windows as instants, whole (not clipped), that can reach into [since, until), sorted.

    Windows of one date that overlap, after a gap pushed one forward or because a date adds to its
    weekday, become one; those that only touch stay two, each with a grid of its own. A date's window
    begins where one of the dates before ends: were they one, its grid would hang on a chain of
    nights that has no beginning, and one slot could be asked about with another grid than the list.

    works_like: dates on which the rules of another weekday hold, 0 is Monday.
    """
    if since >= until:
        return []
    by_weekday: list[list[Rule]] = [[] for _ in range(WEEK)]
    for rule in rules:
        by_weekday[rule.weekday].append(rule)
    by_day: defaultdict[int, list[DayHours]] = defaultdict(list)
    for one in exceptions:
        by_day[one.day].append(one)
    found: list[Period] = []
    swapped = {on.toordinal(): weekday for on, weekday in (works_like or {}).items()}
    for day in reaching_days(zone=zone, since=since, until=until):
        hours = _of_day(day, by_weekday[swapped.get(day, (day - 1) % WEEK)], by_day.get(day, ()))
        found += _joined(
            sorted((instant(zone, day, starts), instant(zone, day, ends)) for starts, ends in hours)
        )
    return list(_apart(found))


def reaching_days(*, zone: ZoneInfo, since: int, until: int) -> range:
    """The days on which a window may begin that reaches into [since, until), or into one that does.

    From three days before: a window may end on the next day, so may the one before it that cuts its
    beginning, and Samoa once left out a whole day. One day after: Newfoundland put its clock back at
    00:01, so that the last hour of a day came once more in the middle of the next.
    """
    return range(day_of(zone, since) - 3, day_of(zone, until) + 2)


def _of_day(day: int, rules: Iterable[Rule], exceptions: Sequence[DayHours]) -> Iterator[Period]:
    if not any(one.replaces for one in exceptions):
        for rule in rules:
            if rule.holds_on(day):
                yield rule.starts, rule.ends
    for one in exceptions:
        yield one.starts, one.ends


def _joined(windows: Iterable[Period]) -> list[Period]:
    """A window from 02:00 to 03:00 lasts no time at all on the night that leaves that hour out."""
    joined: list[Period] = []
    for start, end in windows:
        if start >= end:
            continue
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _apart(windows: Iterable[Period]) -> Iterator[Period]:
    reached: int | None = None
    for start, end in sorted(windows):
        if reached is None or end > reached:
            yield (start if reached is None else max(start, reached)), end
            reached = end


def overlap(one: Rule, other: Rule) -> bool:
    """Whether both hold a shared second of some week. Touching is no overlap."""
    return any(
        _seconds_meet(one, other, shift) and _weeks_meet(one, other, shift // WEEK_SECONDS)
        for shift in (-WEEK_SECONDS, 0, WEEK_SECONDS)
    )


def first_overlap(rule: Rule, others: Iterable[tuple[int, Rule]]) -> int | None:
    """The key of the first of `others` that overlaps `rule`."""
    return next((key for key, other in others if overlap(rule, other)), None)


def _seconds_meet(one: Rule, other: Rule, shift: int) -> bool:
    """`other` as it stands `shift` seconds later: Sunday night reaches into the next Monday."""
    start = one.weekday * DAY_SECONDS
    there = other.weekday * DAY_SECONDS + shift
    return start + one.starts < there + other.ends and there + other.starts < start + one.ends


def _weeks_meet(one: Rule, other: Rule, later: int) -> bool:
    """Whether there is a week in which `one` holds and, `later` weeks on, `other` does.

    Looked for week by week, until the pattern of both has come round once.
    """
    first = max(_monday(one), _monday(other) - later * WEEK)
    last = min(one.last_day, other.last_day - later * WEEK)
    period = one.every_weeks * other.every_weeks
    for week in range(period + 2):
        monday = first + week * WEEK
        if monday > last:
            return False
        day, there = monday + one.weekday, monday + later * WEEK + other.weekday
        if one.holds_on(day) and other.holds_on(there):
            return True
    return False


def _monday(rule: Rule) -> int:
    return monday_of(rule.first_day)
