"""Slots of time, laid out evenly. Pure."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rollback.domain.breaches import Counts, Limits
from rollback.domain.evidence import STEP, Rule
from rollback.domain.metrics import Slot, Slots


@dataclass(frozen=True, slots=True)
class Grid:
    """The slots as steps of equal length that end with the last one that is over."""

    step: int
    end: datetime
    cells: Slots
    counts: Counts
    limits: Limits

    def at(self, step: int) -> datetime:
        return self.end - timedelta(seconds=(len(self.counts) - step) * self.step)


def grid_of(rule: Rule, slots: Slots, *, now: datetime, reach: int) -> Grid | None:
    looked = overlapping(slots, now - timedelta(seconds=reach + STEP), now)
    step = max((slot.seconds for slot in looked), default=STEP)
    if step > rule.window_seconds:
        return None
    size = math.ceil(reach / step)
    end = _floor(now, step)
    start = end - timedelta(seconds=size * step)
    total, bad = [0] * size, [0] * size
    for slot in looked:
        place = (slot.begins_at - start) // timedelta(seconds=step)
        if 0 <= place < size:
            total[place] += slot.total
            bad[place] += slot.bad
    cells = [
        Slot(start + timedelta(seconds=place * step), step, total[place], bad[place])
        for place in range(size)
    ]
    limits = Limits(
        share=rule.threshold,
        recent=math.ceil(rule.window_seconds / step),
        held=math.ceil(rule.held_seconds / step),
        quiet=max(rule.min_total, 1),
        min_bad=rule.min_bad,
    )
    return Grid(step, end, cells, Counts.of(total, bad), limits)


def overlapping(slots: Slots, since: datetime, until: datetime) -> list[Slot]:
    """In order. Without those that a clock which was set has put into the future, or cannot be."""
    found = (
        Slot(slot.begins_at, slot.seconds, slot.total, min(slot.bad, slot.total))
        for slot in slots
        if slot.seconds > 0
        and slot.total > 0
        and slot.bad >= 0
        and since < slot.begins_at + timedelta(seconds=slot.seconds)
        and slot.begins_at < until
    )
    return sorted(found, key=lambda slot: (slot.begins_at, slot.seconds))


def _floor(moment: datetime, step: int) -> datetime:
    whole = int(moment.timestamp() // step) * step
    return datetime.fromtimestamp(whole, UTC)
