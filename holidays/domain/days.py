"""Calendar days. Pure."""

from collections.abc import Iterator
from datetime import date, timedelta


def days_between(first: date, last: date) -> Iterator[date]:
    """Every day from `first` to `last`, both counted; none when `last` is earlier."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)
