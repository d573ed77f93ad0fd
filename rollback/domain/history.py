"""What a rule would have come to in the past, in one pass over all that is kept. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from rollback.domain.breaches import LIKELY, at_least, breaches, fires
from rollback.domain.evidence import STEP, Rule, malformed
from rollback.domain.grids import Grid, grid_of
from rollback.domain.metrics import Method, Slots


def breach_times(
    rule: Rule, slots: Slots, *, until: datetime, pause: timedelta
) -> Iterator[datetime]:
    """When the rule would have come to BREACH, at the end of a slot; after each, `pause` is left out.

    Slots of one length only, and none longer than the window.
    """
    if malformed(rule) is not None or rule.method == Method.COUNT or not slots:
        return
    first = min(slot.begins_at for slot in slots)
    reach = max(int((until - first).total_seconds()), STEP)
    grid = grid_of(rule, slots, now=until, reach=reach)
    if grid is None:
        return
    quiet_until = first
    for end in _breach_ends(rule, grid):
        if grid.at(end) >= quiet_until:
            yield grid.at(end)
            quiet_until = grid.at(end) + pause


def _breach_ends(rule: Rule, grid: "Grid") -> Iterator[int]:
    counts, limits = grid.counts, grid.limits
    if rule.method == Method.SUSTAINED:
        for end, opened in breaches(counts, limits):
            if opened is not None and fires(counts, limits, opened=opened, end=end):
                yield end
        return
    limit = 1 - rule.threshold if rule.method == Method.BELOW else rule.threshold
    for end in range(1, len(counts) + 1):
        total, bad = counts.between(end - limits.recent, end)
        is_enough = total >= limits.quiet and bad >= max(limits.min_bad, 1)
        if is_enough and at_least(bad, total, z=LIKELY) > limit:
            yield end
