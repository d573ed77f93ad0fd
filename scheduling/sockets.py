"""Where the site plan plugs in what scheduling needs and must not import."""

from collections.abc import Callable, Mapping
from datetime import date

# (teacher id, first day, last day; both counted) -> the closed days among them, and their names.
ClosedDays = Callable[[int, date, date], Mapping[date, str]]


def _never_closed(teacher_id: int, first: date, last: date) -> Mapping[date, str]:
    return {}


_closed_days: ClosedDays = _never_closed


def plug_closed_days(find: ClosedDays) -> None:
    global _closed_days
    _closed_days = find


def closed_days(*, teacher_id: int, first: date, last: date) -> Mapping[date, str]:
    return _closed_days(teacher_id, first, last)
