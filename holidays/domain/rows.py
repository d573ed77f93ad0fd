"""A holiday as a source has it. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, time
from typing import Any

PUBLIC, SCHOOL_BREAK, OTHER, WORKING_DAY = "public", "school_break", "other", "working_day"
LONGEST_NAME, LONGEST_KEY, LONGEST_NOTE = 120, 200, 1000
# What one import may hold, and for how many years: a page has to show all of it.
MOST_ROWS, MOST_YEARS = 400, 10
FIRST_YEAR, LAST_YEAR = 1990, 2100

# A row's columns as JSON has them: what a source says, what is written, and what is compared.
Columns = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """key: what the source calls it, the same the next time. starts, ends: of each day, None is its
    morning and evening. note: None where the source has nothing to say to students."""

    key: str = ""
    name: str
    kind: str
    first_on: date
    last_on: date
    names: Mapping[str, str] = field(default_factory=dict)
    starts: time | None = None
    ends: time | None = None
    as_weekday: int | None = None
    note: str | None = None

    def columns(self) -> Columns:
        note = {} if self.note is None else {"note": self.note}
        return {
            "name": self.name,
            "names": dict(self.names),
            "kind": self.kind,
            "first_on": self.first_on.isoformat(),
            "last_on": self.last_on.isoformat(),
            "starts": self.starts and self.starts.isoformat(),
            "ends": self.ends and self.ends.isoformat(),
            "as_weekday": self.as_weekday,
            **note,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something the person who imports should know; the words for its code stand in the admin."""

    code: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a source says. version: of the library, or which file."""

    rows: tuple[Row, ...] = ()
    notes: tuple[Note, ...] = ()
    version: str = ""


def row_of(key: str, columns: Columns) -> Row:
    """The same row, from JSON."""
    return Row(
        key=key,
        name=columns["name"],
        names=columns["names"],
        kind=columns["kind"],
        first_on=date.fromisoformat(columns["first_on"]),
        last_on=date.fromisoformat(columns["last_on"]),
        starts=columns["starts"] and time.fromisoformat(columns["starts"]),
        ends=columns["ends"] and time.fromisoformat(columns["ends"]),
        as_weekday=columns["as_weekday"],
        note=columns.get("note"),
    )


def short(text: str, longest: int = LONGEST_NAME) -> str:
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def each_once(rows: Iterable[Row]) -> list[Row]:
    """A name stands on the same days once, whatever the source thinks."""
    found = {
        (row.name, row.first_on, row.last_on, row.kind, row.starts, row.ends): row for row in rows
    }
    return sorted(found.values(), key=lambda row: (row.first_on, row.last_on, row.name))


def numbered(rows: Iterable[Row]) -> tuple[Row, ...]:
    """With keys, for a source that gives none: in a year the first of this name, the second, …

    So a date that shifts within its year is the same holiday on another day. `key` is what it is
    called by whoever is not to be misled by a name in words that change.
    """
    seen: Counter[tuple[int, str]] = Counter()
    keyed = []
    for row in rows:
        name = (row.key or f"{row.kind}:{row.name}")[: LONGEST_KEY - 20]
        seen[row.first_on.year, name] += 1
        number = seen[row.first_on.year, name]
        keyed.append(replace(row, key=f"{row.first_on.year}:{number}:{name}"))
    return tuple(keyed)
