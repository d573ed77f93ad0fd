"""Calendar days. Pure."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta


def days_between(first: date, last: date) -> Iterator[date]:
    """Every day from `first` to `last`, both counted; none when `last` is earlier."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def runs(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """Days that follow each other as one: its first and its last, both counted."""
    first: date | None = None
    last = date.min
    for day in sorted(days):
        if first is None or day > last + timedelta(days=1):
            if first is not None:
                yield first, last
            first = day
        last = day
    if first is not None:
        yield first, last
