"""Traffic by dice, and what the rules make of it: false alarms a day, and time to detection.

The fold is the one `judge` uses (`domain/breaches.py`), run once over days instead of again at each tick;
a test holds that both say the same.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from rollback.domain.breaches import LIKELY, Counts, Limits, at_least, breaches, fires

STEP = 10
DAY = 86_400 // STEP
# As the specification's triggers for errors have it.
ERRORS = Limits(share=0.02, recent=6, held=30, quiet=60, min_bad=10)
# After a rollback nothing is judged for so long: the pause.
PAUSE = 1800 // STEP


@dataclass(frozen=True)
class Traffic:
    """In steps. The share of errors is `healthy`, and `faulty` for `lasts` steps from `begins` on."""

    rate: float
    healthy: float
    faulty: float = 0.0
    begins: int = 0
    lasts: int = 0


def counts(traffic: Traffic, *, steps: int, dice: random.Random) -> Counts:
    """Errors and the others are two Poisson streams."""
    end = min(traffic.begins + traffic.lasts, steps)
    parts = [(traffic.begins if traffic.lasts else steps, traffic.healthy)]
    if traffic.lasts:
        parts += [(end - traffic.begins, traffic.faulty), (steps - end, traffic.healthy)]
    total: list[int] = []
    bad: list[int] = []
    for length, share in parts:
        errors = poisson(traffic.rate * STEP * share, length, dice)
        others = poisson(traffic.rate * STEP * (1 - share), length, dice)
        bad += errors
        total += [one + other for one, other in zip(errors, others, strict=True)]
    return Counts.of(total, bad)


def poisson(mean: float, length: int, dice: random.Random) -> Sequence[int]:
    if mean == 0:
        return [0] * length
    most = math.ceil(mean + 10 * math.sqrt(mean) + 10)
    weights = [
        math.exp(number * math.log(mean) - mean - math.lgamma(number + 1)) for number in range(most)
    ]
    return dice.choices(range(most), cum_weights=list(accumulate(weights)), k=length)


def firings(of: Counts, limits: Limits = ERRORS) -> Iterator[int]:
    """The steps at whose end it fires; after each, the pause."""
    quiet_until = 0
    for end, opened in breaches(of, limits):
        if opened is not None and end >= quiet_until and fires(of, limits, opened=opened, end=end):
            yield end
            quiet_until = end + PAUSE


def false_alarms(traffic: Traffic, *, days: int, seed: int) -> int:
    return sum(
        1
        for day in range(days)
        for _end in firings(counts(traffic, steps=DAY, dice=random.Random(seed * 10_000 + day)))
    )


def detections(traffic: Traffic, *, trials: int, seed: int) -> list[float]:
    """Seconds from the fault's begin to the firing, of each trial; infinite where it is not found."""
    found = []
    for trial in range(trials):
        dice = random.Random(seed * 10_000 + trial)
        of = counts(traffic, steps=traffic.begins + traffic.lasts, dice=dice)
        first = next((end for end in firings(of) if end > traffic.begins), None)
        found.append(math.inf if first is None else float((first - traffic.begins) * STEP))
    return found


def completion_alarms(*, n: int, true: float, threshold: float = 0.7) -> float:
    """The exact probability that a window of n starts is a breach, of which `true` are finished."""
    return sum(
        math.comb(n, bad) * (1 - true) ** bad * true ** (n - bad)
        for bad in range(n + 1)
        if at_least(bad, n, z=LIKELY) > 1 - threshold
    )
