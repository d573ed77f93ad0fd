"""Many teachers' time as big integers: a bit for each unit of time, all of it at once. Pure.

What `slots.free_slots` finds by sweeping, one teacher after the other, in a few operations on whole
months. A property test holds that both say the same.
"""

from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from itertools import compress
from math import gcd
from typing import NamedTuple
from zoneinfo import ZoneInfo

from scheduling.domain.clock import DAY_SECONDS, Period
from scheduling.domain.hours import DayHours, Rule, open_windows
from scheduling.domain.policy import Policy

# Of finer units a month has too many: whoever begins lessons at odd seconds is swept for.
FINEST = 60

Rows = tuple[tuple[int, ...], ...]
# Of `Closures`, as something that can be a key.
WorksLike = tuple[tuple[date, int], ...]
AS_TRUTH = bytes.maketrans(b"0", bytes(1))


class Ruler(NamedTuple):
    """Bit n is the time from `origin` plus n units, one unit long. `size` bits are looked at."""

    origin: int
    unit: int
    size: int

    def marked(self, periods: Iterable[Period]) -> int:
        """The bits that these touch. As no slot begins or ends within a bit, nothing is lost."""
        origin, unit, size = self
        bits = 0
        for start, end in periods:
            first = (start - origin) // unit
            last = (end - origin - 1) // unit + 1
            # What is in no bit at all, or sticks out of the first or the last.
            if first < 0:
                first = 0
            if last > size:
                last = size
            if first < last and start < end:
                bits |= _ones(last - first) << first
        return bits

    def starts(self, bits: int, length: int) -> list[Period]:
        """A period of `length` seconds for each bit that is set, in order of time."""
        # The lowest bit stands last, so the text is read backwards.
        is_set = f"{bits:b}"[::-1].encode().translate(AS_TRUTH)
        return list(compress(_every_period(self, length), is_set))


class Grid(NamedTuple):
    """Every start that a teacher's hours offer."""

    ruler: Ruler
    bits: int


@lru_cache(maxsize=2_048)
def grid(
    *,
    rules: Rows,
    exceptions: Rows,
    zone: ZoneInfo,
    policy: Policy,
    since: int,
    until: int,
    works_like: WorksLike = (),
) -> Grid | None:
    """None: it has a start at an odd second. rules, exceptions: as `Rule.of` and `DayHours.of` read
    them. since, until: midnights in UTC, at least a day around what is asked.

    Cached, because teachers share their hours, and everybody asks about the same weeks.
    """
    windows = open_windows(
        rules=[Rule.of(row) for row in rules],
        exceptions=[DayHours.of(row) for row in exceptions],
        zone=zone,
        since=since,
        until=until,
        works_like=dict(works_like),
    )
    length, step = policy.length, policy.step
    counts = [
        (start, (end - start - length) // step + 1)
        for start, end in windows
        if start >= since and end - start >= length
    ]
    buffers = policy.buffer_before * 60, policy.buffer_after * 60
    unit = gcd(DAY_SECONDS, step, length, *buffers, *(start for start, _ in counts))
    if unit < FINEST:
        return None
    ruler = Ruler(origin=since, unit=unit, size=(until - since) // unit)
    bits = 0
    for start, count in counts:
        bits |= _every(step // unit, count) << ((start - since) // unit)
    return Grid(ruler, bits)


def free_starts(
    grid: Grid, policy: Policy, *, busy: Iterable[Period], away: Iterable[Period]
) -> int:
    """The starts of the grid from which a lesson touches none of `away`, and with its own buffers
    none of `busy`, in which those of the other lessons are counted already."""
    ruler = grid.ruler
    whole = _ones(ruler.size)
    length = policy.length // ruler.unit
    before = policy.buffer_before * 60 // ruler.unit
    after = policy.buffer_after * 60 // ruler.unit
    rested = _runs(whole ^ ruler.marked(busy), before + length + after) << before
    return grid.bits & rested & _runs(whole ^ ruler.marked(away), length)


def within(ruler: Ruler, bits: int, *, first: int, last: int) -> int:
    """Those of the starts that lie in [first, last), which may be any second."""
    low = max(0, -((ruler.origin - first) // ruler.unit))
    high = max(0, -((ruler.origin - last) // ruler.unit))
    return bits >> low << low & (1 << high) - 1


def _runs(bits: int, length: int) -> int:
    """The bits with which `length` bits that are set begin: each step doubles what is known."""
    known = 1
    while known < length:
        shift = min(known, length - known)
        bits &= bits >> shift
        known += shift
    return bits


@lru_cache(maxsize=4)
def _every_period(ruler: Ruler, length: int) -> list[Period]:
    """Cached, because all teachers pick theirs of the same ones."""
    end = ruler.origin + ruler.size * ruler.unit
    return [(begin, begin + length) for begin in range(ruler.origin, end, ruler.unit)]


@lru_cache(maxsize=512)
def _ones(count: int) -> int:
    return (1 << count) - 1


@lru_cache(maxsize=512)
def _every(step: int, count: int) -> int:
    """`count` bits, each `step` after the one before."""
    return ((1 << step * count) - 1) // ((1 << step) - 1)
