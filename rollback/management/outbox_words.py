"""manage.py rollback send, rollback outbox: what waits for people, from the terminal, without a broker."""

from argparse import _SubParsersAction
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Count, Min, Q
from django.db.models.functions import Now
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from rollback import outbox
from rollback.audit import Actor, ChangeRefused
from rollback.models import Notification, Sending

WHAT = ("send", "outbox")
State = Notification.State
SHOWN = 20
RESEND = "manage.py rollback outbox resend"


def add_arguments(commands: "_SubParsersAction[CommandParser]") -> None:
    send = commands.add_parser(
        "send", help="send the mails that are due, here and now; needs no broker and no worker"
    )
    send.add_argument("--seconds", type=float, help="at most so long")
    send.add_argument("--pages", action="store_true", help="only what calls somebody on call")
    box = commands.add_parser("outbox", help="what waits, what was sent, what was given up")
    steps = box.add_subparsers(dest="step", metavar="STEP")
    hold = steps.add_parser(
        "hold",
        help="after a backup was restored: nothing that waits goes out, nobody is called for it",
    )
    hold.add_argument("--reason", required=True, help="one sentence for the timelines")
    again = steps.add_parser("resend", help="try again what was given up")
    again.add_argument("notifications", nargs="*", type=int, metavar="ID")
    again.add_argument("--all", action="store_true", help="all that were given up")


def send(options: dict[str, Any], *, is_terminal: bool) -> list[str]:
    """:returns: what became of how many"""
    urgency = Notification.Urgency.PAGE if options["pages"] else Notification.Urgency.PEOPLE
    if not outbox.goes_out():
        return [outbox.NOTHING_GOES_OUT]
    with _shown(urgency, is_terminal=is_terminal) as say:
        done = outbox.send_due(seconds=options["seconds"], urgency=urgency, say=say)
    lines = [f"{number} {what}." for what, number in sorted(done.items())]
    if done["away"]:
        lines.append("The mail server does not answer; what waits is tried again in 30 seconds.")
    waiting = _due(urgency).count()
    if waiting and not done["away"]:
        lines.append(f"{waiting} still due. Start it again, or see manage.py rollback outbox.")
    return lines or ["Nothing is due."]


@contextmanager
def _shown(urgency: int, *, is_terminal: bool) -> Iterator[Callable[[Counter[str]], object] | None]:
    """A bar where somebody looks; else nothing until the end."""
    if not is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("Sending", total=_due(urgency).count())
        yield lambda done: bar.update(task, completed=sum(done.values()))


def _due(urgency: int) -> Any:
    waiting = Notification.objects.filter(state=State.WAITING, urgency__lte=urgency)
    return waiting.filter(next_at__lte=Now())


def answer(options: dict[str, Any], *, actor: Actor) -> tuple[list[Table], list[str]]:
    """:returns: tables, and lines below them. :raises ChangeRefused:"""
    if options["step"] == "resend":
        return [], _resend(options["notifications"], actor, everything=options["all"])
    if options["step"] == "hold":
        return [], _hold(options["reason"], actor)
    dead = Notification.objects.filter(state=State.DEAD).select_related("sending")
    number = dead.count()
    if not number:
        return [_counts(), *_going()], ["Nothing was given up."]
    lines = [f"{number} were given up. Try them again: {RESEND} ID … (or --all)."]
    return [_counts(), *_going(), _dead(list(dead.order_by("-pk")[:SHOWN]))], lines


def _resend(notifications: list[int], actor: Actor, *, everything: bool) -> list[str]:
    """:raises ChangeRefused:"""
    if bool(notifications) == everything:
        raise ChangeRefused("Name what is to be tried again by its numbers, or give --all.")
    dead = Notification.objects.filter(state=State.DEAD)
    if everything:
        notifications = list(dead.values_list("pk", flat=True))
    else:
        known = set(dead.filter(pk__in=notifications).values_list("pk", flat=True))
        if other := sorted(set(notifications) - known):
            numbers = ", ".join(map(str, other))
            raise ChangeRefused(
                f"Not given up, or not there: {numbers}. See manage.py rollback outbox."
            )
    # Whoever is at the terminal may do everything.
    done = outbox.resend(notifications=notifications, to_people=True, actor=actor)
    lines = [f"{done.waiting} will be tried again. Now: manage.py rollback send."]
    for number, words in (
        (done.held, "wait until their sending goes on: manage.py rollback incident resume."),
        (done.stopped, "left out: their sending was stopped."),
        (done.over, "left out: somebody is at it, or it is over."),
    ):
        lines += [f"{number} {words}"] if number else []
    return lines


def _hold(reason: str, actor: Actor) -> list[str]:
    """:raises ChangeRefused:"""
    held = outbox.hold(actor=actor, reason=reason)
    return [
        f"{held.rows} held back, of {held.sendings} sendings that are paused now.",
        f"{held.pages} on-call pages closed, {held.calls} of their calls not needed any more.",
        "What is to go out: manage.py rollback incident resume SENDING. See manage.py rollback outbox.",
    ]


def _counts() -> Table:
    table = Table("State", "Rows", "Oldest due")
    rows = Notification.objects.order_by().values_list("state")
    for state, number, oldest in rows.annotate(Count("pk"), Min("next_at")).order_by("state"):
        due = f"{oldest:%Y-%m-%d %H:%M:%S %Z}" if state == State.WAITING else ""
        table.add_row(str(State(state).label), str(number), due)
    return table


def _going() -> Iterator[Table]:
    """Those that are on the way or may be."""
    open_ones = Sending.objects.exclude(state__in=(Sending.State.DONE, Sending.State.STOPPED))
    counted = open_ones.annotate(
        everybody=Count("notifications"),
        sent=Count("notifications", filter=Q(notifications__state=State.SENT)),
    )
    found = list(counted.order_by("-pk")[:SHOWN])
    if not found:
        return
    table = Table("Sending", "Letter", "Incident", "State", "Sent")
    for one in found:
        incident = str(one.incident_id or "")
        sent = f"{one.sent} of {one.everybody}"
        table.add_row(str(one.pk), one.letter, incident, str(one.get_state_display()), sent)
    yield table


def _dead(rows: list[Notification]) -> Table:
    """No address: a terminal's output ends in tickets."""
    table = Table("ID", "Letter", "Incident", "Tries", "Last error")
    for row in rows:
        sending = row.sending
        incident = str(sending.incident_id or "")
        table.add_row(str(row.pk), sending.letter, incident, str(row.tries), row.error[:200])
    return table
