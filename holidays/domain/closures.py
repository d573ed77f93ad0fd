"""What holidays say about days of a calendar. Pure."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from holidays.domain.days import days_between

DAY_SECONDS = 24 * 3600
Period = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """A holiday, for whom it counts. name: in the reader's language.

    starts, ends: seconds after each day's midnight on the teacher's wall clock; 0 and 86,400 are a
    whole day. as_weekday: it closes nothing; the hours of that weekday count (0 is Monday).
    teachers, courses: ids; None is all of them.
    """

    key: int
    name: str
    note: str
    kind: str
    first_on: date
    last_on: date
    starts: int = 0
    ends: int = DAY_SECONDS
    as_weekday: int | None = None
    teachers: frozenset[int] | None = None
    courses: frozenset[int] | None = None

    @property
    def is_whole(self) -> bool:
        return self.as_weekday is None and self.starts == 0 and self.ends == DAY_SECONDS

    def concerns(self, *, teacher: int, course: int | None) -> bool:
        """course: None is a question about the teacher alone; what closes one course is not meant."""
        return (self.teachers is None or teacher in self.teachers) and (
            self.courses is None or course in self.courses
        )

    def days(self, *, first: date, last: date) -> Iterator[date]:
        """Of those from `first` to `last`. Clipped first: whoever types the year 9999 must not cost
        every page three million days."""
        return days_between(max(first, self.first_on), min(last, self.last_on))

    def touches(self, period: Period, *, zone: ZoneInfo) -> bool:
        """Whether any of it lies in the closed time of one of the days, on the clock of `zone`."""
        if self.as_weekday is not None:
            return False
        start, end = period
        around = timedelta(days=2)
        near = self.days(first=start.date() - around, last=end.date() + around)
        return any(
            _instant(day, self.starts, zone) < end and start < _instant(day, self.ends, zone)
            for day in near
        )


def share_time(one: Closure, other: Closure) -> bool:
    """Whether somebody finds both on one day, at the same hours."""
    days = one.first_on <= other.last_on and other.first_on <= one.last_on
    hours = one.starts < other.ends and other.starts < one.ends
    return days and hours and share_people(one, other)


def share_people(one: Closure, other: Closure) -> bool:
    return _meet(one.teachers, other.teachers) and _meet(one.courses, other.courses)


def _meet(some: frozenset[int] | None, others: frozenset[int] | None) -> bool:
    """None is everybody."""
    if some is None or others is None:
        return some != frozenset() and others != frozenset()
    return not some.isdisjoint(others)


def contradictory(one: Closure, other: Closure) -> bool:
    """A closed day that is to be worked on, or one kind twice for the same people, said differently."""
    days = one.first_on <= other.last_on and other.first_on <= one.last_on
    if not days or not share_people(one, other):
        return False
    if (one.as_weekday is None) != (other.as_weekday is None):
        return one.is_whole or other.is_whole
    return one.kind == other.kind and _said(one) != _said(other)


def _said(one: Closure) -> tuple[str, int, int, int | None]:
    return one.name.casefold(), one.starts, one.ends, one.as_weekday


def concerning(
    closures: Collection[Closure], *, teacher: int, course: int | None
) -> Iterator[Closure]:
    return (one for one in closures if one.concerns(teacher=teacher, course=course))


def _instant(day: date, seconds: int, zone: ZoneInfo) -> datetime:
    # fold=0: the first of a repeated hour, and forward over a gap (RFC 5545 § 3.3.5).
    wall = datetime(day.year, day.month, day.day) + timedelta(seconds=seconds)  # noqa: DTZ001
    return datetime.fromtimestamp(wall.replace(tzinfo=zone).timestamp(), zone)
