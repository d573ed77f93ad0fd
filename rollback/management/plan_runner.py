"""manage.py rollback run: takes the steps of plans when they are due, and those of the phases. One process,
no broker, no cache.

Any number of them may run; whichever is killed, another, or the same started again, goes on.
"""

import os
import signal
import socket
import time
from argparse import _SubParsersAction
from collections.abc import Callable
from types import FrameType

from django.core.management.base import CommandParser
from django.db import Error, connection

from rollback import phases, plans
from rollback.domain.errors import without_rows
from rollback.models import Plan
from rollback.processes import be_the_runner

LOOK_EVERY = 1.0
NAP = 0.1  # how late a signal may be heard


def add_arguments(commands: "_SubParsersAction[CommandParser]") -> None:
    run = commands.add_parser("run", help="take the steps of plans when they are due, until ended")
    run.add_argument("--once", action="store_true", help="what is due now, and end")
    run.add_argument("--plan", type=int, metavar="N", help="only this plan's")


def is_missing(plan: int) -> bool:
    """A database that is away is the runner's to say."""
    try:
        return not Plan.objects.filter(pk=plan).exists()
    except Error:
        connection.close()
        return False


class Runner:
    """say: takes a sentence. ending: set by a signal; a step that has begun is finished."""

    def __init__(self, *, say: Callable[[str], object], only: int | None = None) -> None:
        self.say, self.only = say, only
        self.by = f"{socket.gethostname()[:60]} {os.getpid()}"
        self.ending = False
        self.lost = False

    def run(self, *, once: bool) -> bool:
        """:returns: whether the last look reached the database."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        while not self.ending:
            self.look()
            if once:
                break
            self._wait()
        return not self.lost

    def look(self) -> None:
        try:
            be_the_runner()
            taken = plans.advance_due(by=self.by, only=self.only)
            if self.only is None:
                phases.resume_due(by=self.by, say=self.say)
        except Error as error:
            self._lose(error)
            return
        if self.lost:
            self.lost = False
            self.say("The database is back.")
        if taken:
            self.say(f"{taken} step{'s' if taken > 1 else ''} taken.")

    def _lose(self, error: Error) -> None:
        """Said once; it is tried again with each look."""
        if not self.lost:
            reason = without_rows(error).partition("\n")[0] or type(error).__name__
            self.say(f"The database was lost ({reason}). What was begun is undone.")
        self.lost = True
        connection.close()

    def _wait(self) -> None:
        until = time.monotonic() + LOOK_EVERY
        while not self.ending and time.monotonic() < until:
            time.sleep(NAP)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.ending = True
