"""Calendar files (RFC 5545) as rows: what Google, Outlook and Apple export. Pure.

A timed event closes part of a day on the clock it was written in, whatever zone that is: who writes
“closed from 14:00” means every wall. Only times in UTC are carried over, to the calendar's own zone; those
of a series (until when, not on) to the zone in which the series begins.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import partial
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar
from icalendar.error import BrokenCalendarProperty
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from enrollment.domain.sheets import decode
from holidays.domain.recurring import BUDGET, TooMuch, occurrences
from holidays.domain.rows import (
    LONGEST_NOTE,
    MOST_ROWS,
    OTHER,
    PUBLIC,
    SCHOOL_BREAK,
    Note,
    Reading,
    Row,
    each_once,
    short,
)

MOST_EVENTS = 5000
LONGEST = timedelta(days=366)
DAY = timedelta(days=1)
MIDNIGHT = time()
ZONE_BEGINS, ZONE_ENDS = "BEGIN:VTIMEZONE", "END:VTIMEZONE"
KINDS = {
    **dict.fromkeys(
        ("public holiday", "holiday", "holidays", "feiertag", "gesetzlicher feiertag"), PUBLIC
    ),
    **dict.fromkeys(("school break", "break", "vacation", "ferien", "schulferien"), SCHOOL_BREAK),
}


class NotCalendar(Exception):
    """code, values: as a Note's."""

    def __init__(self, code: str, **values: str) -> None:
        super().__init__(code)
        self.note = Note(code=code, values=values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """zone: of times in UTC, where the calendar names none. kind: of events whose category says nothing."""

    years: range
    zone: str
    kind: str = OTHER
    notes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Its wall clock has no zone any more: `starts` and `ends` are naive. recurs: at which time of the
    series this one stands in for another."""

    uid: str
    name: str
    kind: str
    note: str | None
    starts: datetime
    ends: datetime
    recurs: datetime | None
    cancelled: bool


def read(data: bytes, wishes: Wishes, *, file_name: str = "") -> Reading:
    """:raises NotCalendar:"""
    notes: list[Note] = []
    rows: list[Row] = []
    budget = [BUDGET]
    for calendar in _calendars(data):
        clock = _zone(str(calendar.get("X-WR-TIMEZONE", ""))) or ZoneInfo(wishes.zone)
        rows += _rows(_Reader(clock, wishes, notes, budget), calendar.walk("VEVENT"))
        if len(rows) > MOST_ROWS:
            raise NotCalendar("too_many", most=str(MOST_ROWS))
    return Reading(rows=tuple(each_once(rows)), notes=_each_once(notes), version=file_name)


def _calendars(data: bytes) -> list[Any]:
    """:raises NotCalendar:"""
    text = decode(data).lstrip("\ufeff \t\r\n")
    if not text[:15].upper().startswith("BEGIN:VCALENDAR"):
        raise NotCalendar("no_calendar")
    if len(re.findall(r"^BEGIN:VEVENT", text, re.MULTILINE | re.I)) > MOST_EVENTS:
        raise NotCalendar("too_many_events", most=str(MOST_EVENTS))
    text = _without_zones(text)
    try:
        found = Calendar.from_ical(text, multiple=True)
    except (ValueError, IndexError, KeyError, AttributeError) as error:
        raise NotCalendar("broken", reason=short(str(error), 200)) from error
    calendars = [one for one in found if one.name == "VCALENDAR"]
    if not calendars:
        # The end is missing: the file was cut off.
        raise NotCalendar("cut_off")
    return calendars


def _without_zones(text: str) -> str:
    """The machinery of other zones is not needed, and a rule in it may never end.

    :raises NotCalendar: One does not end, so it is not known what follows it.
    """
    kept = []
    inside = False
    for line in text.split("\n"):
        word = line.rstrip().upper()
        if inside:
            inside = word != ZONE_ENDS
        elif word == ZONE_BEGINS:
            inside = True
        else:
            kept.append(line)
    if inside:
        raise NotCalendar("broken", reason=ZONE_BEGINS)
    return "\n".join(kept)


def _rows(reader: "_Reader", components: Iterable[Any]) -> Iterator[Row]:
    """Each time of each event; one that stands in for another is read before what it stands in for."""
    components = list(components)
    clocks = {_uid(one): reader.clock_of(one) for one in components if "RECURRENCE-ID" not in one}
    events = [(one, event) for one in components if (event := reader.event(one, clocks))]
    instead = {(event.uid, event.recurs) for _one, event in events if event.recurs}
    for component, event in events:
        if event.cancelled:
            continue
        for starts in reader.times(component, event):
            if event.recurs or (event.uid, starts) not in instead:
                moved = replace(event, starts=starts, ends=starts + (event.ends - event.starts))
                yield from _parts(moved, event.recurs or starts, reader.wishes.years)


class _Reader:
    """One calendar's events, on wall clocks."""

    def __init__(self, clock: tzinfo, wishes: Wishes, notes: list[Note], budget: list[int]) -> None:
        self.clock, self.wishes, self.notes = clock, wishes, notes
        self.budget = budget

    def clock_of(self, component: Any) -> tzinfo:
        """The zone it begins in; the calendar's if that is UTC, or none."""
        try:
            zone = getattr(component["DTSTART"].dt, "tzinfo", None)
        except (BrokenCalendarProperty, KeyError, AttributeError):
            zone = None
        return self.clock if zone is None or _is_utc(zone) else zone

    def event(self, component: Any, clocks: Mapping[str, tzinfo]) -> Event | None:
        """clocks: of the series, by uid."""
        name = short(str(component.get("SUMMARY", "")))
        try:
            starts, ends = self._period(component)
        except (
            BrokenCalendarProperty,
            KeyError,
            TypeError,
            ValueError,
            OverflowError,
            AttributeError,
        ):
            self._leave_out("no_day", name)
            return None
        if ends <= starts:
            self._leave_out("no_length", name)
            return None
        if ends - starts > LONGEST:
            self._leave_out("too_long", name)
            return None
        recurs = component.get("RECURRENCE-ID")
        if recurs is not None and "RANGE" in recurs.params:
            self._leave_out("from_here_on", name)
            return None
        clock = clocks.get(_uid(component)) or self.clock_of(component)
        return Event(
            uid=_uid(component) or f"{name}@{starts.isoformat()}",
            name=name,
            kind=self._kind(component),
            note=self._note(component),
            starts=starts,
            ends=ends,
            recurs=None if recurs is None else self.wall(recurs.dt, clock),
            cancelled=str(component.get("STATUS", "")).upper() == "CANCELLED",
        )

    def times(self, component: Any, event: Event) -> Iterator[datetime]:
        if event.recurs:
            return iter([event.starts])
        # What began in an earlier year may reach into the first that is asked for.
        length = event.ends - event.starts
        window = (
            datetime(self.wishes.years[0], 1, 1) - length,  # noqa: DTZ001 - a wall clock of no zone
            datetime(self.wishes.years[-1] + 1, 1, 1),  # noqa: DTZ001
        )
        wall = partial(self.wall, clock=self.clock_of(component))
        try:
            return iter(occurrences(component, event.starts, wall, window, self.budget))
        except TooMuch:
            self._leave_out("too_often", event.name)
        except (BrokenCalendarProperty, ValueError, TypeError, OverflowError, AttributeError):
            self._leave_out("bad_rule", event.name)
        return iter(())

    def wall(self, at: date | datetime, clock: tzinfo | None = None) -> datetime:
        """On the clock it was written in; UTC on this one, or the calendar's."""
        if not isinstance(at, datetime):
            return datetime.combine(at, MIDNIGHT)
        if at.tzinfo is not None and _is_utc(at.tzinfo):
            return at.astimezone(clock or self.clock).replace(tzinfo=None)
        return at.replace(tzinfo=None)

    def _period(self, component: Any) -> tuple[datetime, datetime]:
        begins, until, length = (component.get(one) for one in ("DTSTART", "DTEND", "DURATION"))
        first = begins.dt
        whole = not isinstance(first, datetime)
        starts = self.wall(first)
        if until is not None:
            last = until.dt
            # A flight may end on another clock than it begins on; a closure counts on the first.
            if isinstance(last, datetime) and last.tzinfo and not whole and first.tzinfo:
                last = last.astimezone(first.tzinfo)
            ends = self.wall(last)
        elif length is not None:
            ends = starts + length.dt
        else:
            ends = starts + DAY if whole else starts
        # Google and old Outlooks write whole days that end on the day they begin.
        if whole and ends <= starts:
            ends = starts + DAY
        if self._is_whole_day_of_outlook(component):
            starts, ends = _whole(starts, ends)
        return starts, ends

    def _is_whole_day_of_outlook(self, component: Any) -> bool:
        return str(component.get("X-MICROSOFT-CDO-ALLDAYEVENT", "")).upper() == "TRUE"

    def _kind(self, component: Any) -> str:
        found = component.get("CATEGORIES") or []
        for group in found if isinstance(found, list) else [found]:
            for one in getattr(group, "cats", [group]):
                if kind := KINDS.get(str(one).strip().lower()):
                    return kind
        return self.wishes.kind

    def _note(self, component: Any) -> str | None:
        if not self.wishes.notes:
            return None
        return str(component.get("DESCRIPTION", "")).strip()[:LONGEST_NOTE]

    def _leave_out(self, code: str, name: str) -> None:
        self.notes.append(Note(code=code, values={"name": name or "–"}))


def _parts(event: Event, recurs: datetime, years: range) -> Iterator[Row]:
    """From Friday 14:00 to Monday 8:00: a part, whole days, and a part.

    Each belongs to the year in which it begins itself, as its row does once it is imported; it is
    called the same whichever years are asked for.
    """
    first, last = event.starts.date(), event.ends.date()
    starts: time | None = event.starts.time()
    ends: time | None = event.ends.time()
    if starts == MIDNIGHT:
        starts = None
    if ends == MIDNIGHT:
        ends, last = None, last - DAY
    pieces: list[tuple[date, date, time | None, time | None]] = []
    if first == last or not (starts or ends):
        pieces.append((first, last, starts, ends))
    else:
        if starts:
            pieces.append((first, first, starts, None))
        whole = (first + DAY if starts else first), (last - DAY if ends else last)
        if whole[0] <= whole[1]:
            pieces.append((*whole, None, None))
        if ends:
            pieces.append((last, last, None, ends))
    for number, (from_on, to_on, at, until) in enumerate(pieces):
        if from_on.year not in years:
            continue
        yield Row(
            key=_key(event.uid, recurs, number),
            name=event.name or "–",
            kind=event.kind,
            first_on=from_on,
            last_on=to_on,
            starts=at,
            ends=until,
            note=event.note,
        )


def _each_once(notes: Iterable[Note]) -> tuple[Note, ...]:
    return tuple({(one.code, *one.values.values()): one for one in notes}.values())


def _whole(starts: datetime, ends: datetime) -> tuple[datetime, datetime]:
    first = datetime.combine(starts.date(), MIDNIGHT)
    last = datetime.combine(ends.date(), MIDNIGHT)
    return first, max(last if last == ends else last + DAY, first + DAY)


def _key(uid: str, recurs: datetime, number: int) -> str:
    if len(uid) > 120:
        uid = uid[:80] + blake2b(uid.encode(), digest_size=12).hexdigest()
    return f"{uid}@{recurs:%Y%m%dT%H%M}" + (f"/{number}" if number else "")


def _uid(component: Any) -> str:
    return str(component.get("UID", ""))


def _is_utc(zone: tzinfo) -> bool:
    return zone is UTC or str(zone) in ("UTC", "Etc/UTC", "GMT", "Etc/GMT", "Z")


def _zone(name: str) -> ZoneInfo | None:
    name = WINDOWS_TO_OLSON.get(name, name)
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, OSError, KeyError):
        return None
