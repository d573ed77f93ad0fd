"""The triggers' rows: as rules, as they may be changed, and what each of them last came to."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from rollback.audit import Actor
from rollback.domain.metrics import Method, Metric
from rollback.domain.triggers import MOST_HELD, MOST_WINDOW, STEP, Rule
from rollback.domain.verdicts import facts_of
from rollback.models import Flag, Heartbeat, Judgment, Trigger, TriggerVersion

HEARTBEAT = "triggers"
COUNTS = frozenset(
    {
        Metric.COMPLAINTS,
        Metric.CONFLICTS,
        Metric.HOLIDAYS,
        Metric.PAYMENTS,
        Metric.LOCAL_TRIPS,
    }
)
# Numbers of the row that somebody may change; its name is what versions and judgments know it by.
EDITABLE = (
    "title", "metric", "method", "feature", "flags", "threshold", "window_seconds", "held_seconds",
    "min_total", "min_bad", "action", "kind", "severity", "cooldown_seconds", "is_enabled", "is_shadow",
)  # fmt: skip


class TriggerRefused(Exception):
    """Nothing was saved. problems: field → what to do; "" where it belongs to none."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = dict(problems)


def rule_of(row: Trigger) -> Rule:
    return Rule(
        name=row.name,
        version=row.version,
        metric=row.metric,
        method=row.method,
        threshold=row.threshold,
        window_seconds=row.window_seconds,
        held_seconds=row.held_seconds,
        min_total=row.min_total,
        min_bad=row.min_bad,
    )


def as_it_stands(row: Trigger) -> dict[str, Any]:
    """As versions keep it."""
    return {"name": row.name} | {field: getattr(row, field) for field in EDITABLE}


def save(*, wanted: Trigger, seen_version: int, actor: Actor, reason: str) -> TriggerVersion | None:
    """wanted: the row with what somebody wants, not saved yet. seen_version: what they started from.

    :returns: None where nothing is different
    :raises TriggerRefused:
    """
    problems = dict(wrong_with(wanted))
    if not reason.strip():
        problems["reason"] = _("A reason is needed: one sentence for whoever reads it later.")
    if problems:
        raise TriggerRefused(problems)
    with transaction.atomic():
        stands = Trigger.objects.select_for_update().filter(pk=wanted.pk).first()
        if stands is None:
            raise TriggerRefused({"": _("This trigger is not there any more.")})
        if words := _changed(stands, seen_version):
            raise TriggerRefused({"": words})
        if as_it_stands(stands) == as_it_stands(wanted):
            return None
        wanted.version = stands.version + 1
        wanted.save()
        return TriggerVersion.objects.create(
            trigger_name=wanted.name,
            version=wanted.version,
            rule=as_it_stands(wanted),
            actor=actor.user,
            actor_name=actor.name[:150],
            reason=reason.strip(),
        )


def changed_meanwhile(row: Trigger, seen_version: int) -> str:
    """In words, by whom; empty if nobody has."""
    stands = Trigger.objects.filter(pk=row.pk).first()
    return _changed(stands, seen_version) if stands else ""


def _changed(stands: Trigger, seen_version: int) -> str:
    if stands.version == seen_version:
        return ""
    newest = versions(stands.name)[:1]
    words = _(
        "%(name)s has changed this trigger meanwhile; it is version %(version)s now. Look at what "
        "changed below, then open this page again and enter what you want."
    )
    name = newest[0].actor_name if newest else "–"
    return words % {"name": name, "version": stands.version}


def versions(name: str) -> list[TriggerVersion]:
    """Newest first."""
    return list(TriggerVersion.objects.filter(trigger_name=name).order_by("-version"))


# --- nonsense ---------------------------------------------------------------------------------------


def wrong_with(row: Trigger) -> Iterator[tuple[str, str]]:
    """Field, and what to do about it; the first thing of each."""
    seen: set[str] = set()
    for check in _CHECKS:
        for field, words in check(row):
            if field not in seen:
                seen.add(field)
                yield field, words


def _measure(row: Trigger) -> Iterator[tuple[str, str]]:
    if row.metric not in set(Metric):
        yield "metric", _("There is no such metric; choose one of the list.")
    elif row.method not in set(Method):
        yield "method", _("There is no such method; choose one of the list.")
    elif (row.metric in COUNTS) != (row.method == Method.COUNT):
        if row.metric in COUNTS:
            yield "method", _("This metric is a number: choose “more than”.")
        else:
            yield "method", _("This metric is a share of all: choose any method but “more than”.")


def _threshold(row: Trigger) -> Iterator[tuple[str, str]]:
    if row.threshold is None or not math.isfinite(row.threshold) or row.threshold < 0:
        yield "threshold", _("Give a number, 0 or above.")
    elif row.metric == Metric.LOCAL_TRIPS and row.threshold >= 1:
        yield (
            "threshold",
            _("This is a share: a number from 0 to below 1, so 0.5 for half of them."),
        )
    elif row.method != Method.COUNT and not 0 < row.threshold < 1:
        yield "threshold", _("This is a share: a number between 0 and 1, so 0.02 for 2 %.")


def _times(row: Trigger) -> Iterator[tuple[str, str]]:
    if not STEP <= row.window_seconds <= MOST_WINDOW or row.window_seconds % STEP:
        yield "window_seconds", _("Give seconds in tens, from 10 to 2678400 (31 days).")
    if row.method == Method.SUSTAINED:
        if not STEP <= row.held_seconds <= MOST_HELD or row.held_seconds % STEP:
            yield "held_seconds", _("Give seconds in tens, from 10 to 86400 (a day).")
        elif row.held_seconds < row.window_seconds:
            yield "held_seconds", _("It has to last at least as long as the window is.")
    elif row.held_seconds:
        yield "held_seconds", _("Only a sustained share has to last; give 0.")
    if row.cooldown_seconds > MOST_WINDOW:
        yield "cooldown_seconds", _("Give at most 2678400 seconds (31 days).")


def _numbers(row: Trigger) -> Iterator[tuple[str, str]]:
    if row.method != Method.COUNT and not row.min_total:
        yield "min_total", _("A share of nothing says nothing: give 1 or more.")
    if row.min_total and row.min_bad > row.min_total and row.method != Method.SUSTAINED:
        yield "min_bad", _("Give no more than there have to be in all.")


def _action(row: Trigger) -> Iterator[tuple[str, str]]:
    known = set(Flag.objects.values_list("name", flat=True))
    if row.feature and row.feature not in known:
        yield "feature", _unknown([row.feature], known)
    if strangers := [name for name in row.flags if name not in known]:
        yield "flags", _unknown(strangers, known)
    if row.action not in Trigger.Action:
        yield "action", _("There is no such action; choose one of the list.")
    elif row.action in (Trigger.Action.KILL, Trigger.Action.PLAN) and not row.flags:
        yield "flags", _("Name what is taken away, or choose an alert.")
    if not 1 <= row.severity <= 4:
        yield "severity", _("Give a number from 1, the worst, to 4.")


def _unknown(names: Iterable[str], known: Iterable[str]) -> str:
    said = {"names": ", ".join(names), "known": ", ".join(sorted(known))}
    return _("There is no flag %(names)s. There are: %(known)s.") % said


_CHECKS: tuple[Callable[[Trigger], Iterator[tuple[str, str]]], ...] = (
    _measure,
    _threshold,
    _times,
    _numbers,
    _action,
)


# --- what they last came to -------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Standing:
    """At the last evaluation. since: in ISO's words. said: the words' template and values."""

    verdict: str
    words: str
    since: str
    said: tuple[str, Mapping[str, str]]


def standings() -> dict[str, Standing]:
    """Trigger → its standing. One query."""
    beat = Heartbeat.objects.filter(name=HEARTBEAT).first()
    return {
        name: Standing(
            verdict=facts["verdict"],
            words=facts["words"],
            since=facts["since"],
            said=(facts["template"], facts["values"]),
        )
        for name, facts in facts_of(beat.verdicts if beat else {}).items()
    }


def last_judgments(names: Iterable[str]) -> dict[str, Judgment]:
    """The newest of each, without its evidence. One query."""
    newest = Judgment.objects.filter(trigger_name__in=list(names)).defer("evidence")
    newest = newest.order_by("trigger_name", "-judged_at", "-pk").distinct("trigger_name")
    return {judgment.trigger_name: judgment for judgment in newest}
