"""What of a period falls on which date of somebody's calendar. Pure."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from scheduling.domain.clock import Period, day_of, day_period


def by_day(
    periods: Iterable[Period], *, zone: ZoneInfo, first: int, last: int
) -> dict[int, list[Period]]:
    """Cut at the midnights; days are `date.toordinal()`, `first` and `last` both counted."""
    found: dict[int, list[Period]] = {}
    for start, end in periods:
        for day in range(max(first, day_of(zone, start)), min(last, day_of(zone, end - 1)) + 1):
            opens, closes = day_period(zone, day)
            if max(start, opens) < min(end, closes):
                found.setdefault(day, []).append((max(start, opens), min(end, closes)))
    return found
