"""What a verification makes of what its probes found. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any

# A page may become this much slower than its baseline, and this much more: a page of 3 ms that takes
# 60 is nobody's trouble, and by day the machine is busier than in the night of the baseline.
TIMES_SLOWER = 2
FLOOR_MS = 100
# Without a baseline: no page of the original flow may take longer.
WITHOUT_BASELINE_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """words: one or a few sentences. is_compared: False where there was nothing to compare with, so
    that a result which says little does not look like one that says all.
    """

    words: str
    facts: dict[str, Any] = field(default_factory=dict)
    is_compared: bool = True


class ProbeFailed(Exception):
    """The message says in words what was found; `facts` for whoever looks further."""

    def __init__(self, words: str, **facts: Any) -> None:
        super().__init__(words)
        self.facts = facts


def slowest_allowed(baseline_p50: float | None) -> float:
    """Of the median, in ms."""
    if baseline_p50 is None:
        return WITHOUT_BASELINE_MS
    return baseline_p50 * TIMES_SLOWER + FLOOR_MS


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """Of at least one: p50, and p95 as the smallest that at least 95 % do not exceed."""
    ordered = sorted(milliseconds)
    place = max(0, -(-len(ordered) * 95 // 100) - 1)
    return {"p50": round(median(ordered), 1), "p95": round(ordered[place], 1)}


def recovery_time(
    *, first_bad_at: datetime | None, opened_at: datetime, verified_at: datetime | None
) -> timedelta | None:
    """From the first bad sample (or, without one, from the opening) to the passed verification."""
    if verified_at is None:
        return None
    return verified_at - min(first_bad_at or opened_at, opened_at)
