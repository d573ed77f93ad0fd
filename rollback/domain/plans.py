"""Plans: their states as a table, and which step is next when. Pure."""

from collections.abc import Mapping
from enum import StrEnum


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
