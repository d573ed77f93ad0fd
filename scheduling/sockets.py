"""Where the site plan plugs in what scheduling needs and must not import."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date

from enrollment.models import User
from scheduling.domain.closures import Named

# (teacher id, first day, last day; both counted) -> the closed days among them, and their names.
ClosedDays = Callable[[int, date, date], Mapping[date, str]]


def _never_closed(teacher_id: int, first: date, last: date) -> Mapping[date, str]:
    return {}


# The same for many teachers at once: teacher id -> closed days and their names.
ClosedDaysOfMany = Callable[[Collection[int], date, date], Mapping[int, Mapping[date, str]]]


def _one_by_one(
    teacher_ids: Collection[int], first: date, last: date
) -> Mapping[int, Mapping[date, str]]:
    return {pk: _closed_days(pk, first, last) for pk in teacher_ids}


_closed_days: ClosedDays = _never_closed
_closed_days_of_many: ClosedDaysOfMany = _one_by_one


def plug_closed_days(find: ClosedDays, *, of_many: ClosedDaysOfMany = _one_by_one) -> None:
    """of_many: says the same with one question."""
    global _closed_days, _closed_days_of_many
    _closed_days, _closed_days_of_many = find, of_many


def closed_days(*, teacher_id: int, first: date, last: date) -> Mapping[date, str]:
    return _closed_days(teacher_id, first, last)


def closed_days_of_many(
    *, teacher_ids: Collection[int], first: date, last: date
) -> Mapping[int, Mapping[date, str]]:
    return _closed_days_of_many(teacher_ids, first, last)


def named_closures(
    *, teachers: Collection[int], courses: Collection[int], first: date, last: date
) -> Sequence[Named]:
    return ()


# Whether this person has the feature just now: it may be on for some only.
HasFeature = Callable[[User], bool]


def _everybody_has(user: User) -> bool:
    return True


_has_feature: HasFeature = _everybody_has


def plug_has_feature(find: HasFeature) -> None:
    global _has_feature
    _has_feature = find


def has_feature(*, user: User) -> bool:
    return _has_feature(user)
