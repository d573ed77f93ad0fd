"""manage.py rollback oncall: who is called now, and where the roster has holes."""

from argparse import _SubParsersAction
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.core.management.base import CommandParser
from django.utils.timezone import get_default_timezone_name, localtime

from rollback import outbox
from rollback.models import Page
from rollback.oncall import roster
from rollback.oncall.policy import clock

AHEAD = timedelta(days=14)


def add_arguments(commands: "_SubParsersAction[CommandParser]") -> None:
    commands.add_parser("oncall", help="who is called now, and when nobody is in the next 14 days")


def answer() -> list[str]:
    now = clock()
    nothing = [] if outbox.goes_out() else [f"Nobody is called. {outbox.NOTHING_GOES_OUT}"]
    return [*nothing, *_now(now), *_gaps(now), *_waiting()]


def _now(now: datetime) -> Iterator[str]:
    people = roster.people_now(now=now)
    for level, user in people.items():
        yield f"{level}: {user} <{user.email}>"
    if not people:
        names = roster.names(roster.everybody()) or "nobody has a mail address"
        yield f"Nobody is on call. Called instead: {names}."


def _gaps(now: datetime) -> Iterator[str]:
    gaps = roster.gaps(now=now, within=AHEAD)
    if not gaps:
        yield "There is no gap in the next 14 days."
    for starts, ends in gaps:
        yield f"Nobody from {_moment(starts)} to {_moment(ends)} ({get_default_timezone_name()})."


def _waiting() -> Iterator[str]:
    waiting = Page.objects.filter(acknowledged_at=None, closed_at=None)
    for page in waiting.select_related("incident"):
        what = page.incident or page.get_kind_display()
        yield f"Page {page.pk} waits for an answer since {_moment(page.opened_at)}: {what}."


def _moment(at: datetime) -> str:
    return f"{localtime(at):%Y-%m-%d %H:%M}"
