"""manage.py rollback phase, sequence, reapply, resume, phases: down through the phases, and back."""

import getpass
import socket
import sys
from argparse import _SubParsersAction
from collections.abc import Callable, Iterable, Iterator
from os import getpid
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import InterfaceError, OperationalError, connection

from enrollment.models import User
from rollback import phases
from rollback.audit import Actor, ChangeRefused, actor_of
from rollback.domain.phases import Phase
from rollback.management.plan_words import sentence
from rollback.models import Incident, PhaseRun

COMMANDS = frozenset({"phase", "sequence", "reapply", "resume", "phases"})
Say = Callable[[str], object]


def add_arguments(commands: "_SubParsersAction[CommandParser]") -> None:
    phase = commands.add_parser(
        "phase", help="3: pages off; 2: API and tasks off; 1: tables archived"
    )
    phase.add_argument("phase", type=int, choices=(3, 2, 1), metavar="3|2|1")
    sequence = commands.add_parser("sequence", help="phases 3, 2 and 1, then the verification")
    reapply = commands.add_parser("reapply", help="the tables back; the features stay off")
    reapply.add_argument(
        "--accept-changes",
        action="store_true",
        help="also where rows were changed in the archive",
    )
    reapply.add_argument(
        "--accept-copy",
        action="store_true",
        help="also where very many rows have to be copied, and everybody waits meanwhile",
    )
    for down in (phase, sequence):
        how = down.add_mutually_exclusive_group()
        how.add_argument(
            "--kill", dest="mode", action="store_const", const="kill", help="at once (the default)"
        )
        how.add_argument(
            "--drain",
            dest="mode",
            action="store_const",
            const="drain",
            help="whoever is in the middle of enrolling finishes first",
        )
        down.set_defaults(mode="kill")
    for one in (phase, sequence, reapply):
        one.add_argument("--reason", required=True, help="one sentence for whoever reads it later")
        one.add_argument("--incident", type=int, metavar="ID", help="which it belongs to")
        one.add_argument(
            "--yes",
            action="store_true",
            help="ask nothing but who you are, where nobody can answer",
        )
    commands.add_parser("resume", help="go on with what was begun, approved or has failed")
    listed = commands.add_parser("phases", help="how far they got; with N: one, step by step")
    listed.add_argument("run", type=int, nargs="?", metavar="N")
    listed.add_argument("--cancel", metavar="REASON", help="go no further; what is off stays off")


def answer(what: str, options: dict[str, Any], *, actor: Actor, say: Say) -> bool:
    """:returns: whether all is as it should be.

    :raises ChangeRefused:
    :raises CommandError: the database is gone
    """
    try:
        return _answer(what, options, actor=actor, say=say)
    except (OperationalError, InterfaceError) as error:
        why = str(error).strip().partition("\n")[0]
        raise CommandError(
            f"The database could not be reached ({why}). Nothing is half done: "
            "manage.py rollback resume goes on, and manage.py rollback phases shows how far it got."
        ) from error


def _answer(what: str, options: dict[str, Any], *, actor: Actor, say: Say) -> bool:
    if what == "phases":
        return _show(options["run"], options["cancel"], actor=actor, say=say)
    if what == "resume":
        return _go_on(_to_resume(actor), say=say)
    target = {"sequence": Phase.TABLES, "reapply": Phase.BACK}.get(what) or options.get("phase", 0)
    for line in _expected(phases.before(target=target)):
        say(line)
    if target == Phase.TABLES:
        actor = actor_of(_log_in("Operator", "for whoever asks for phase 1"))
    if not options["yes"]:
        _confirm(target)
    run = phases.ask(
        target=target,
        mode=options.get("mode") or PhaseRun.Mode.KILL,
        actor=actor,
        reason=options["reason"],
        incident=_incident(options["incident"]),
        whole=what == "sequence",
        accept_changes=bool(options.get("accept_changes")),
        accept_copy=bool(options.get("accept_copy")),
    )
    say(f"Phase run {run.pk}" + (f", incident {run.incident_id}." if run.incident_id else "."))
    return _go_on(run, say=say)


def _go_on(run: PhaseRun, *, say: Say) -> bool:
    by = f"{socket.gethostname()[:60]} {getpid()}"
    while True:
        if run.status == PhaseRun.Status.ASKED and not _approved(run, say=say):
            return True
        run = phases.carry_out(run=run, by=by, say=say)
        if run.status != PhaseRun.Status.ASKED:
            break
    say(f"Phase run {run.pk}: {run.get_status_display()}.")
    if run.error:
        say(run.error)
    if run.status == PhaseRun.Status.FAILED:
        say("When it is put right: manage.py rollback resume")
    return run.status == PhaseRun.Status.DONE and not run.error


def _approved(run: PhaseRun, *, say: Say) -> bool:
    """By a second person who logs in here; or later, in the admin."""
    if why := phases.approve_again(run):
        say(why)
    say("It needs a second person, who may approve that tables are archived.")
    try:
        second = _log_in("Approver", "or nothing, to approve it in the admin")
    except ChangeRefused as refused:
        say(
            f"{refused} Phase run {run.pk} waits: manage.py rollback resume, or approve it in the admin."
        )
        return False
    phases.approve(run=run, approver=actor_of(second))
    say(f"Approved by {second.get_username()}.")
    return True


def _to_resume(actor: Actor) -> PhaseRun:
    live = PhaseRun.objects.filter(status__in=PhaseRun.LIVE).first()
    if live is not None:
        return live
    last = PhaseRun.objects.order_by("-pk").first()
    if last is None or last.status != PhaseRun.Status.FAILED:
        raise ChangeRefused("There is nothing to go on with. See manage.py rollback phases.")
    return phases.reopen(run=last, actor=actor)


def _log_in(role: str, hint: str) -> User:
    """:raises ChangeRefused: the same words for whatever is wrong"""
    mail = _line(f"{role}'s mail address ({hint}): ")
    password = _secret(f"{role}'s password: ") if mail else ""
    user = User.objects.filter(email__iexact=mail, is_active=True).first() if mail else None
    if user is None or not user.check_password(password):
        raise ChangeRefused(f"{role}: nobody has logged in with that address and password.")
    return user


def _confirm(target: int) -> None:
    if target == Phase.TABLES:
        name = str(connection.settings_dict["NAME"])
        if _line(f"The tables will leave the database. Type its name, {name}: ") != name:
            raise ChangeRefused("That is not its name. Nothing was done.")
    elif _line("Go on? Type yes: ").lower() not in ("y", "yes"):
        raise ChangeRefused("Nothing was done. Where nobody can answer: --yes.")


def _line(prompt: str) -> str:
    """ "" when there is nobody to answer."""
    if sys.stdin.isatty():
        return input(prompt).strip()
    return sys.stdin.readline().strip()


def _secret(prompt: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline().rstrip("\n")


def _incident(number: int | None) -> Incident | None:
    if number is None:
        return None
    found = Incident.objects.filter(pk=number).first()
    if found is None:
        raise ChangeRefused(f"There is no incident {number}. See manage.py rollback incident list.")
    return found


def _expected(known: dict[str, Any]) -> Iterator[str]:
    if known["blast"]:
        yield f"Whom it concerns: {sentence(known['blast'])}"
    if known["rows"]:
        yield f"Rows: {known['total']:,} in {len(known['rows'])} tables"
        for table, rows in known["rows"].items():
            yield f"  {table}: {'not counted' if rows is None else f'{rows:,}'}"
    yield _forecast(known["forecast"])
    for one in known["holders"]:
        yield (
            f"In use now: process {one['pid']} of {one['user']} ({one['application'] or '?'}, "
            f"{one['seconds']:.0f} s): {', '.join(one['tables'])}"
        )


def _forecast(found: dict[str, Any] | None) -> str:
    if found is None:
        return (
            "How long it takes is not known: it was never rehearsed (manage.py rollback rehearse)."
        )
    others = ", which was of other migrations than these" if found["of_others"] else ""
    return (
        f"Expected: {found['seconds']:g} s, by rehearsal {found['rehearsal']} "
        f"of {found['rehearsed_at'][:10]}{others}"
    )


def _show(number: int | None, cancel: str | None, *, actor: Actor, say: Say) -> bool:
    if number is None and cancel is None:
        for line in _list() or ["No phase was ever asked for."]:
            say(line)
        return True
    run = _found(number)
    if cancel is not None:
        run = phases.cancel(run=run, actor=actor, reason=cancel)
    for line in _whole(run):
        say(line)
    return True


def _found(number: int | None) -> PhaseRun:
    runs = PhaseRun.objects.filter(status__in=PhaseRun.LIVE)
    if number is not None:
        runs = PhaseRun.objects.filter(pk=number)
    run = runs.first()
    if run is None:
        which = "under way" if number is None else str(number)
        raise ChangeRefused(f"There is no phase run {which}. See manage.py rollback phases.")
    return run


def _list() -> list[str]:
    return [_head(run) for run in PhaseRun.objects.order_by("-pk")[:50]]


def _head(run: PhaseRun) -> str:
    done = sum(one["state"] == "done" for one in run.progress)
    status = run.get_status_display()
    return (
        f"{run.pk}  {status.upper() if run.status in PhaseRun.LIVE else status}  "
        f"{run.get_target_display()}, step {done} of {len(run.progress)}"
    )


def _whole(run: PhaseRun) -> Iterable[str]:
    yield _head(run)
    yield f"Asked for by {run.operator_name} at {run.asked_at:%Y-%m-%d %H:%M:%S %Z}: {run.reason}"
    if run.approver_name:
        yield f"Approved by {run.approver_name} at {run.approved_at:%Y-%m-%d %H:%M:%S %Z}"
    if run.incident_id is not None:
        yield f"Incident {run.incident_id}"
    for one in run.progress:
        seconds = f"{one['seconds']:g} s" if "seconds" in one else ""
        said = f"  {one['state']:<8} {phases.step_word(one['name'])}  {seconds}  {one['words']}"
        yield said.rstrip()
    if run.error:
        yield run.error
