"""What closes days of a teacher's calendar, as the site plan tells it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple


class Part(NamedTuple):
    """starts, ends: seconds after midnight of the teacher's wall clock; never the whole day."""

    day: date
    name: str
    starts: int
    ends: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Closures:
    """closed: whole dates, with what they are called. works_like: dates on which the weekly hours of
    another weekday count (0 is Monday). A date may be in both: then it is closed."""

    closed: Mapping[date, str] = field(default_factory=dict)
    parts: Sequence[Part] = ()
    works_like: Mapping[date, int] = field(default_factory=dict)


class Named(NamedTuple):
    """A closure for people to read: name and note in their language, both dates counted.

    starts, ends: seconds after midnight of the teacher's wall clock; None: whole days. works_like:
    it closes nothing, the days work like that weekday.
    """

    first_on: date
    last_on: date
    name: str
    note: str = ""
    starts: int | None = None
    ends: int | None = None
    works_like: int | None = None
