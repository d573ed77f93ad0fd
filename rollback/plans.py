"""Plans: a way down or up in steps. Whoever starts one takes its first step; the rest comes when it is due.

Any number of processes may call `advance_due`: a plan is one's at a time, by a lease on the database's
clock, and a step is one transaction. Whoever dies in the middle of one has done nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from rollback import audit, draining, incidents, quiet, runner, stepping
from rollback.audit import Actor, ChangeBlocked, ChangeRefused
from rollback.domain.plans import LIVE, PLAN_STEPS, PlanState, next_due
from rollback.models import (
    Flag,
    FlagChange,
    Incident,
    IncidentEvent,
    Plan,
    PlanStep,
    Switchboard,
)
from rollback.plan_rules import (
    PlanRuns,
    check,
    check_flags,
    living,
    refuse_second,
    state_word,
    steps_of,
)

__all__ = [
    "PlanRuns",
    "abort",
    "advance_due",
    "check_flags",
    "finish",
    "overtake",
    "pause",
    "resume",
    "start",
    "state_word",
    "steps_of",
]

log = structlog.get_logger(__name__)

# Longer than any step takes; so long nobody else takes over from one that died.
LEASE = timedelta(seconds=10)
# A process that was frozen in the middle of a step loses its session, and with it its locks.
LONGEST_SILENCE = "SET LOCAL idle_in_transaction_session_timeout = '5s'"


def start(
    *,
    direction: str,
    mode: str = Plan.Mode.KILL,
    flags: Iterable[str] = (),
    steps: Sequence[tuple[Decimal, int]],
    incident: Incident | None = None,
    actor: Actor,
    reason: str,
    drain_seconds: int = 600,
) -> Plan:
    """With its first step done. Without flags: all of them. steps: share in % and seconds to wait then.

    A way down has latches if it has an incident, and aborts a way up. A way up is a person's.

    :raises PlanRuns: one lives already; of many at once all but one hear that
    :raises ChangeRefused:
    """
    up = direction == Plan.Direction.UP
    names = list(dict.fromkeys(flags)) or list(Flag.objects.values_list("name", flat=True))
    check(steps, up=up, actor=actor)
    check_flags(names, up=up)
    refuse_second(direction)
    if up:
        quiet.verify(flags=names, seconds=None, by=actor.name, now=_clock())

    def begin() -> Plan:
        plan = Plan(
            direction=direction,
            mode=mode,
            flags=names,
            incident=incident,
            drain_seconds=drain_seconds,
            actor=actor.user,
            actor_name=actor.name[:150],
            actor_kind=actor.kind,
            reason=reason.strip(),
        )
        try:
            with _acting(actor, reason):
                refuse_second(direction)
                _begin(plan, steps, now=_clock(), actor=actor)
        except ChangeBlocked:
            refuse_second(direction)  # whoever held the flags was starting the same
            raise
        return plan

    return begin() if up else runner.insist(begin)


def _begin(
    plan: Plan, steps: Sequence[tuple[Decimal, int]], *, now: datetime, actor: Actor
) -> None:
    up = plan.direction == Plan.Direction.UP
    if up and (loud := quiet.why_not(flags=plan.flags, seconds=None, now=now)):
        raise ChangeRefused(loud)
    if not up:
        # From now on nothing raises the flags until the incident is resolved.
        if plan.incident is not None:
            plan.incident = incidents.latch(incident=plan.incident.pk, flags=plan.flags)
        for other in living(Plan.Direction.UP):
            words = _("A plan down has begun: %(reason)s") % {"reason": plan.reason}
            _end(other, PlanState.ABORTED, note=words, now=now, actor=actor)
    plan.save()
    PlanStep.objects.bulk_create(
        PlanStep(plan=plan, number=number, percent=percent, dwell_seconds=dwell)
        for number, (percent, dwell) in enumerate(steps, start=1)
    )
    _tell(plan, "started", actor=actor, mode=plan.mode, flags=plan.flags, reason=plan.reason)
    # Before the first step: what it is told by, the actor and the reason, ends with it.
    if not _take_due(plan, now=now, actor=actor):
        raise ChangeRefused(_("Nothing to change: it was so already."))
    _close_if_over(plan, now=now, actor=actor)


def advance_due(*, by: str, only: int | None = None) -> int:
    """Takes each step that is due, and lets go of who has finished. only: one plan's.

    :returns: how many steps were taken.
    """
    draining.sweep(now=_clock())
    running = Plan.objects.filter(state=PlanState.RUNNING)
    if only is not None:
        running = running.filter(pk=only)
    numbers = list(running.order_by("pk").values_list("pk", flat=True))
    return sum(_advance(number, by) for number in numbers)


def _advance(number: int, by: str) -> int:
    taken = 0
    while _is_due(number):
        _verify(number, by=by)
        if not (_lease(number, by) and _go_on(number, by)):
            break
        taken += 1
    return taken


def _is_due(number: int) -> bool:
    """A look without a lock, so that waiting costs no write."""
    plan = Plan.objects.filter(pk=number, state=PlanState.RUNNING).first()
    if plan is None:
        return False
    now, due = _clock(), next_due(steps_of(plan))
    return not _is_draining(plan, now) if due is None else due.is_due(now)


def _lease(number: int, by: str) -> bool:
    """:returns: False while it is somebody else's, or they have it in their hands just now."""
    with transaction.atomic():
        now = _clock()
        free = Q(lease_until=None) | Q(lease_until__lte=now) | Q(lease_owner=by)
        living = Plan.objects.filter(free, pk=number, state=PlanState.RUNNING)
        found = living.select_for_update(skip_locked=True).values_list("pk", flat=True).first()
        return found is not None and bool(
            Plan.objects.filter(pk=found).update(lease_owner=by[:100], lease_until=now + LEASE)
        )


def _go_on(number: int, by: str) -> bool:
    """One transaction. :returns: whether a step was taken."""
    plan = Plan.objects.select_related("actor").get(pk=number)
    actor = _actor(plan)

    def step() -> bool:
        with _acting(actor, plan.reason):
            held = _held(number, by)
            return held is not None and _go_on_with(held, actor=actor)

    try:
        return step() if plan.direction == Plan.Direction.UP else runner.insist(step)
    except ChangeRefused as refused:
        _stop_or_wait(number, refused, by=by, actor=actor)
        return False


def _held(number: int, by: str) -> Plan | None:
    """Asked again under the lock: the lease may be over, the plan paused."""
    held = Plan.objects.filter(
        pk=number, state=PlanState.RUNNING, lease_owner=by[:100], lease_until__gt=_clock()
    )
    return held.select_for_update(skip_locked=True).first()


def _go_on_with(plan: Plan, *, actor: Actor) -> bool:
    now = _clock()
    plan.lease_owner, plan.lease_until = "", None
    if loud := _loud(plan, now):
        plan.note = loud
        plan.save(update_fields=["lease_owner", "lease_until", "note"])
        return False
    plan.note = ""
    taken = _take_due(plan, now=now, actor=actor)
    plan.save(update_fields=["lease_owner", "lease_until", "note"])
    _close_if_over(plan, now=now, actor=actor)
    return taken


def _loud(plan: Plan, now: datetime) -> str:
    """Why a way up has to wait; empty if it has not."""
    if not _goes_up(plan):
        return ""
    return quiet.why_not(flags=plan.flags, seconds=_looked_at(plan), now=now)


def _verify(number: int, *, by: str) -> None:
    """Before the next step up, and before anything is locked for it."""
    plan = Plan.objects.filter(pk=number, state__in=LIVE).first()
    if plan is not None and _goes_up(plan):
        quiet.verify(flags=plan.flags, seconds=_looked_at(plan), by=by, now=_clock())


def _goes_up(plan: Plan) -> bool:
    return plan.direction == Plan.Direction.UP and next_due(steps_of(plan)) is not None


def _looked_at(plan: Plan) -> int | None:
    taken = [step for step in steps_of(plan) if step.done_at is not None and not step.skipped]
    return taken[-1].dwell_seconds if taken else None


def _take_due(plan: Plan, *, now: datetime, actor: Actor) -> bool:
    """The next step that changes anything, if it is due; those that change nothing are passed by."""
    while (due := next_due(steps_of(plan))) is not None and due.is_due(now):
        step = plan.steps.get(number=due.step.number)
        if stepping.take(plan=plan, step=step, actor=actor, now=now):
            return True
    return False


def _stop_or_wait(number: int, refused: ChangeRefused, *, by: str, actor: Actor) -> None:
    """Down, it is tried again with the next look. Up, whatever stands in the way (a kill, a latch) was put
    there by somebody who wants it off: it ends, and a person may begin again, small.
    """
    log.warning("plan.refused", plan=number, reason=str(refused))
    with transaction.atomic():
        # Not while another one has it: then they will say what is the matter.
        living = Plan.objects.filter(pk=number, state=PlanState.RUNNING, lease_owner=by[:100])
        plan = living.select_for_update(skip_locked=True).first()
        if plan is None:
            return
        plan.lease_owner, plan.lease_until, plan.note = "", None, str(refused)
        plan.save(update_fields=["lease_owner", "lease_until", "note"])
        if plan.direction == Plan.Direction.UP and not isinstance(refused, ChangeBlocked):
            _end(plan, PlanState.ABORTED, note=str(refused), now=_clock(), actor=actor)


def overtake(*, flags: Iterable[str], actor: Actor, reason: str) -> int | None:
    """A kill does at once what an automatic plan down does in steps: nothing is left to one that takes away
    no other flag. Called in the kill's transaction, which holds the switchboard's row.

    :returns: the incident that the plan belongs to, and the kill as well
    """
    names, incident = set(flags), None
    for plan in living(Plan.Direction.DOWN):
        if plan.actor_kind != FlagChange.Kind.AUTOMATIC or not names & set(plan.flags):
            continue
        incident = plan.incident_id
        if names >= set(plan.flags):
            note = _by(actor, reason)
            _end(plan, PlanState.ABORTED, note=note, now=_clock(), actor=actor)
    return incident


def pause(*, plan: int, actor: Actor, reason: str) -> Plan:
    """:raises ChangeRefused: as the other three: no such plan, over already, no person"""
    with _deciding(plan, PlanState.PAUSED, actor=actor, reason=reason) as found:
        _set(found, PlanState.PAUSED, note=_by(actor, reason), actor=actor)
    return found


def resume(*, plan: int, actor: Actor, reason: str) -> Plan:
    """A step whose time came meanwhile is due at once."""
    with _deciding(plan, PlanState.RUNNING, actor=actor, reason=reason) as found:
        _set(found, PlanState.RUNNING, note="", actor=actor)
    return found


def abort(*, plan: int, actor: Actor, reason: str) -> Plan:
    """The shares stay as they are now; who drains does so until their time is over."""
    with _deciding(plan, PlanState.ABORTED, actor=actor, reason=reason) as found:
        _end(found, PlanState.ABORTED, note=_by(actor, reason), now=_clock(), actor=actor)
    return found


def finish(*, plan: int, actor: Actor, reason: str) -> Plan:
    """The last share at once, for everybody: who drains drains no more."""

    def end() -> Plan:
        return _finish(plan=plan, actor=actor, reason=reason)

    is_down = Plan.objects.filter(pk=plan, direction=Plan.Direction.DOWN).exists()
    if is_down:
        return runner.insist(end)
    _verify(plan, by=actor.name)
    return end()


def _finish(*, plan: int, actor: Actor, reason: str) -> Plan:
    with _deciding(plan, PlanState.DONE, actor=actor, reason=reason) as found:
        now = _clock()
        if loud := _loud(found, now):
            raise ChangeRefused(loud)
        found.mode = Plan.Mode.KILL  # for this step; the row keeps what it was begun with
        *before, last = found.steps.order_by("number")
        for step in before:
            if step.done_at is None:
                stepping.skip(step, now=now)
        if last.done_at is None:
            stepping.take(plan=found, step=last, actor=actor, now=now)
        draining.end(flags=found.flags)
        _end(found, PlanState.DONE, note=_by(actor, reason), now=now, actor=actor)
    return found


@contextmanager
def _deciding(number: int, wanted: PlanState, *, actor: Actor, reason: str) -> Iterator[Plan]:
    if actor.automatic:
        raise ChangeRefused(_("What becomes of a plan is decided by a person."))
    with _acting(actor, reason):
        plan = Plan.objects.select_for_update().filter(pk=number).first()
        if plan is None:
            words = _("There is no plan %(number)s. See manage.py rollback plan list.")
            raise ChangeRefused(words % {"number": number})
        if wanted not in PLAN_STEPS[plan.state]:
            words = _("Plan %(number)s is %(state)s; nothing was changed.")
            raise ChangeRefused(words % {"number": number, "state": state_word(plan.state)})
        yield plan


@contextmanager
def _acting(actor: Actor, reason: str) -> Iterator[None]:
    """The transaction of a step or a decision: everybody takes the switchboard's row first."""
    ours = not connection.in_atomic_block
    with audit.told(actor=actor, reason=reason, action="plan"):
        if ours:
            with connection.cursor() as cursor:
                cursor.execute(LONGEST_SILENCE)
        Switchboard.objects.select_for_update().get(pk=1)
        yield


def _close_if_over(plan: Plan, *, now: datetime, actor: Actor) -> None:
    if next_due(steps_of(plan)) is None and not _is_draining(plan, now):
        plan.steps.filter(drained_at=None).update(drained_at=now)
        _end(plan, PlanState.DONE, note="", now=now, actor=actor)


def _is_draining(plan: Plan, now: datetime) -> bool:
    if plan.mode != Plan.Mode.DRAIN:
        return False
    return bool(draining.still(flags=plan.flags, now=now))


def _end(plan: Plan, state: PlanState, *, note: str, now: datetime, actor: Actor) -> None:
    plan.ended_at = now
    _set(plan, state, note=note, actor=actor)


def _set(plan: Plan, state: PlanState, *, note: str, actor: Actor) -> None:
    plan.state, plan.note, plan.lease_owner, plan.lease_until = state.value, note, "", None
    plan.save(update_fields=["state", "note", "ended_at", "lease_owner", "lease_until"])
    _tell(plan, state.value, actor=actor, note=note)


def _tell(plan: Plan, what: str, *, actor: Actor, **facts: Any) -> None:
    if plan.incident_id is not None:
        kind = IncidentEvent.Kind.PLAN
        facts = {"plan": plan.pk, "direction": plan.direction, "what": what, **facts}
        incidents.record(incident=plan.incident_id, kind=kind, actor=actor, **facts)


def _actor(plan: Plan) -> Actor:
    """Each step is taken in the name of whoever began the plan."""
    automatic = plan.actor_kind == FlagChange.Kind.AUTOMATIC
    return Actor(name=plan.actor_name, user=plan.actor, automatic=automatic)


def _by(actor: Actor, reason: str) -> str:
    return _("%(name)s: %(reason)s") % {"name": actor.name, "reason": reason.strip()}


def _clock() -> datetime:
    """The database's, which is one for all."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
        return moment
