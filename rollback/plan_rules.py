"""What may be begun as a plan, what is refused, and how one stands."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.utils.translation import gettext as _

from rollback import runner
from rollback.audit import Actor, ChangeRefused
from rollback.domain.plans import LIVE, LONGEST_DWELL, PlanState, Step, goes_one_way
from rollback.models import Flag, Plan


class PlanRuns(ChangeRefused):
    """number: of the plan that is alive already."""

    def __init__(self, plan: Plan) -> None:
        self.number: int = plan.pk
        self._plan = plan
        words = _(
            "Plan %(number)s is at it already (%(direction)s, %(flags)s, by %(name)s): "
            "see manage.py rollback plan show %(number)s."
        )
        facts = {
            "number": plan.pk,
            "direction": plan.get_direction_display(),
            "flags": ", ".join(plan.flags),
            "name": plan.actor_name,
        }
        super().__init__(words % facts)

    def takes_away(self, flags: Iterable[str]) -> bool:
        """Whether that plan goes on, and comes to nobody having one of these."""
        plan = self._plan
        if plan.direction != Plan.Direction.DOWN or plan.state != PlanState.RUNNING:
            return False
        last = plan.steps.order_by("number").last()
        return set(flags) <= set(plan.flags) and last is not None and not last.percent


def check(steps: Sequence[tuple[Decimal, int]], *, up: bool, actor: Actor) -> None:
    if up and actor.automatic:
        raise ChangeRefused(_("Raising needs a person. Automatically, features may only go down."))
    if not steps:
        raise ChangeRefused(_("A plan needs a step: a share, and how long to wait then."))
    for percent, dwell in steps:
        if not percent.is_finite() or not 0 <= percent <= 100 or percent != round(percent, 2):
            words = _(
                "A share is between 0 and 100 %%, with two decimals at most; %(share)s is not."
            )
            raise ChangeRefused(words % {"share": percent})
        if not 0 <= dwell <= LONGEST_DWELL:
            words = _("A wait is between 0 seconds and 7 days; %(seconds)s seconds is not.")
            raise ChangeRefused(words % {"seconds": dwell})
    if not goes_one_way(steps, up=up):
        words = _("Each share has to be larger than the one before it; %(shares)s is not so.")
        if not up:
            words = _("Each share has to be smaller than the one before it; %(shares)s is not so.")
        shares = ", ".join(f"{percent}" for percent, _dwell in steps)
        raise ChangeRefused(words % {"shares": shares})


def check_flags(names: list[str], *, up: bool = False) -> None:
    known = list(Flag.objects.values_list("name", flat=True))
    for name in names:
        if name not in known:
            words = _("There is no flag %(flag)s. There are: %(known)s.")
            raise ChangeRefused(words % {"flag": name, "known": ", ".join(known)})
        if up:
            runner.check_tables(name)


def refuse_second(direction: str) -> None:
    """A way up also waits for the one down: whoever wants it off has the last word."""
    down = living(Plan.Direction.DOWN)
    for plan in [*down, *(living(direction) if direction == Plan.Direction.UP else [])]:
        raise PlanRuns(plan)


def living(direction: str) -> list[Plan]:
    return list(Plan.objects.filter(direction=direction, state__in=LIVE).order_by("pk"))


def steps_of(plan: Plan) -> list[Step]:
    rows = plan.steps.order_by("number").values_list(
        "number", "percent", "dwell_seconds", "done_at", "blast__skipped"
    )
    return [
        Step(number=number, percent=percent, dwell_seconds=dwell, done_at=at, skipped=bool(skipped))
        for number, percent, dwell, at, skipped in rows
    ]


def state_word(state: str) -> str:
    return {
        PlanState.RUNNING.value: _("running"),
        PlanState.PAUSED.value: _("paused"),
        PlanState.DONE.value: _("done"),
        PlanState.ABORTED.value: _("aborted"),
    }[state]
