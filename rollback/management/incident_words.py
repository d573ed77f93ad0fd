"""manage.py rollback incident …: the incidents from the terminal."""

from argparse import _SubParsersAction
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django.utils.timesince import timesince

from rollback import affected, incidents, runner, sendings
from rollback.audit import Actor, ChangeRefused
from rollback.console import markdown, story
from rollback.domain import decisions
from rollback.management import sending_words
from rollback.models import FlagChange, Incident, IncidentEvent

KINDS = [kind for kind in Incident.Kind.values if kind and kind != Incident.Kind.CASE]


def add_arguments(commands: "_SubParsersAction[CommandParser]") -> None:
    incident = commands.add_parser("incident", help="list, show, open, work on or export incidents")
    steps = incident.add_subparsers(dest="step", required=True, metavar="STEP")
    steps.add_parser("list", help="open ones first")
    opening = steps.add_parser("open", help="by hand; nothing is taken away without --take-away")
    opening.add_argument("title", metavar="TITLE")
    opening.add_argument("--reason", required=True, help="what was seen")
    opening.add_argument(
        "--flag", action="append", default=[], dest="flags", help="what it is about"
    )
    opening.add_argument("--take-away", action="store_true", help="kill and latch those flags now")
    opening.add_argument("--kind", choices=KINDS, default="", help="decides the words people read")
    opening.add_argument("--severity", type=int, choices=(1, 2, 3, 4), default=3)
    for name, text in (
        ("show", "one, with its timeline"),
        ("check", "whether its timeline is as it was written"),
        ("acknowledge", "you are at it"),
    ):
        _one(steps, name, text)
    note = _one(steps, "note", "add a line to its timeline")
    note.add_argument("--text", required=True)
    decide = _one(steps, "decide", "choose a field of the decision matrix")
    decide.add_argument("field", choices=list(decisions.BY_KEY), metavar="FIELD")
    decide.add_argument("--reason", required=True)
    resolve = _one(steps, "resolve", "its features may be raised again")
    resolve.add_argument("--reason", required=True, help="how it was resolved")
    review = _one(steps, "review", "root cause and lessons, when it is resolved")
    review.add_argument("--root-cause", required=True)
    review.add_argument("--lessons", required=True)
    review.add_argument("--action", action="append", default=[], help="what is to be done")
    sending_words.add_arguments(steps)
    export = _one(steps, "export", "everything about it as Markdown")
    export.add_argument("--to", type=Path, metavar="FILE", help="instead of to the terminal")


def _one(steps: "_SubParsersAction[CommandParser]", name: str, text: str) -> CommandParser:
    step = steps.add_parser(name, help=text)
    step.add_argument("incident", type=int, metavar="ID")
    return step


def answer(step: str, options: dict[str, Any], *, actor: Actor) -> list[str]:
    """:returns: lines. :raises ChangeRefused:"""
    if step == "list":
        found = Incident.objects.prefetch_related("latches")
        return [_line(one) for one in found] or ["There has been no incident."]
    if step == "open":
        return _open(options, actor=actor)
    if step not in STEPS:
        return sending_words.answer(step, options, actor=actor)
    return STEPS[step](options["incident"], options, actor)


def _open(options: dict[str, Any], *, actor: Actor) -> list[str]:
    facts = {"severity": options["severity"], "kind": options["kind"], "actor": actor}
    if options["take_away"]:
        if not options["flags"]:
            raise ChangeRefused("Name what is to be taken away: --flag, once for each.")
        done = runner.roll_back(
            flags=options["flags"], incident=options["title"], reason=options["reason"], **facts
        )
        return [
            *(f"{change.flag_name}: {change.action} done." for change in done.changes),
            f"Incident {done.incident.pk} is open; until it is resolved nothing comes back.",
        ]
    _check_known(options["flags"])
    opened = incidents.open_case(
        title=options["title"], flags=options["flags"], cause=options["reason"], **facts
    )
    if opened is None:  # only a trigger's second case is not opened
        raise ChangeRefused("It is open already.")
    return [f"Incident {opened.pk} is open; nothing was taken away."]


def _check_known(flags: list[str]) -> None:
    known = incidents.facts_of_flags()
    for flag in flags:
        if flag not in known:
            raise ChangeRefused(f"There is no flag {flag}. There are: {', '.join(known)}.")


def _show(number: int, options: Mapping[str, Any], actor: Actor) -> list[str]:
    one = _found(number)
    lines = [_line(one), f"Opened by {one.opened_by_name} at {one.opened_at:%Y-%m-%d %H:%M:%S %Z}."]
    lines += [f"Cause: {one.cause}"] if one.cause else []
    lines += [_event(event) for event in one.events.order_by("number")]
    lines += [_change(change) for change in incidents.timeline(one)]
    if one.resolved_at is not None:
        at = f"{one.resolved_at:%Y-%m-%d %H:%M:%S %Z}"
        lines.append(f"Resolved by {one.resolved_by_name} at {at}: {one.resolution}")
    return lines


def _check(number: int, options: Mapping[str, Any], actor: Actor) -> list[str]:
    one = _found(number)
    broken = incidents.check_chain(one)
    if broken is not None:
        raise ChangeRefused(
            f"Line {broken} of the timeline of incident {number} is not as it was written, or follows a "
            "gap: somebody has changed the database past its guards. Compare with an export or a backup."
        )
    last = one.events.order_by("-number").first()
    if last is None:
        return [f"The timeline of incident {number} is empty."]
    return [
        f"The timeline of incident {number} is as it was written: {last.number} lines, "
        f"the last hash is {last.hash}."
    ]


def _acknowledge(number: int, options: Mapping[str, Any], actor: Actor) -> list[str]:
    incidents.acknowledge(incident=number, actor=actor)
    return [f"Incident {number} is acknowledged."]


def _note(number: int, options: Mapping[str, Any], actor: Actor) -> list[str]:
    event = incidents.note(incident=number, actor=actor, text=options["text"])
    event.refresh_from_db()
    return [f"Written down as line {event.number} of incident {number}."]


def _decide(number: int, options: Mapping[str, Any], actor: Actor) -> list[str]:
    chosen = incidents.decide(
        incident=number, actor=actor, field=options["field"], reason=options["reason"]
    )
    return [f"Decided: {chosen.words}", "Nothing was taken away by that."]


def _resolve(number: int, options: Mapping[str, Any], actor: Actor) -> list[str]:
    resolved = sendings.resolve(incident=number, actor=actor, reason=options["reason"])
    affected.refresh(resolved)
    return [f"Incident {resolved.pk} is resolved. Its features may be raised again."]


def _review(number: int, options: Mapping[str, Any], actor: Actor) -> list[str]:
    incidents.review(
        incident=number,
        actor=actor,
        root_cause=options["root_cause"],
        lessons=options["lessons"],
        actions=[(text, None, None) for text in options["action"]],
    )
    return [f"Incident {number} is reviewed."]


def _export(number: int, options: Mapping[str, Any], actor: Actor) -> list[str]:
    text = markdown.of(story.tell(_found(number), now=timezone.now()))
    file: Path | None = options["to"]
    if file is None:
        return [text]
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise ChangeRefused(f"{file} cannot be written: {error.strerror}.") from error
    return [f"Written to {file}."]


STEPS: Mapping[str, Callable[[int, Mapping[str, Any], Actor], list[str]]] = {
    "show": _show,
    "check": _check,
    "acknowledge": _acknowledge,
    "note": _note,
    "decide": _decide,
    "resolve": _resolve,
    "review": _review,
    "export": _export,
}


def _found(number: int) -> Incident:
    one = Incident.objects.filter(pk=number).first()
    if one is None:
        raise ChangeRefused(f"There is no incident {number}. See manage.py rollback incident list.")
    return one


def _line(one: Incident) -> str:
    flags = ", ".join(latch.flag_name for latch in one.latches.all())
    lasted = timesince(one.opened_at, one.resolved_at)
    state = "resolved" if not one.is_open else "OPEN"
    return f"{one.pk}  {state}  {lasted}  {one.title}  [{flags}]"


def _event(event: IncidentEvent) -> str:
    at = f"{event.at:%Y-%m-%d %H:%M:%S %Z}"
    return f"  {event.number}. {at}  {event.kind} by {event.actor_name}"


def _change(change: FlagChange) -> str:
    why = change.reason or "WITHOUT A REASON"
    at = f"{change.changed_at:%Y-%m-%d %H:%M:%S %Z}"
    return f"  {at}  {change.flag_name}: {change.action} by {change.actor_name}: {why}"
