"""One step of a plan: share, audit, frozen people, who drains and the incident's line; all or nothing."""

from datetime import datetime, timedelta

from django.db.models import Max
from django.utils.translation import gettext as _

from rollback import blast, draining, incidents, runner, switchboard
from rollback.audit import Actor, ChangeRefused
from rollback.domain.shares import FlagState, Snapshot, share_from_percent
from rollback.models import FlagChange, IncidentEvent, Plan, PlanStep


def take(*, plan: Plan, step: PlanStep, actor: Actor, now: datetime) -> bool:
    """In the caller's transaction, which holds the switchboard's row and has said who acts.

    :returns: False when there was nothing to change: then it is done, and counts as skipped.
    :raises ChangeRefused:
    """
    up = plan.direction == Plan.Direction.UP
    before = switchboard.read_here()
    if up:
        _check_unchanged(plan, before)
    names = _to_move(plan, before, share_from_percent(step.percent), up=up)
    if not names:
        skip(step, now=now)
        return False
    after = before.moved(names, share_from_percent(step.percent), up=up)
    found = blast.between(before=before, after=after, now=now)
    if plan.mode == Plan.Mode.DRAIN and not up:
        until = now + timedelta(seconds=plan.drain_seconds)
        draining.keep(people=found.middle, before=before, after=after, now=now, until=until)
    _move(plan, step, names, before, actor=actor)
    step.done_at, step.blast, step.people = now, found.numbers(), sorted(found.people)
    step.save(update_fields=["done_at", "blast", "people"])
    _tell(plan, step, names, actor=actor)
    return True


def skip(step: PlanStep, *, now: datetime) -> None:
    step.done_at, step.blast = now, {"skipped": True}
    step.save(update_fields=["done_at", "blast"])


def _check_unchanged(plan: Plan, before: Snapshot) -> None:
    """What somebody has changed since our last step is theirs to decide: a kill, a smaller share, or even
    a restored one says that the way up was not meant to go on. By the order of the audit, not by a clock:
    all changes stand in line for the switchboard's row.

    :raises ChangeRefused:
    """
    ours = FlagChange.objects.filter(action=runner.step_of(plan.pk))
    last = ours.aggregate(last=Max("pk"))["last"]
    if last is None:
        return
    since = FlagChange.objects.filter(flag_name__in=plan.flags, pk__gt=last)
    if (change := since.order_by("pk").last()) is not None:
        words = _(
            "%(flag)s was changed meanwhile, by %(name)s (%(reason)s), so it is not raised any further. "
            "Start another plan from where it stands now."
        )
        facts = {"flag": change.flag_name, "name": change.actor_name, "reason": change.reason}
        raise ChangeRefused(words % facts)
    _check_not_below(plan, before)


def _check_not_below(plan: Plan, before: Snapshot) -> None:
    """Also where the audit knows of no change: its trigger was disabled, or rows came from a backup."""
    taken = plan.steps.exclude(done_at=None).exclude(blast__has_key="skipped")
    last = taken.order_by("number").last()
    if last is None:
        return
    for name in plan.flags:
        state = before.flags.get(name)
        if state is not None and state.share < share_from_percent(last.percent):
            words = _("%(flag)s is below the plan's last share, and nobody knows who lowered it.")
            raise ChangeRefused(words % {"flag": name})


def _to_move(plan: Plan, before: Snapshot, share: int, *, up: bool) -> list[str]:
    """What is killed is down already; what was deleted is off, and comes back by no plan."""

    def moves(state: FlagState) -> bool:
        if up:
            return state.killed or state.share < share
        return not state.killed and state.share > share

    return [name for name in plan.flags if name in before.flags and moves(before.flags[name])]


def _move(plan: Plan, step: PlanStep, names: list[str], before: Snapshot, *, actor: Actor) -> None:
    """A kill is undone by the first step up, which a person takes; one that came later is not."""
    reason = _reason(plan, step)
    first = not plan.steps.exclude(done_at=None).exclude(blast__has_key="skipped").exists()
    killed = [name for name in names if before.flags[name].killed and first]
    for name in killed:
        runner.restore(flag=name, percent=step.percent, actor=actor, reason=reason, plan=plan.pk)
    if others := [name for name in names if name not in killed]:
        runner.set_shares(
            flags=others, percent=step.percent, actor=actor, reason=reason, plan=plan.pk
        )


def _reason(plan: Plan, step: PlanStep) -> str:
    return _("%(reason)s (plan %(plan)s, step %(number)s: %(percent)s %%)") % {
        "reason": plan.reason,
        "plan": plan.pk,
        "number": step.number,
        "percent": f"{step.percent:f}".rstrip("0").rstrip(".") or "0",
    }


def _tell(plan: Plan, step: PlanStep, names: list[str], *, actor: Actor) -> None:
    if plan.incident_id is None:
        return
    incidents.record(
        incident=plan.incident_id,
        kind=IncidentEvent.Kind.STEPPED,
        actor=actor,
        plan=plan.pk,
        step=step.number,
        percent=str(step.percent),
        flags=names,
        blast=step.blast,
    )
