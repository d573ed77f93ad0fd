"""Where every floor says which contradictions it can find. The ground floor's own are never gated.

    TIME_OFF = Detector(
        kind="time_off",                     # in the database and in addresses; at most 40 letters
        title=_("Lesson in time off"),
        find=find,
        words=words,
    )
    detectors.register(TIME_OFF)             # from AppConfig.ready, or from the site plan

A feature registers through the site plan, with `find` and `resolve` called through its gate, and
`instead=None`: “could not be asked”. Its open conflicts then stay as they are, and the office can
still read and end them: `words` is asked even then. Registering asks nothing; everything is asked
with the detector's own keyword arguments, so that a call may be wrapped whole.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from django.utils.functional import Promise

from enrollment.domain.findings import Finding

if TYPE_CHECKING:
    from enrollment.models import Conflict, Lesson, Teacher

Text = str | Promise


class Find(Protocol):
    def __call__(
        self, *, now: datetime, lessons: Collection[int] | None
    ) -> Iterable[Finding] | None:
        """Everything of this kind that is so now. lessons: only what one of these has part in.

        None: could not be asked. Sets, never row by row: it runs at every change.
        """


class Words(Protocol):
    def __call__(self, *, conflict: "Conflict") -> str:
        """A sentence for the office, from the conflict's facts; what it names may be gone by now."""


class Links(Protocol):
    def __call__(self, *, conflict: "Conflict") -> Sequence[tuple[str, str]] | None:
        """Where it can be mended: what the link says, and its address."""


class Resolve(Protocol):
    def __call__(self, *, conflict: "Conflict", now: datetime) -> str | None:
        """The safe rule, in a transaction of its own. It locks what it changes, in the order of all
        locks, and looks again whether it is still so. Whatever it did is undone when a person has
        ended the conflict meanwhile; a SlotTaken, too, and then it is asked again at the next search.

        :returns: what was done, as a sentence; None: nothing, a person has to decide.
        """


class Offers(Protocol):
    def __call__(
        self, *, lesson: "Lesson", teacher: "Teacher", now: datetime
    ) -> Sequence[datetime] | None:
        """Where this lesson may go instead, nearest first. None: as the ground floor sees it."""


@dataclass(frozen=True, kw_only=True)
class Detector:
    """offers: better ones than those from lessons and live holds alone. displaces: what it names are
    lessons that stand where they should not; before something is saved, the office sees those that
    would come to (`operations.impact`). links: for what no choice about a lesson mends."""

    kind: str
    title: Text
    find: Find
    words: Words
    resolve: Resolve | None = None
    offers: Offers | None = None
    links: Links | None = None
    displaces: bool = False


_detectors: dict[str, Detector] = {}


def register(detector: Detector) -> None:
    """Registering the same kind again replaces it: `ready` may run twice in tests."""
    _detectors[detector.kind] = detector


def registered() -> tuple[Detector, ...]:
    return tuple(_detectors.values())


def get(kind: str) -> Detector | None:
    """None: its floor has been taken away; what it found is still there."""
    return _detectors.get(kind)
