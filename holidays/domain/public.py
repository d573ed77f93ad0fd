"""The library's answer as rows. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from holidays.domain.days import runs
from holidays.domain.rows import (
    OTHER,
    PUBLIC,
    SCHOOL_BREAK,
    WORKING_DAY,
    Note,
    Reading,
    Row,
    numbered,
    short,
)

HALF_DAY = "half_day"
NOON = time(12)
KINDS = {
    "public": PUBLIC,
    "bank": PUBLIC,
    "government": PUBLIC,
    "de_facto": PUBLIC,
    HALF_DAY: PUBLIC,
    "school": SCHOOL_BREAK,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One date of one category, as the library has it."""

    name: str
    names: Mapping[str, str]
    kind: str
    key: str
    starts: time | None

    @property
    def is_same(self) -> tuple[Any, ...]:
        return self.name, self.kind, self.key, self.starts


def reading(
    answer: Mapping[str, Any], *, years: Sequence[int], working: Mapping[str, str], version: str
) -> Reading:
    """working: by our languages, the first one being that of `name`, what a working day instead is
    called: the library names what is free."""
    languages = list(working)
    days, guessed = _days(answer["days"], languages)
    rows = [*_runs(days), *_working(answer["working"], working)]
    rows.sort(key=lambda row: (row.first_on, row.last_on, row.name))
    notes = [*_notes(answer, years=years), *_guessed(guessed)]
    return Reading(rows=numbered(rows), notes=tuple(notes), version=version)


def _days(
    found: Sequence[Mapping[str, Any]], languages: Sequence[str]
) -> tuple[list[tuple[Day, list[date]]], list[str]]:
    """By what they are called; and the names of half days of which nobody says when they begin."""
    taken: set[tuple[str, str, time | None]] = set()
    days: dict[tuple[Any, ...], tuple[Day, list[date]]] = {}
    guessed: dict[str, None] = {}
    for one in found:
        half = one["category"] == HALF_DAY
        at = time.fromisoformat(one["starts"]) if one["starts"] else NOON if half else None
        if half and not one["starts"]:
            guessed[one["name"]] = None
        # A holiday of the state and of its banks is one holiday; the category asked for first counts.
        if (key := (one["day"], one["name"], at)) in taken:
            continue
        taken.add(key)
        day = Day(
            name=short(one["names"].get(languages[0]) or one["name"]),
            names={
                language: short(one["names"][language])
                for language in languages[1:]
                if language in one["names"]
            },
            kind=KINDS.get(one["category"], OTHER),
            key=f"{one['category']}:{one['key']}",
            starts=at,
        )
        days.setdefault(day.is_same, (day, []))[1].append(date.fromisoformat(one["day"]))
    return list(days.values()), list(guessed)


def _runs(days: Sequence[tuple[Day, Sequence[date]]]) -> Iterator[Row]:
    """Days that follow each other are one row, but never beyond the end of a year: each year's import
    is whole without the others."""
    for day, dates in days:
        for year in sorted({one.year for one in dates}):
            for first, last in runs(one for one in dates if one.year == year):
                yield Row(
                    key=day.key,
                    name=day.name,
                    names=day.names,
                    kind=day.kind,
                    first_on=first,
                    last_on=last,
                    starts=day.starts,
                )


def _working(found: Sequence[tuple[str, int | None]], called: Mapping[str, str]) -> Iterator[Row]:
    own, *others = called
    for day, weekday in found:
        if weekday is not None:
            on = date.fromisoformat(day)
            yield Row(
                key=f"working:{day}",
                name=called[own],
                names={language: called[language] for language in others},
                kind=WORKING_DAY,
                first_on=on,
                last_on=on,
                as_weekday=weekday,
            )


def _notes(answer: Mapping[str, Any], *, years: Sequence[int]) -> Iterator[Note]:
    there = {date.fromisoformat(one["day"]).year for one in answer["days"]}
    for year in years:
        if there and year not in there:
            yield Note(code="none_in_year", values={"year": str(year)})
    for day, weekday in answer["working"]:
        if weekday is None:
            yield Note(code="works_like_unknown", values={"day": day})


def _guessed(names: Sequence[str]) -> Iterator[Note]:
    if names:
        yield Note(code="half_day_guessed", values={"names": ", ".join(names[:8])})
