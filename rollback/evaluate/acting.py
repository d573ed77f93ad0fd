"""What a breach leads to: an alert, a case before a person, or a feature taken away."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.db import OperationalError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from psycopg.errors import LockNotAvailable

from rollback import audit, incidents, plans, runner
from rollback.audit import Actor
from rollback.domain.decisions import Harm, recommend
from rollback.domain.errors import without_rows
from rollback.domain.metrics import Metric, Verdict
from rollback.evaluate.judging import Judged
from rollback.evaluate.repairs import TAKES_AWAY
from rollback.limits import limited
from rollback.models import (
    Draining,
    Flag,
    FlagChange,
    Incident,
    Judgment,
    Plan,
    Switchboard,
    Trigger,
)

log = structlog.get_logger(__name__)

# G15: at most one automatic decision about a flag in so long; the rest is for people. The steps of one
# plan are one decision. A kill is held back only by an automatic kill: what is so bad that it has to be
# off at once does not wait because a plan has begun to lower it, which that kill then ends.
PAUSE = timedelta(minutes=30)
STEPS = (Decimal(50), Decimal(25), Decimal(0))
DWELL_SECONDS = 300
# What is harmed, for the decision matrix.
HARM: Mapping[str, Harm] = {
    Metric.CONFLICTS: Harm.BOOKINGS,
    Metric.HOLIDAYS: Harm.BOOKINGS,
    Metric.PAYMENTS: Harm.BOOKINGS,
}


@dataclass(frozen=True, kw_only=True)
class Deed:
    """action: what was done; empty: nothing, for the reason in `why_not`, if it was a breach."""

    action: str = ""
    why_not: str = ""
    incident: Incident | None = None


class NotNow(Exception):
    """It is a breach, and nothing is to be done about it now; the message says why."""


def act(judged: Judged, *, now: datetime) -> Deed:
    """In a transaction with whatever records it."""
    row = judged.row
    if judged.finding.verdict is not Verdict.BREACH:
        return Deed()
    try:
        _check_may(row, now)
        with transaction.atomic():
            if row.action not in TAKES_AWAY:
                return _ACTIONS[row.action](judged, now)
            # Once without a lock, so that what is off already keeps nobody waiting, and once under it.
            _may_be_taken(row.flags, now, is_kill=row.action == Trigger.Action.KILL)
            _hold_flags()
            deed = _ACTIONS[row.action](judged, now)
            _latch_missing(row, deed)
            return deed
    except NotNow as reason:
        return Deed(why_not=str(reason))
    except Exception as error:  # refused or broken: the other triggers, and the next tick, go on
        log.exception("trigger.not_done", trigger=row.name, action=row.action)
        return Deed(why_not=without_rows(error)[:200] or type(error).__name__)


def actor_of(row: Trigger) -> Actor:
    return Actor(name=f"trigger {row.name}", automatic=True)


def _check_may(row: Trigger, now: datetime) -> None:
    if row.is_shadow:
        raise NotNow(_("It runs in shadow: it is judged, and does nothing."))
    if row.action not in _ACTIONS:
        raise NotNow(_("There is no action “%(name)s”.") % {"name": row.action})
    done = Judgment.objects.filter(trigger_name=row.name).exclude(action="").order_by("-judged_at")
    last = done.values_list("judged_at", flat=True).first()
    until = last + timedelta(seconds=row.cooldown_seconds) if last else None
    if until is not None and until > now:
        raise NotNow(_("It has acted already, and pauses until %(at)s.") % {"at": _clock(until)})


def _alert(judged: Judged, now: datetime) -> Deed:
    log.warning("trigger.alert", trigger=judged.row.name, words=judged.finding.words)
    return Deed(action=Trigger.Action.ALERT)


def _case(judged: Judged, now: datetime) -> Deed:
    row, finding = judged.row, judged.finding
    incident = incidents.open_case(
        title=row.title,
        trigger=row.name,
        severity=row.severity,
        flags=row.flags,
        actor=actor_of(row),
        cause=finding.words,
        first_bad_at=finding.first_bad_at,
        recommendation=recommend(_share_of_users(row.flags), HARM.get(row.metric, Harm.NONE)),
    )
    if incident is None:
        raise NotNow(_("An incident of this trigger is open already."))
    return Deed(action=Trigger.Action.CASE, incident=incident)


def _kill(judged: Judged, now: datetime) -> Deed:
    row, actor, words = judged.row, actor_of(judged.row), judged.finding.words
    flags = _may_be_taken(row.flags, now, is_kill=True)
    incident = plans.overtake(flags=flags, actor=actor, reason=words)
    if incident is None:
        done = runner.roll_back(
            flags=flags, incident=row.title, actor=actor, reason=words, **_facts(judged)
        )
    else:
        done = runner.take_away(incident=incident, flags=flags, actor=actor, reason=words)
    return Deed(action=Trigger.Action.KILL, incident=done.incident)


def _plan(judged: Judged, now: datetime) -> Deed:
    """One plan down lives at a time. Where it does not come to these flags, or is paused, what is wrong
    now cannot wait for it: they are taken away at once.
    """
    row, words = judged.row, judged.finding.words
    flags = _may_be_taken(row.flags, now)

    def begin() -> Incident:
        with audit.told(actor=actor_of(row), reason=words, action="plan"):
            incident = incidents.open_with_latches(
                title=row.title, flags=flags, actor=actor_of(row), cause=words, **_facts(judged)
            )
            plans.start(
                direction=Plan.Direction.DOWN,
                mode=Plan.Mode.DRAIN,
                flags=flags,
                steps=steps_down(flags),
                incident=incident,
                actor=actor_of(row),
                reason=words,
            )
        return incident

    try:
        return Deed(action=Trigger.Action.PLAN, incident=runner.insist(begin))
    except plans.PlanRuns as runs:
        if runs.takes_away(flags):
            raise
        return _kill(judged, now)


def _facts(judged: Judged) -> dict[str, Any]:
    return {
        "kind": judged.row.kind,
        "severity": judged.row.severity,
        "trigger": judged.row.name,
        "first_bad_at": judged.finding.first_bad_at,
        "is_not_the_feature": judged.finding.is_not_the_feature,
    }


def steps_down(flags: Iterable[str]) -> list[tuple[Decimal, int]]:
    """Only downwards from where they are; the last one needs no waiting."""
    highest = max(
        Flag.objects.filter(name__in=flags).values_list("percent", flat=True),
        default=Decimal(100),
    )
    return [(step, DWELL_SECONDS if step else 0) for step in STEPS if step < highest or not step]


def _hold_flags() -> None:
    """As whoever changes them, until the end of the transaction. A forgotten BEGIN is ended, as by a kill."""
    try:
        with limited():
            Switchboard.objects.select_for_update().get(pk=1)
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        runner.end_blockers()
        Switchboard.objects.select_for_update().get(pk=1)


def _latch_missing(row: Trigger, deed: Deed) -> None:
    """A flag that was deleted, or has another name now, keeps no other one on; should it come again, it
    is held as well."""
    missing = [name for name in row.flags if name not in _there(row.flags)]
    if missing and deed.incident is not None:
        log.warning("trigger.flags_missing", trigger=row.name, flags=missing)
        incidents.latch(incident=deed.incident.pk, flags=missing)


def _there(names: list[str]) -> set[str]:
    return set(Flag.objects.filter(name__in=names).values_list("name", flat=True))


def _may_be_taken(wanted: list[str], now: datetime, *, is_kill: bool = False) -> list[str]:
    """Those that are on and about which nothing was decided automatically of late; those that are off are
    held with them, so that a person has to bring them back.

    :raises NotNow:
    """
    there = _there(wanted)
    names = [name for name in wanted if name in there]
    if not names:
        raise NotNow(_("There is no flag %(flags)s.") % {"flags": ", ".join(wanted)})
    off = {name for name in names if not _is_on(name)}
    on = [name for name in names if name not in off]
    if not on:
        raise NotNow(_("It is off already."))
    changed = FlagChange.objects.filter(
        flag_name__in=on, actor_kind=FlagChange.Kind.AUTOMATIC, changed_at__gt=now - PAUSE
    )
    if is_kill:
        changed = changed.filter(action="kill")
    at = dict(changed.order_by("changed_at").values_list("flag_name", "changed_at"))
    if len(at) == len(on):
        words = _(
            "%(flags)s was changed automatically less than 30 minutes ago. Until %(at)s only a person "
            "changes it."
        )
        until = min(at.values()) + PAUSE
        raise NotNow(words % {"flags": ", ".join(on), "at": _clock(until)})
    return [name for name in names if name not in at]


def _is_on(name: str) -> bool:
    """For anybody; who keeps it for a while beyond its share is somebody."""
    flag: Flag = Flag.objects.select_related("requires").get(name=name)  # type: ignore[misc]
    chain = [flag, flag.requires] if flag.requires else [flag]
    return all(not one.is_killed and (one.percent > 0 or _is_kept(one)) for one in chain)


def _is_kept(flag: Flag) -> bool:
    return Draining.objects.filter(flag_name=flag.name, until__gt=Now()).exists()


def _share_of_users(names: list[str]) -> float:
    """0..1, of the widest of these features; of all, if it is about none in particular."""
    flags = Flag.objects.filter(name__in=names) if names else Flag.objects.all()
    return max((float(flag.percent) / 100 for flag in flags if not flag.is_killed), default=0.0)


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S} UTC"


_ACTIONS: Mapping[str, Callable[[Judged, datetime], Deed]] = {
    Trigger.Action.ALERT: _alert,
    Trigger.Action.CASE: _case,
    Trigger.Action.KILL: _kill,
    Trigger.Action.PLAN: _plan,
}
