"""Wall clocks and instants. Pure.

Instants are epoch seconds, days are `date.toordinal()`. A wall clock becomes an instant as RFC 5545
§ 3.3.5 says: the first of a repeated hour, and forward over a gap (02:30 is 03:30).
"""

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

Period = tuple[int, int]

DAY_SECONDS = 24 * 3600
WEEK = 7


@lru_cache(maxsize=32_768)
def instant(zone: ZoneInfo, day: int, seconds: int) -> int:
    """The epoch second of a wall clock; `seconds` may reach into the next days.

    Cached because each page asks for the same few weeks, and a conversion costs more than the rest.
    """
    days, rest = divmod(seconds, DAY_SECONDS)
    midnight = datetime.fromordinal(day + days)
    # fold=0, the default, is exactly RFC 5545: first occurrence, and the old offset inside a gap.
    return int((midnight + timedelta(seconds=rest)).replace(tzinfo=zone).timestamp())


def day_of(zone: ZoneInfo, second: int) -> int:
    return datetime.fromtimestamp(second, zone).toordinal()


def day_period(zone: ZoneInfo, day: int) -> Period:
    """From midnight to midnight: 23, 24 or 25 hours; empty for a day that a zone has left out."""
    return instant(zone, day, 0), instant(zone, day + 1, 0)


def monday_of(day: int) -> int:
    """1 January of year 1, day 1, was a Monday."""
    return day - (day - 1) % WEEK
