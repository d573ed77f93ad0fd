"""What a calendar shows, as plain values: pages that look alike are equal, and so are their tags. Pure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

TINTS, SHAPES = 8, 8
QUARTER = 15
QUARTERS = 24 * 60 // QUARTER
# What a week shows at least; earlier and later lessons make it longer.
OPENS, CLOSES = 9, 17
# Half an hour, so that a short lesson has room for its words.
SHORTEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherClock:
    """When a lesson begins where the other person lives. shift: their date is so many days later."""

    time: str
    zone: str
    shift: int

    @property
    def place(self) -> str:
        """As it is spoken: New York for America/New_York."""
        return self.zone.rpartition("/")[2].replace("_", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The other side of a lesson, and where it belongs. enrollment: None leads nowhere."""

    lesson: int
    name: str
    enrollment: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A lesson on the reader's clock; a group is one, with a person for each of its students.

    kind: a lesson's status. iso: when it begins, for programs. until: a hold's end, "14:05".
    offered: the hold belongs to the waitlist. over: it has ended.
    """

    on: date
    starts: str
    ends: str
    iso: str
    minutes: int
    kind: str
    course: str
    slug: str
    tint: int
    shape: int
    people: tuple[Person, ...]
    other: OtherClock | None = None
    until: str = ""
    offered: bool = False
    over: bool = False
    # Where a week puts it: quarters of an hour, from midnight or (`placed`) from the first row on.
    row: int = 0
    rows: int = SHORTEST

    @property
    def lesson(self) -> int:
        return self.people[0].lesson

    @property
    def is_group(self) -> bool:
        return len(self.people) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Days on which the school, a teacher or a course is closed; both ends counted.

    starts, ends: of the closed hours, "14:00"; empty: from the day's beginning, to its end.
    works_like: not closed, but a working day by the hours of that weekday, in words.
    """

    name: str
    note: str
    first_on: date
    last_on: date
    starts: str = ""
    ends: str = ""
    works_like: str = ""

    @property
    def whole_day(self) -> bool:
        return not (self.starts or self.ends or self.works_like)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """outside: of the neighboring month, and empty for that."""

    on: date
    today: bool = False
    outside: bool = False
    entries: tuple[Entry, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def closed(self) -> bool:
        return any(mark.whole_day for mark in self.marks)


def tag_of(*shown: object) -> str:
    """An ETag. Whatever is shown is in there, so that nothing can change and keep its tag; that is
    why templates get nothing else. `repr` of frozen dataclasses names every value."""
    return f'"{hashlib.blake2b(repr(shown).encode(), digest_size=16).hexdigest()}"'


def look_of(course: int) -> tuple[int, int]:
    """(tint, shape): the same for everybody and for ever. Sixty-four looks; the title tells the rest."""
    return course % TINTS, course // TINTS % SHAPES


def other_clock(starts: datetime, *, own: ZoneInfo, other: ZoneInfo) -> OtherClock | None:
    """None where both clocks show the same then, whatever their zones are called."""
    here, there = starts.astimezone(own), starts.astimezone(other)
    if here.utcoffset() == there.utcoffset():
        return None
    shift = (there.date() - here.date()).days
    return OtherClock(time=f"{there:%H:%M}", zone=other.key, shift=shift)


def wall(seconds: int | None) -> str:
    """A wall clock of seconds; empty for none, and for the two ends of a day."""
    if seconds is None or seconds in (0, 24 * 3600):
        return ""
    return f"{seconds // 3600:02}:{seconds % 3600 // 60:02}"


def quarters_of(starts: datetime, ends: datetime) -> tuple[int, int]:
    """(first, how many) of a lesson on one clock, cut at its midnight and never too short to be read."""
    first = (starts.hour * 60 + starts.minute) // QUARTER
    last = (
        QUARTERS if ends.date() > starts.date() else -(-(ends.hour * 60 + ends.minute) // QUARTER)
    )
    first = min(first, QUARTERS - SHORTEST)
    return first, max(last - first, SHORTEST)


def hours_of(entries: Iterable[Entry]) -> range:
    """The hours a week shows."""
    shown = list(entries)
    opens = min([OPENS, *(one.row // 4 for one in shown)])
    closes = max([CLOSES, *(-(-(one.row + one.rows) // 4) for one in shown)])
    return range(opens, closes)


def placed(entries: Iterable[Entry], hours: range) -> list[Entry]:
    """Counted from the first hour on, as a grid counts its lines: from 1."""
    return [replace(one, row=one.row - hours.start * 4 + 1) for one in entries]


def on_days(
    days: Sequence[date],
    *,
    today: date,
    entries: Mapping[date, Sequence[Entry]],
    marks: Sequence[Mark],
    within: tuple[date, date],
) -> tuple[Day, ...]:
    """Each day with what falls on it; those that are not within both ends are empty."""
    first, last = within
    return tuple(
        Day(
            on=day,
            today=day == today,
            outside=not first <= day <= last,
            entries=tuple(entries.get(day, ())) if first <= day <= last else (),
            marks=tuple(one for one in marks if one.first_on <= day <= one.last_on)
            if first <= day <= last
            else (),
        )
        for day in days
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One page of a calendar. Both ends counted; before, after: None beyond what a calendar shows.

    teaches: the reader gives the lessons. lessons: how many are planned or done. nothing: there is no
    entry at all; upcoming: the day of the next lesson then.
    """

    first_on: date
    last_on: date
    before: date | None
    after: date | None
    today: date
    zone: str
    teaches: bool
    lessons: int
    nothing: bool
    upcoming: date | None
    marks: tuple[Mark, ...]

    @property
    def is_now(self) -> bool:
        return self.first_on <= self.today <= self.last_on

    @property
    def anchor(self) -> date:
        """The day around which the other views begin."""
        return self.today if self.is_now else self.first_on


@dataclass(frozen=True, slots=True, kw_only=True)
class Month(Shown):
    weeks: tuple[tuple[Day, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Week(Shown):
    """hours: those that have rows."""

    days: tuple[Day, ...]
    hours: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Shown):
    """days: only those with a lesson, and those on which a closure begins."""

    days: tuple[Day, ...]


def days_from(first: date, count: int) -> list[date]:
    return [first + timedelta(days=number) for number in range(count)]
