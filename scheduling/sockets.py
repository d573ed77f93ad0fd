"""Where the site plan plugs in what scheduling needs and must not import."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from typing import Protocol

from enrollment.models import User
from scheduling.domain.closures import Closures, Named


class ClosuresOf(Protocol):
    """Each teacher's closures from `first` to `last`, both counted. Never raises.

    course: what closes that course alone counts, too; None: it does not.
    """

    def __call__(
        self, *, teachers: Collection[int], course: int | None, first: date, last: date
    ) -> Mapping[int, Closures]: ...


class NamedClosures(Protocol):
    """What closes the days of any of these, in words, by the first day. Never raises."""

    def __call__(
        self, *, teachers: Collection[int], courses: Collection[int], first: date, last: date
    ) -> Sequence[Named]: ...


def _never_closed(
    *, teachers: Collection[int], course: int | None, first: date, last: date
) -> Mapping[int, Closures]:
    return {}


def _nothing_named(
    *, teachers: Collection[int], courses: Collection[int], first: date, last: date
) -> Sequence[Named]:
    return ()


_closures: ClosuresOf = _never_closed
_named_closures: NamedClosures = _nothing_named


def plug_closures(find: ClosuresOf, *, named: NamedClosures = _nothing_named) -> None:
    global _closures, _named_closures
    _closures, _named_closures = find, named


def closures(*, teacher_id: int, course_id: int | None, first: date, last: date) -> Closures:
    found = _closures(teachers=(teacher_id,), course=course_id, first=first, last=last)
    return found.get(teacher_id, Closures())


def closures_of_many(
    *, teachers: Collection[int], course: int | None, first: date, last: date
) -> Mapping[int, Closures]:
    """Who is not in it is never closed."""
    return _closures(teachers=teachers, course=course, first=first, last=last)


def named_closures(
    *, teachers: Collection[int], courses: Collection[int], first: date, last: date
) -> Sequence[Named]:
    return _named_closures(teachers=teachers, courses=courses, first=first, last=last)


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
