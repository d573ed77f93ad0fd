"""When a share of bad ones is above a limit for so long that it is no accident. Pure.

A plain ratio of five minutes is trigger-happy at a school's traffic, and a ratio of one minute held for
five is blind. So a breach opens and closes by what the last minute says, and fires only when everything
since it opened says the same with certainty. `tests/rollback/simulated_traffic.py` counts the errors.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

# One-sided: of 1,000 (of 100) bounds one lies on the wrong side.
SURE = 3.09
LIKELY = 2.326


def at_least(bad: int, total: int, *, z: float) -> float:
    """Wilson's lower bound of the share: the true one is hardly below it."""
    return _wilson(bad, total, z)[0]


def at_most(bad: int, total: int, *, z: float) -> float:
    """Wilson's upper bound."""
    return _wilson(bad, total, z)[1]


def _wilson(bad: int, total: int, z: float) -> tuple[float, float]:
    if total <= 0:
        return 0.0, 1.0
    share, square = bad / total, z * z
    middle = share + square / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    whole = 1 + square / total
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there were, and how many bad ones, in steps of equal length; asked for any stretch."""

    total: Sequence[int]
    bad: Sequence[int]

    @classmethod
    def of(cls, total: Sequence[int], bad: Sequence[int]) -> "Counts":
        return cls(list(accumulate(total, initial=0)), list(accumulate(bad, initial=0)))

    def __len__(self) -> int:
        return len(self.total) - 1

    def between(self, start: int, end: int) -> tuple[int, int]:
        """Total and bad of the steps [start, end)."""
        start = max(start, 0)
        return self.total[end] - self.total[start], self.bad[end] - self.bad[start]


@dataclass(frozen=True, slots=True)
class Limits:
    """recent, held: in steps. quiet: so many good enough ones lately close a breach."""

    share: float
    recent: int
    held: int
    quiet: int
    min_bad: int


def breaches(counts: Counts, limits: Limits, *, start: int = 0) -> Iterator[tuple[int, int | None]]:
    """After each step from `start` on: its end, and the step that opened the breach, if one is open.

    It opens when the last minute and the last five are above the limit, or the last minute certainly is:
    what is slow is asked for less often, and would be outweighed for minutes by what was still well. It
    closes when neither holds, or when the last minute holds enough that is not.
    """
    total, bad, share = counts.total, counts.bad, limits.share
    recent, held, quiet = limits.recent, limits.held, limits.quiet
    opened: int | None = None
    for end in range(start + 1, len(total)):
        since, all_bad, all_total = max(end - recent, 0), bad[end], total[end]
        bad_lately, lately = all_bad - bad[since], all_total - total[since]
        is_hot = bad_lately > share * lately
        if opened is None and not is_hot:
            pass
        elif (not is_hot and lately >= quiet) or not (
            _is_above(bad, total, max(end - held, 0), end, share)
            or (is_hot and at_least(bad_lately, lately, z=SURE) > share)
        ):
            opened = None
        elif opened is None:
            opened = end - 1
        yield end, opened


def _is_above(bad: Sequence[int], total: Sequence[int], start: int, end: int, share: float) -> bool:
    return bad[end] - bad[start] > share * (total[end] - total[start])


def fires(counts: Counts, limits: Limits, *, opened: int, end: int) -> bool:
    """Longer than `held`, enough bad ones, certainly above the limit, and still so."""
    if end - opened <= limits.held:
        return False
    lately, bad_lately = counts.between(end - limits.recent, end)
    total, bad = counts.between(opened, end)
    return (
        bad_lately > limits.share * lately
        and bad >= max(limits.min_bad, 1)
        and at_least(bad, total, z=SURE) > limits.share
    )


def worst_since(counts: Counts, share: float) -> int:
    """Where the stretch up to now began that is most above the limit: the fault's likely beginning."""
    size = len(counts)
    excess = [counts.bad[at] - share * counts.total[at] for at in range(size)]
    return min(range(size), key=lambda at: (excess[at], -at), default=0)
