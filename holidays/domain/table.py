"""A table of closures (CSV): its columns, and its lines as rows. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from difflib import get_close_matches

from enrollment.domain import cells
from enrollment.domain.sheets import BadCell, Column, Problem, Record, Sheet, parse
from holidays.domain.rows import (
    LONGEST_NAME,
    LONGEST_NOTE,
    MOST_ROWS,
    OTHER,
    PUBLIC,
    SCHOOL_BREAK,
    WORKING_DAY,
    Note,
    Reading,
    Row,
    each_once,
    numbered,
)

KINDS = {
    "public": PUBLIC,
    "public holiday": PUBLIC,
    "feiertag": PUBLIC,
    "school break": SCHOOL_BREAK,
    "break": SCHOOL_BREAK,
    "ferien": SCHOOL_BREAK,
    "other": OTHER,
    "closed": OTHER,
    "sonstiges": OTHER,
    "working day": WORKING_DAY,
    "arbeitstag": WORKING_DAY,
}
ENGLISH = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
GERMAN = ("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag")
WEEKDAYS = {name: number for names in (ENGLISH, GERMAN) for number, name in enumerate(names)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    record: Record
    name: str
    first_on: date
    last_on: date | None
    days: int | None
    kind: str
    starts: time | None
    ends: time | None
    as_weekday: int | None
    note: str | None


def kind(text: str) -> str:
    plain = " ".join(text.lower().replace("_", " ").replace("-", " ").split())
    if plain not in KINDS:
        close = get_close_matches(plain, KINDS, n=1)
        guess = f" Did you mean {close[0]}?" if close else ""
        raise BadCell(f"write one of public, school break, other, working day.{guess}")
    return KINDS[plain]


def weekday(text: str) -> int:
    found = {number for name, number in WEEKDAYS.items() if name.startswith(text.lower())}
    if len(text) < 2 or len(found) != 1:
        raise BadCell("write a weekday like Monday, Mon or Montag.")
    return found.pop()


SHEET = Sheet(
    file="holidays.csv",
    columns=[
        Column(name="name", read=cells.line(LONGEST_NAME)),
        Column(name="first_on", read=cells.day),
        Column(name="last_on", read=cells.day, needed=False),
        Column(name="days", read=cells.whole(1, 366), needed=False),
        Column(name="kind", read=kind, needed=False, empty=OTHER),
        Column(name="from", field="starts", read=cells.clock, needed=False),
        Column(name="until", field="ends", read=cells.clock, needed=False),
        Column(name="works_like", field="as_weekday", read=weekday, needed=False),
        Column(name="note", read=cells.lines(LONGEST_NOTE), needed=False),
    ],
    row=Line,
    key=lambda line: (line.name, line.first_on, line.kind, line.starts, line.ends),
    key_column="name",
)


def read(data: bytes, *, years: range, file_name: str = "") -> tuple[Reading, Sequence[Problem]]:
    """Rows that begin in these years; or every problem of the file, by line and column."""
    parsed = parse(SHEET, data)
    problems = [*parsed.problems, *(one for line in parsed.rows for one in _problems(line))]
    problems.sort(key=lambda one: one.line)
    if not problems and len(parsed.rows) > MOST_ROWS:
        hint = f"has {len(parsed.rows)} lines; at most {MOST_ROWS} can be looked at in one preview."
        problems = [Problem(file=SHEET.file, hint=hint)]
    if problems:
        return Reading(), problems
    rows = [_row(line) for line in parsed.rows]
    inside = [row for row in rows if row.first_on.year in years]
    notes = [Note(code="other_years", values={"count": str(len(rows) - len(inside))})]
    return (
        Reading(
            rows=numbered(each_once(inside)),
            notes=tuple(notes if len(rows) > len(inside) else ()),
            version=file_name,
        ),
        [],
    )


def _problems(line: Line) -> Iterator[Problem]:
    refuse = line.record.problem
    if line.last_on and line.days:
        yield refuse("days", "last_on says it already; leave one of the two empty.")
    elif line.last_on and line.last_on < line.first_on:
        yield refuse("last_on", "is before first_on; both days are counted in.")
    elif line.last_on and (line.last_on - line.first_on).days > 366:
        yield refuse("last_on", "is more than a year after first_on; correct one of the two.")
    if line.starts and line.ends and line.ends <= line.starts:
        yield refuse("until", "must be after from; leave it empty for the end of the day.")
    if line.kind == WORKING_DAY:
        if line.as_weekday is None:
            yield refuse("works_like", "a working day needs it: whose weekday’s hours count.")
        if line.starts or line.ends:
            yield refuse(
                "from" if line.starts else "until", "a working day counts whole; leave it empty."
            )
    elif line.as_weekday is not None:
        yield refuse(
            "works_like", "only a working day has it; write that as kind, or leave it empty."
        )


def _row(line: Line) -> Row:
    last = line.last_on or line.first_on + timedelta(days=(line.days or 1) - 1)
    has_note = line.record.has("note")
    return Row(
        name=line.name,
        kind=line.kind,
        first_on=line.first_on,
        last_on=last,
        starts=line.starts if line.starts != time() else None,
        ends=line.ends if line.ends != time() else None,
        as_weekday=line.as_weekday,
        note=(line.note or "") if has_note else None,
    )
