"""The same evidence again, and what another threshold would have come to."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from rollback import metrics, triggers
from rollback.domain.history import breach_times
from rollback.domain.metrics import Metric, Slot, Verdict
from rollback.domain.triggers import (
    Evidence,
    Finding,
    NotReadable,
    Rule,
    from_json,
    judge,
    malformed,
)
from rollback.models import Judgment, Sample, Trigger

# Of these the rows say how it is, not how it was: which processes lived is forgotten in ten minutes.
ONLY_NOW = frozenset({Metric.CONFLICTS, Metric.HOLIDAYS, Metric.LOCAL_TRIPS})
# Those that are no samples are asked again for each of these moments.
EVERY = timedelta(minutes=10)
# More often where the window is shorter than that, or what happened between two would be in none.
SHORTEST = timedelta(seconds=10)
SAMPLED = frozenset(Metric) - triggers.COUNTS - {Metric.COMPLETION, Metric.ABANDONED}


class CannotReplay(Exception):
    """The message says why, and what can be replayed instead."""


@dataclass(frozen=True, kw_only=True)
class Again:
    """differences: what, as kept, as it comes out now; none: the same verdict, in the same words."""

    judgment: Judgment
    differences: list[tuple[str, str, str]]


@dataclass(frozen=True, kw_only=True)
class Fired:
    at: datetime
    finding: Finding


@dataclass(frozen=True, kw_only=True)
class Past:
    """slots: how many there were, by length in seconds."""

    rule: Rule
    fired: list[Fired]
    slots: dict[int, int]


def again(judgment: Judgment) -> Again:
    try:
        finding = judge(*from_json(judgment.evidence))
    except NotReadable as error:
        return Again(judgment=judgment, differences=[("evidence", "–", f"not readable: {error}")])
    pairs = (
        ("verdict", judgment.verdict, finding.verdict.value),
        ("words", judgment.words, finding.words),
        ("first bad sample", _iso(judgment.first_bad_at), _iso(finding.first_bad_at)),
    )
    return Again(judgment=judgment, differences=[pair for pair in pairs if pair[1] != pair[2]])


def _iso(at: datetime | None) -> str:
    return at.isoformat() if at else "–"


def past(*, row: Trigger, threshold: float | None, since: datetime, until: datetime) -> Past:
    """What the trigger would have come to, with its own threshold or another one.

    :raises CannotReplay:
    """
    rule = triggers.rule_of(row)
    if threshold is not None:
        rule = replace(rule, threshold=threshold)
    if (wrong := malformed(rule)) is not None:
        raise CannotReplay(str(wrong))
    if rule.metric in ONLY_NOW:
        raise CannotReplay(
            f"Of “{rule.metric}” it is known how many there are, not how many there were. Look at the "
            "judgments of this trigger in the admin."
        )
    pause = timedelta(seconds=row.cooldown_seconds)
    if rule.metric not in SAMPLED:
        return Past(rule=rule, fired=list(_asked(row, rule, since, until, pause)), slots={})
    on, off = _samples(row, since, until)
    fired: list[Fired] = []
    for seconds, slots in sorted(on.items(), reverse=True):  # the longest are the oldest
        for at in breach_times(rule, slots, until=_end(slots), pause=pause):
            seen = Evidence(now=at, slots=slots, control=off.get(seconds, []))
            fired.append(Fired(at=at, finding=judge(rule, seen)))
    return Past(rule=rule, fired=fired, slots={length: len(slots) for length, slots in on.items()})


def _end(slots: list[Slot]) -> datetime:
    return max(slot.begins_at + timedelta(seconds=slot.seconds) for slot in slots)


def _samples(
    row: Trigger, since: datetime, until: datetime
) -> tuple[dict[int, list[Slot]], dict[int, list[Slot]]]:
    """By length: of those with the feature on, and of those with it off. Without a feature all are one."""
    found = Sample.objects.filter(
        metric=row.metric, feature=row.feature, begins_at__gte=since, begins_at__lt=until
    ).order_by("seconds", "begins_at")
    on: dict[int, list[Slot]] = {}
    off: dict[int, list[Slot]] = {}
    rows = found.values_list("seconds", "is_on", "begins_at", "total", "bad").iterator()
    for seconds, group in groupby(rows, key=lambda row: row[0]):
        for _, is_on, begins_at, total, bad in group:
            side = on if is_on or not row.feature else off
            side.setdefault(seconds, []).append(Slot(begins_at, seconds, total, bad))
    return on, off


def _asked(
    row: Trigger, rule: Rule, since: datetime, until: datetime, pause: timedelta
) -> Iterator[Fired]:
    at = since
    every = max(min(EVERY, timedelta(seconds=rule.window_seconds)), SHORTEST)
    while at <= until:
        seen = metrics.evidence(
            metric=rule.metric,
            feature=row.feature,
            window_seconds=rule.window_seconds,
            held_seconds=rule.held_seconds,
            now=at,
        )
        finding = judge(rule, replace(seen, now=at))
        if finding.verdict is Verdict.BREACH:
            yield Fired(at=at, finding=finding)
        at += max(pause, every) if finding.verdict is Verdict.BREACH else every
