"""The steps of a way through the phases, in order. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any


class Phase(IntEnum):
    """As `PhaseRun.Target`; the numbers are the specification's."""

    BACK = 0
    TABLES = 1
    LOGIC = 2
    PAGES = 3


class Step(StrEnum):
    PAGES = "pages"
    GONE = "gone"
    LOGIC = "logic"
    QUIET = "quiet"
    BACKUP = "backup"
    DIGESTS = "digests"
    TABLES = "tables"
    PROOF = "proof"
    HOME = "home"
    KEYS = "keys"
    VERIFICATION = "verification"


class StepState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


_PAGES = (Step.PAGES, Step.GONE)
_LOGIC = (Step.LOGIC, Step.QUIET)
# From here on it needs two people.
APPROVED = (Step.BACKUP, Step.DIGESTS, Step.TABLES)


def planned(target: int, *, whole: bool, guarded: bool) -> list[Step]:
    """whole: with the phases before it, where they do not hold yet. guarded: no table is moved without
    a proved backup.
    """
    backup = (Step.BACKUP,) if guarded else ()
    if target == Phase.PAGES:
        return list(_PAGES)
    if target == Phase.LOGIC:
        return [*_PAGES, *_LOGIC, Step.DIGESTS]
    if target == Phase.TABLES:
        before = (*_PAGES, *_LOGIC) if whole else (Step.QUIET,)
        return [*before, *backup, Step.DIGESTS, Step.TABLES, Step.PROOF, Step.VERIFICATION]
    return [*backup, Step.HOME, Step.KEYS, Step.PROOF, Step.VERIFICATION]


Progress = Sequence[Mapping[str, Any]]


def next_step(progress: Progress) -> Step | None:
    """:returns: the first that is not done; None: all of them are."""
    for one in progress:
        if one["state"] != StepState.DONE:
            return Step(one["name"])
    return None


def is_done(progress: Progress, step: Step) -> bool:
    return any(one["name"] == step and one["state"] == StepState.DONE for one in progress)


def ended_at(progress: Progress, step: Step) -> datetime | None:
    """:returns: None when it is not done"""
    for one in progress:
        if one["name"] == step and one["state"] == StepState.DONE and one.get("at"):
            took = timedelta(seconds=one.get("seconds") or 0.0)
            return datetime.fromisoformat(one["at"]) + took
    return None


def taken_up_again(progress: Progress) -> list[dict[str, Any]]:
    """What failed waits again; and while no table has moved, so does what was true of them a while ago."""
    is_moved = is_done(progress, Step.TABLES) or is_done(progress, Step.HOME)
    again = () if is_moved else (Step.BACKUP, Step.DIGESTS)
    return [
        {**one, "state": StepState.WAITING.value}
        if one["state"] == StepState.FAILED or one["name"] in again
        else dict(one)
        for one in progress
    ]


def needs_approval(target: int, step: Step) -> bool:
    return target == Phase.TABLES and step in APPROVED


def forecast(figures: Mapping[str, Any], phase: int, *, rows: int) -> float | None:
    """Seconds, by what a rehearsal measured: the same for any number of rows, and more for each million.

    :returns: None where it says nothing about this phase
    """
    found = (figures.get("forecast") or {}).get(str(phase)) or {}
    measured = (figures.get(str(phase)) or {}).get("seconds")
    if found.get("constant") is not None:
        return float(found["constant"]) + float(found.get("per_million") or 0) * rows / 1_000_000
    return None if measured is None else float(measured)


def is_explained(one: Mapping[str, Any]) -> bool:
    """Of a table's rows and digest before and after. Of what came home `whole` is what it would be with every
    row that was set aside put back as it was, and nothing less than that explains a difference; `unlike` are
    those of them that are there and should not be, or the other way round. On the way out whoever was
    deleted on the ground floor meanwhile took their rows along, or left rows without them.
    """
    before, after, whole = one["before"], one["after"], one.get("whole")
    if before is None or after is None:
        return False
    if whole is not None:
        return list(whole) == list(before) and not one.get("unlike")
    if list(before) == list(after):
        return True
    return bool(
        (one.get("deleted") and after[0] < before[0])
        or (one.get("nulled") and after[0] == before[0])
    )
