"""Where floors above may plug something into the ground floor, which itself knows nobody upstairs.

Each socket has a working default, so the school runs with nothing plugged in.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from enrollment.models import Course, Enrollment, Lesson, Student, User


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """One answer that was typed in two places; the student chooses (`includes/doubts.html`).

    here: the text in the form's field. there: the other, which was `saved` or only kept, at
    `there_at` (in words, on the student's clock). reference: what a choice is posted with.
    replaces: `there` may stand for `here`. joins: both may be kept.
    """

    name: str
    label: str
    here: str
    there: str
    there_at: str
    saved: bool
    reference: str
    replaces: bool = True
    joins: bool = True


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """What the enrollment form begins with, when something was kept from an earlier try.

    answers: initial values by form field name. notices: sentences shown above the form.
    autosave_url: where the page may post what is being typed; empty: nowhere.
    stamps: hidden fields that say what the form was filled from.
    """

    answers: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    saved_at: datetime | None = None
    autosave_url: str = ""
    stamps: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()


# A student and a course, by id.
Pair = tuple[int, int]


class Keeper(Protocol):
    """Keeps unfinished enrollments. Never raises: the original flow must not depend on it."""

    def begin(
        self, *, student: Student, course: Course, posted: Mapping[str, str] | None = None
    ) -> Beginning:
        """posted: what the form shows already, when it comes back."""

    def settle(
        self, *, student: Student, course: Course, posted: Mapping[str, str]
    ) -> Mapping[str, str]:
        """What was posted, once the choices in it have been followed."""

    def is_stale(self, *, student: Student, course: Course, posted: Mapping[str, str]) -> bool:
        """Whether something is saved that the posted page did not show; asked under the student's lock."""

    def keep(
        self, *, student: Student, course: Course, answers: Mapping[str, str]
    ) -> Mapping[str, str]:
        """What was typed when no enrollment came of it, by form field name, as it was posted.

        :returns: what the form now shows: this, and what only another page has changed.
        """

    def finished(self, *, enrollment: Enrollment) -> None:
        """Called inside the transaction that made the enrollment."""

    def drafted(self, *, pairs: Collection[Pair]) -> Collection[Pair] | None:
        """Of these those with an unfinished enrollment. None: nobody knows."""


class KeepsNothing:
    def begin(
        self, *, student: Student, course: Course, posted: Mapping[str, str] | None = None
    ) -> Beginning:
        return Beginning()

    def settle(
        self, *, student: Student, course: Course, posted: Mapping[str, str]
    ) -> Mapping[str, str]:
        return posted

    def is_stale(self, *, student: Student, course: Course, posted: Mapping[str, str]) -> bool:
        return False

    def keep(
        self, *, student: Student, course: Course, answers: Mapping[str, str]
    ) -> Mapping[str, str]:
        return answers

    def finished(self, *, enrollment: Enrollment) -> None:
        return None

    def drafted(self, *, pairs: Collection[Pair]) -> Collection[Pair] | None:
        return None


_keeper: Keeper = KeepsNothing()


def plug_keeper(keeper: Keeper) -> None:
    global _keeper
    _keeper = keeper


def keeper() -> Keeper:
    return _keeper


@dataclass(frozen=True, kw_only=True)
class Link:
    """A page of a floor above. url: from the site's root."""

    label: str
    url: str


# What else there is for this person just now: mails lead there, as the pages' navigation does.
# Never raises: no mail may depend on it.
LinksFor = Callable[[User], Sequence[Link]]


def _no_links(user: User) -> Sequence[Link]:
    return ()


_links_for: LinksFor = _no_links


def plug_links(find: LinksFor) -> None:
    global _links_for
    _links_for = find


def links_for(user: User) -> Sequence[Link]:
    return _links_for(user)


# Which of these holds, by id, stand for somebody who fills in no form: who waits for a time, say.
# None: nobody knows. Never raises.
WaitedFor = Callable[[Collection[int]], Collection[int] | None]


def _nobody_waits(holds: Collection[int]) -> Collection[int] | None:
    return ()


_waited_for: WaitedFor = _nobody_waits


def plug_waited_for(find: WaitedFor) -> None:
    global _waited_for
    _waited_for = find


def waited_for(holds: Collection[int]) -> Collection[int] | None:
    return _waited_for(holds)


@dataclass(frozen=True, kw_only=True)
class OfLesson:
    """What somebody can do with one lesson just now; note: until when, or why not."""

    links: tuple[Link, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Actions:
    """What floors above let a person do: with an enrollment as a whole, and with lessons by their id."""

    links: tuple[Link, ...] = ()
    lessons: Mapping[int, OfLesson] = field(default_factory=dict)


class ActionsFor(Protocol):
    """For the pages that show an enrollment or lessons. Never raises: they are shown without."""

    def __call__(
        self,
        *,
        user: User,
        lessons: Sequence[Lesson],
        now: datetime,
        enrollment: Enrollment | None = None,
    ) -> Actions: ...


def _no_actions(
    *,
    user: User,
    lessons: Sequence[Lesson],
    now: datetime,
    enrollment: Enrollment | None = None,
) -> Actions:
    return Actions()


_actions_for: ActionsFor = _no_actions


def plug_actions(find: ActionsFor) -> None:
    global _actions_for
    _actions_for = find


def actions_for(
    *,
    user: User,
    lessons: Sequence[Lesson],
    now: datetime,
    enrollment: Enrollment | None = None,
) -> Actions:
    return _actions_for(user=user, lessons=lessons, now=now, enrollment=enrollment)


# (course, apart from whom, now) -> how many of its places are kept free for others.
ReservedPlaces = Callable[[Course, Student | None, datetime], int]


def _none_reserved(course: Course, apart_from: Student | None, now: datetime) -> int:
    return 0


_reserved_places: ReservedPlaces = _none_reserved


def plug_reserved_places(count: ReservedPlaces) -> None:
    global _reserved_places
    _reserved_places = count


def reserved_places(*, course: Course, apart_from: Student | None, now: datetime) -> int:
    return _reserved_places(course, apart_from, now)


def _nobody_listens() -> None:
    return None


_became_free: Callable[[], None] = _nobody_listens


def plug_became_free(tell: Callable[[], None]) -> None:
    global _became_free
    _became_free = tell


def something_became_free() -> None:
    """A lesson or an enrollment may have been cancelled; called once that is committed."""
    _became_free()


class Wording(Protocol):
    """What a student reads about a lesson, in words that the school may have changed. Never raises."""

    def __call__(self, *, letter: str, language: str, values: Mapping[str, str]) -> str | None:
        """letter: "moved", "cancelled", "substituted" or "conflict". values: name, course, teacher, before,
        after, news (what is added; may be empty) and link.

        :returns: without a closing; None: the ground floor's own words are to be taken
        """


def _own_words(*, letter: str, language: str, values: Mapping[str, str]) -> str | None:
    return None


_wording: Wording = _own_words


def plug_wording(find: Wording) -> None:
    global _wording
    _wording = find


def wording(*, letter: str, language: str, values: Mapping[str, str]) -> str | None:
    return _wording(letter=letter, language=language, values=values)
