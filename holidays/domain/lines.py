"""Closures as somebody types or pastes them: a line for each. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

_ISO = r"\d{4}-\d{1,2}-\d{1,2}"
_DOTS = r"\d{1,2}\.\s?\d{1,2}\.\s?\d{4}"
_DATE = rf"(?:{_ISO}|{_DOTS})"
LINE = re.compile(
    rf"(?P<first>{_DATE})\s*(?:(?:-|–|—|to|until|bis|a)\s*(?P<last>{_DATE})\s*)?[;,\t]\s*(?P<name>.*)"
)
# A line longer than a year is a typing error, or two closures.
LONGEST = timedelta(days=366)
MOST_NAME = 120


class Wrong(StrEnum):
    """What is wrong with a line."""

    FORM = "form"
    NO_SUCH_DAY = "no_such_day"
    BACKWARDS = "backwards"
    TOO_LONG = "too_long"
    NO_NAME = "no_name"
    LONG_NAME = "long_name"
    TWICE = "twice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """number: counted from 1, empty lines too. last_on: counted in."""

    number: int
    first_on: date
    last_on: date
    name: str


class WrongLine(ValueError):
    def __init__(self, number: int, why: Wrong) -> None:
        super().__init__(f"line {number}: {why}")
        self.number, self.why = number, why


def read(text: str) -> tuple[list[Line], list[WrongLine]]:
    """Every line that is not empty, or what is wrong with it."""
    lines: list[Line] = []
    wrong: list[WrongLine] = []
    for number, words in enumerate(text.splitlines(), start=1):
        if not words.strip():
            continue
        try:
            line = _read(number, words.strip())
            if any(_same(line, other) for other in lines):
                raise WrongLine(number, Wrong.TWICE)
            lines.append(line)
        except WrongLine as error:
            wrong.append(error)
    return lines, wrong


def in_years(line: Line, more: int) -> Iterator[Line]:
    """The line, and the same days of the `more` following years.

    :raises WrongLine: a 29 February has no such day there.
    """
    for later in range(more + 1):
        try:
            first = line.first_on.replace(year=line.first_on.year + later)
            last = line.last_on.replace(year=line.last_on.year + later)
        except ValueError as error:
            raise WrongLine(line.number, Wrong.NO_SUCH_DAY) from error
        yield Line(number=line.number, first_on=first, last_on=last, name=line.name)


def _read(number: int, words: str) -> Line:
    found = LINE.fullmatch(words)
    if found is None:
        raise WrongLine(number, Wrong.FORM)
    first = _day(number, found["first"])
    last = _day(number, found["last"]) if found["last"] else first
    name = " ".join(found["name"].split())
    if not name:
        raise WrongLine(number, Wrong.NO_NAME)
    if len(name) > MOST_NAME:
        raise WrongLine(number, Wrong.LONG_NAME)
    if last < first:
        raise WrongLine(number, Wrong.BACKWARDS)
    if last - first >= LONGEST:
        raise WrongLine(number, Wrong.TOO_LONG)
    return Line(number=number, first_on=first, last_on=last, name=name)


def _day(number: int, words: str) -> date:
    parts = [int(part) for part in re.split(r"[-.]\s?", words)]
    year, month, day = parts if "-" in words else reversed(parts)
    try:
        return date(year, month, day)
    except ValueError as error:
        raise WrongLine(number, Wrong.NO_SUCH_DAY) from error


def _same(one: Line, other: Line) -> bool:
    return (one.first_on, one.last_on, one.name) == (other.first_on, other.last_on, other.name)
