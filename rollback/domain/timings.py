"""Measured times as counts in fixed classes, so that any number of them can be added up."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

# Ten classes for each power of ten: class 27 ends at 501 ms, class 33 at 1,995 ms.
PER_POWER = 10
MOST_MILLISECONDS = 60_000
CLASSES = 49
# Where class n ends; the first holds all that took no more than a millisecond.
BOUNDS = tuple(10 ** (number / PER_POWER) for number in range(CLASSES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """p50 and p95 in milliseconds, within about a tenth; None without any. errors: 5xx among them."""

    count: int
    errors: int
    p50: float | None
    p95: float | None


def class_of(milliseconds: float) -> int:
    if milliseconds <= 1:
        return 0
    return min(math.ceil(math.log10(milliseconds) * PER_POWER), CLASSES - 1)


def percentile(counts: Sequence[int], percent: float) -> float | None:
    """Within its class as if the values lay evenly in it."""
    rank = sum(counts) * percent / 100
    if not rank:
        return None
    below = list(accumulate(counts, initial=0))
    number = next(place for place in range(len(counts)) if below[place + 1] >= rank)
    start = BOUNDS[number - 1] if number else 0.0
    return start + (BOUNDS[number] - start) * (rank - below[number]) / counts[number]


def summed(counts: Sequence[int], errors: int) -> Timings:
    return Timings(
        count=sum(counts),
        errors=errors,
        p50=percentile(counts, 50),
        p95=percentile(counts, 95),
    )
