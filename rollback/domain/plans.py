"""Plans: their states as a table, and which step is next when. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from itertools import pairwise


class PlanState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    ABORTED = "aborted"


PLAN_STEPS: Mapping[str, frozenset[str]] = {
    PlanState.RUNNING: frozenset({PlanState.PAUSED, PlanState.DONE, PlanState.ABORTED}),
    PlanState.PAUSED: frozenset({PlanState.RUNNING, PlanState.DONE, PlanState.ABORTED}),
    PlanState.DONE: frozenset(),
    PlanState.ABORTED: frozenset(),
}

LIVE = (PlanState.RUNNING, PlanState.PAUSED)

Steps = Sequence[tuple[Decimal, int]]

# The share in %, then how long to look at it, in seconds. Down from wherever it stands.
DOWN: Steps = ((Decimal(50), 300), (Decimal(25), 300), (Decimal(0), 0))
UP: Steps = ((Decimal(10), 600), (Decimal(25), 600), (Decimal(50), 600), (Decimal(100), 0))

LONGEST_DWELL = 7 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """skipped: done without doing anything, so nothing is to be looked at either."""

    number: int
    percent: Decimal
    dwell_seconds: int
    done_at: datetime | None = None
    skipped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """at: empty, at once."""

    step: Step
    at: datetime | None

    def is_due(self, now: datetime) -> bool:
        return self.at is None or self.at <= now


def next_due(steps: Sequence[Step]) -> Due | None:
    """:returns: the first step that is not done, and when it may be; None: all of them are."""
    taken = [step for step in steps if step.done_at is not None and not step.skipped]
    last = max(taken, key=lambda step: step.number, default=None)
    for step in steps:
        if step.done_at is None:
            return Due(step=step, at=_looked_at(last))
    return None


def _looked_at(step: Step | None) -> datetime | None:
    if step is None or step.done_at is None:
        return None
    return step.done_at + timedelta(seconds=step.dwell_seconds)


def goes_one_way(steps: Steps, *, up: bool) -> bool:
    """Whether each share is beyond the one before it."""
    shares = [percent for percent, _ in steps]
    return all(after > before if up else after < before for before, after in pairwise(shares))


def parsed(text: str) -> Steps:
    """From "50:300,25:300,0": shares in %, each with the seconds to wait then.

    :raises ValueError: with the part that is none
    """
    return [_one(part.strip()) for part in text.split(",")]


def _one(part: str) -> tuple[Decimal, int]:
    share, _, seconds = part.partition(":")
    try:
        return Decimal(share.strip().removesuffix("%").strip()), int(seconds or "0")
    except (InvalidOperation, ValueError) as error:
        raise ValueError(part) from error
