"""At night: does the library still say what was imported? What differs is shown to the office."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from holidays.domain.plan import Item, State, news
from holidays.domain.rows import Reading
from holidays.models import HolidaySource
from holidays.queries.countries import Wanted, public_holidays
from holidays.queries.imports import library_sources, planned, years_of

# The page names a few; the preview shows them all.
NAMED = 5


def look(*, now: datetime) -> int:
    """From this year on: the past is over. One start of the library for all sources.

    :returns: how many sources differ.
    :raises LibraryFailed:
    """
    asked = [
        (source, years)
        for source in library_sources()
        if (years := years_of(source, since=now.year))
    ]
    if not asked:
        return 0
    found = public_holidays(
        [
            Wanted(
                country=source.country,
                subdivision=source.subdivision,
                categories=tuple(source.categories),
                years=tuple(years),
            )
            for source, years in asked
        ]
    )
    return sum(
        _note(source, years, reading, now=now)
        for (source, years), reading in zip(asked, found, strict=True)
    )


def _note(source: HolidaySource, years: Sequence[int], reading: Reading, *, now: datetime) -> bool:
    items: list[Item] = []
    for year in years:
        rows = [row for row in reading.rows if row.first_on.year == year]
        items += planned(
            source=source, region=source.region, rows=rows, years=range(year, year + 1)
        )
    source.difference = _difference(news(items), years, reading.version)
    source.compared_at = now
    source.save(update_fields=["difference", "compared_at"])
    return source.difference is not None


def _difference(items: Sequence[Item], years: Sequence[int], version: str) -> dict[str, Any] | None:
    if not items:
        return None
    counts: dict[str, int] = {}
    for item in items:
        counts[item.state] = counts.get(item.state, 0) + 1
    names = [
        f"{shown['name']} ({shown['first_on']})"
        for item in items[:NAMED]
        if (shown := item.theirs or (item.known and item.known.now))
    ]
    return {
        "years": [min(years), max(years)],
        "version": version,
        "counts": {state.value: counts[state] for state in State if state in counts},
        "names": names,
    }
