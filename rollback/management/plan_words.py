"""manage.py rollback plan … and blast: step by step from the terminal."""

from argparse import _SubParsersAction
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from rollback import audit, blast, incidents, plans, processes, runner
from rollback.audit import Actor, ChangeRefused
from rollback.domain.plans import DOWN, LONGEST_DWELL, UP, Due, Steps, next_due, parsed
from rollback.models import Flag, Incident, Plan, PlanStep

DECISIONS = {
    "pause": plans.pause,
    "resume": plans.resume,
    "abort": plans.abort,
    "finish": plans.finish,
}
HELP = {
    "pause": "no step until it is resumed",
    "resume": "go on",
    "abort": "end it; the shares stay as they are",
    "finish": "its last share at once, for everybody",
}


def add_arguments(commands: "_SubParsersAction[CommandParser]") -> None:
    plan = commands.add_parser("plan", help="take features away, or give them back, step by step")
    steps = plan.add_subparsers(dest="step", required=True, metavar="STEP")
    for direction, usual in (("down", DOWN), ("up", UP)):
        one = steps.add_parser(direction, help=f"a plan {direction}; its first step is taken now")
        one.add_argument("flags", nargs="*", metavar="FLAG", help="all features, if none is named")
        one.add_argument(
            "--steps",
            default=_typed(usual),
            help="shares in %%, each with the seconds to wait then (default: %(default)s)",
        )
        one.add_argument("--reason", required=True, help="one sentence for the audit")
    down = steps.choices["down"]
    down.add_argument(
        "--mode",
        choices=Plan.Mode.values,
        default=Plan.Mode.DRAIN.value,
        help="drain: who is enrolling moves last (the default); kill: all at once in each step",
    )
    down.add_argument(
        "--patience",
        type=int,
        default=600,
        metavar="SECONDS",
        help="how long at most who is enrolling keeps it (default: %(default)s)",
    )
    down.add_argument(
        "--incident",
        metavar="TITLE",
        help="open an incident; nobody can bring the features back until it is resolved",
    )
    steps.add_parser("list", help="newest first")
    show = steps.add_parser("show", help="one, with its steps and whom they concerned")
    show.add_argument("plan", type=int, metavar="N")
    for name, words in HELP.items():
        one = steps.add_parser(name, help=words)
        one.add_argument("plan", type=int, metavar="N")
        one.add_argument("--reason", required=True, help="one sentence for whoever reads it later")
    whom = commands.add_parser("blast", help="whom a share would concern; changes nothing")
    whom.add_argument("flags", nargs="*", metavar="FLAG", help="all features, if none is named")
    whom.add_argument("--to", required=True, metavar="SHARE", help="the share in %%")


def answer(what: str, options: dict[str, Any], *, actor: Actor) -> list[str]:
    """:returns: lines. :raises ChangeRefused:"""
    if what == "blast":
        return _blast(options["flags"], options["to"])
    step = options["step"]
    if step == "list":
        found = Plan.objects.prefetch_related("steps")
        return [_line(plan) for plan in found] or ["There has been no plan."]
    if step == "show":
        return _whole(_find(options["plan"]))
    if step in DECISIONS:
        plan = DECISIONS[step](plan=options["plan"], actor=actor, reason=options["reason"])
        return [_line(plan), *_where(plan)]
    return _begin(step, options, actor=actor)


def _begin(direction: str, options: dict[str, Any], *, actor: Actor) -> list[str]:
    asked = {
        "flags": options["flags"],
        "steps": _steps(options["steps"]),
        "actor": actor,
        "reason": options["reason"],
    }
    if direction == Plan.Direction.UP:
        plan = plans.start(direction=direction, **asked)
    else:
        plan = _down(options, asked)
    lines = [*_whole(plan), *_where(plan)]
    if plan.incident_id is not None:
        lines.append(
            f"Incident {plan.incident_id} is open; until it is resolved nothing comes back: "
            f'manage.py rollback incident resolve {plan.incident_id} --reason "…"'
        )
    return lines


def _down(options: dict[str, Any], asked: dict[str, Any]) -> Plan:
    """Incident, latches and the first step together, or nothing."""
    return runner.insist(lambda: _begun_down(options, asked))


def _begun_down(options: dict[str, Any], asked: dict[str, Any]) -> Plan:
    with audit.told(actor=asked["actor"], reason=asked["reason"], action="plan"):
        incident = _incident(options["incident"], asked) if options["incident"] else None
        return plans.start(
            direction=Plan.Direction.DOWN,
            mode=options["mode"],
            drain_seconds=_patience(options["patience"]),
            incident=incident,
            **asked,
        )


def _patience(seconds: int) -> int:
    if not 0 <= seconds <= LONGEST_DWELL:
        raise ChangeRefused(
            f"Patience is between 0 seconds and 7 days ({LONGEST_DWELL} seconds); "
            f"{seconds} seconds is not."
        )
    return seconds


def _incident(title: str, asked: dict[str, Any]) -> Incident:
    flags = asked["flags"] or list(Flag.objects.values_list("name", flat=True))
    return incidents.open_with_latches(
        title=title.strip(), flags=flags, actor=asked["actor"], cause=asked["reason"].strip()
    )


def _where(plan: Plan) -> list[str]:
    """What every process says, and who takes the other steps."""
    lines = processes.sentences(processes.wait_for_all(), word="Changed")
    if plan.is_live and next_due(plans.steps_of(plan)) is not None:
        lines.append("The next steps are taken by “manage.py rollback run”, or by the worker.")
    return lines


def _blast(flags: list[str], to: str) -> list[str]:
    share = _share(to)
    plans.check_flags(flags)
    names = flags or list(Flag.objects.values_list("name", flat=True))
    rows = list(Flag.objects.filter(name__in=names))
    down = [row.name for row in rows if not row.is_killed and row.percent > share]
    up = [row.name for row in rows if share > (0 if row.is_killed else row.percent)]
    if not down and not up:
        return [f"At {share:g} % nothing changes: nobody gets or loses anything."]
    return [
        _concerned(ways, share, up=is_up, is_mixed=bool(down and up))
        for ways, is_up in ((down, False), (up, True))
        if ways
    ]


def _concerned(flags: list[str], share: Decimal, *, up: bool, is_mixed: bool) -> str:
    found = blast.blast(flags=flags, percent=share, now=timezone.now(), up=up)
    which = f" ({', '.join(flags)})" if is_mixed else ""
    return f"{'Up' if up else 'Down'} to {share:g} %{which}: {sentence(found.numbers())}"


def sentence(numbers: dict[str, Any]) -> str:
    """ "1,240 users, 37 with drafts (4 enrolling now), 12 teachers, 3 held times, 1,240 mails."""
    if numbers.get("skipped"):
        return "nothing to change"
    return (
        f"{_many(numbers['users'], 'user')}, {numbers['drafts']:,} with drafts "
        f"({numbers['enrolling']:,} enrolling now), {_many(numbers['teachers'], 'teacher')}, "
        f"{_many(numbers['holds'], 'held time')}, {_many(numbers['mails'], 'mail')}"
    )


def _many(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _find(number: int) -> Plan:
    plan = Plan.objects.filter(pk=number).first()
    if plan is None:
        raise ChangeRefused(f"There is no plan {number}. See manage.py rollback plan list.")
    return plan


def _line(plan: Plan) -> str:
    done, all_of_them = plan.steps.exclude(done_at=None).count(), plan.steps.count()
    flags = ", ".join(plan.flags)
    state = plan.state.upper() if plan.is_live else plan.state
    return f"{plan.pk}  {state}  {plan.direction}, step {done} of {all_of_them}  [{flags}]"


def _whole(plan: Plan) -> list[str]:
    at = f"{plan.created_at:%Y-%m-%d %H:%M:%S %Z}"
    return [
        _line(plan),
        f"Begun by {plan.actor_name} at {at}: {plan.reason}",
        *([f"Note: {plan.note}"] if plan.note else []),
        *_step_lines(plan),
    ]


def _step_lines(plan: Plan) -> Iterable[str]:
    due = next_due(plans.steps_of(plan)) if plan.is_live else None
    for step in plan.steps.order_by("number").defer("people"):
        share = f"{step.percent:g} %"
        if step.done_at is not None:
            yield f"  {step.number}. {share:>6}  {step.done_at:%H:%M:%S}  {sentence(step.blast)}"
        else:
            yield f"  {step.number}. {share:>6}  {_when(step, due)}"


def _when(step: PlanStep, due: Due | None) -> str:
    if due is None or due.step.number != step.number:
        return "–"
    return f"due at {due.at:%H:%M:%S %Z}" if due.at is not None else "due now"


def _typed(steps: Steps) -> str:
    return ",".join(f"{share}:{dwell}" if dwell else f"{share}" for share, dwell in steps)


def _steps(text: str) -> Steps:
    try:
        return parsed(text)
    except ValueError as part:
        raise ChangeRefused(
            f"“{part}” is no step. Give shares in %, each with the seconds to wait then, "
            f"as in --steps {_typed(DOWN)}."
        ) from part


def _share(text: str) -> Decimal:
    [(share, _)] = _steps(text.partition(":")[0].partition(",")[0])
    if not share.is_finite() or not 0 <= share <= 100:
        raise ChangeRefused(f"A share is between 0 and 100 %; {text} is not.")
    return share
