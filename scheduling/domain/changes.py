"""Changes of the calendar, whom they concern, and which of them somebody may have missed."""

import json
from collections import deque
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

KINDS = ("lesson", "hours", "closure")
# Who is told whatever happens there: what has neither teacher nor student concerns all of them.
EVERYBODY = "*"

Topic = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """version: of the transaction that wrote it, which grows for ever and is never used twice."""

    version: int
    what: str
    teacher: int | None = None
    student: int | None = None

    @property
    def topics(self) -> tuple[Topic, ...]:
        if self.teacher is None and self.student is None:
            return (EVERYBODY,)
        whose = ((of_teacher, self.teacher), (of_student, self.student))
        return tuple(topic(number) for topic, number in whose if number is not None)


def of_teacher(number: int) -> Topic:
    return f"t{number}"


def of_student(number: int) -> Topic:
    return f"s{number}"


def read(payload: str) -> Change:
    """What the database says.

    :raises ValueError: it is nothing that we say.
    """
    said = json.loads(payload)
    if not isinstance(said, dict) or said.get("w") not in KINDS:
        raise ValueError(f"No change of a calendar: {payload[:100]}")
    teacher, student = said.get("t"), said.get("s")
    if not all(isinstance(one, int | None) for one in (teacher, student)):
        raise ValueError(f"No ids: {payload[:100]}")
    return Change(version=int(said["v"]), what=said["w"], teacher=teacher, student=student)


class Ring:
    """The recent changes, all of them from version `complete_from` on.

    complete_from: the first transaction number that had not begun to end when we were listening
    already (pg_snapshot_xmax). Not the oldest one that was running: a younger one may have ended
    before we listened.
    """

    def __init__(self, *, complete_from: int, most: int, seconds: float) -> None:
        self.complete_from = complete_from
        self._most = most
        self._seconds = seconds
        self._kept: deque[tuple[float, Change]] = deque()

    def add(self, change: Change, *, at: float) -> None:
        """`at` as in time.monotonic()."""
        self._kept.append((at, change))
        while self._kept and (
            len(self._kept) > self._most or self._kept[0][0] < at - self._seconds
        ):
            _at, forgotten = self._kept.popleft()
            self.complete_from = max(self.complete_from, forgotten.version + 1)

    def since(self, version: int, topics: AbstractSet[Topic]) -> Iterator[Change] | None:
        """What the transactions from `version` on changed there; None: we do not know all of it.

        A page's version is the oldest transaction that was still running when it was read, so
        whatever it has not seen has that number or a higher one.
        """
        if version < self.complete_from:
            return None
        return (
            change
            for _at, change in self._kept
            if change.version >= version and not topics.isdisjoint(change.topics)
        )
