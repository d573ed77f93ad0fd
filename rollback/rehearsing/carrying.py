"""The rehearsal as a whole: copy, steps, clean-up, report. It runs beside the school; the work is done by a
child process that knows only the copy.
"""

import hashlib
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from psycopg.conninfo import conninfo_to_dict

from rollback import backups
from rollback.backups import Receipt, source
from rollback.backups.scratch import remove_leftovers
from rollback.domain.errors import without_rows
from rollback.models import Rehearsal
from rollback.rehearsing import certificate, papers, surroundings
from rollback.rehearsing.helper import Helper, HelperGone, StepFailed, hung
from rollback.rehearsing.steps import (
    DONE,
    DROPPING,
    FAILED,
    LEFT_OUT,
    RESTORING,
    STEPS,
    Result,
    Step,
)
from rollback.schema.graph import migration_graph_hash

Say = Callable[[str], object]
CLAIM = 0x72656865  # any number that no other advisory lock has
PREFIX = "school-rehearsal-"


class RehearsalRuns(Exception):
    """Another one is going on; the message says so."""


@dataclass
class Rehearsing:
    """One run: what has been done so far, and since when the clock runs."""

    say: Say
    patience: float
    began: float = field(default_factory=time.monotonic)
    results: list[Result] = field(default_factory=list)
    rows: int = 0

    @contextmanager
    def step(self, step: Step) -> Iterator[dict[str, Any]]:
        """What is put into the yielded facts is kept; StepFailed is noted, and raised again."""
        title = str(step.title)
        self.say(f"{title} …")
        began, facts, state, words = time.monotonic(), dict[str, Any](), DONE, ""
        try:
            yield facts
            words = str(facts.pop("words", ""))
        except StepFailed as failed:
            state, words = FAILED, str(failed)
            facts.update(failed.facts)
            raise
        finally:
            took = time.monotonic() - began
            self.results.append(
                Result(
                    name=step.name,
                    title=title,
                    state=state,
                    began=began - self.began,
                    seconds=took,
                    words=words,
                    facts=facts,
                )
            )
            said = f"{title}: {self.results[-1].state_word}, {took:.1f} s."
            self.say(f"{said} {words}".strip())

    def leave_out(self, rest: tuple[Step, ...]) -> None:
        self.results += [
            Result(name=one.name, title=str(one.title), state=LEFT_OUT) for one in rest
        ]

    @property
    def failures(self) -> list[Result]:
        return [one for one in self.results if one.state == FAILED]


def rehearse(*, backup: Path | None = None, say: Say, patience: float = 1.0) -> Rehearsal:
    """backup: the receipt's or the backup's path; else the newest that is verified, or one made now.
    patience: by which all limits are multiplied, on a slow machine.

    :raises RehearsalRuns:
    :raises rollback.backups.ReceiptRefused: of the backup that was named
    """
    with _alone():
        _tidy_up(say)
        receipt, said = _receipt(backup, say)
        rehearsal = Rehearsal.objects.create(
            graph=migration_graph_hash(), backup=receipt.name[:100]
        )
        run = Rehearsing(say=say, patience=patience)
        try:
            _carry_out(run, receipt, said)
        finally:
            _finish(run, rehearsal)
        return rehearsal


def _receipt(backup: Path | None, say: Say) -> tuple[Receipt, str]:
    if backup is not None:
        return backups.read(backup), ""
    if (newest := backups.newest_verified(within=None)) is not None:
        return newest, ""
    said = _("There was no verified backup, so one was made first.")
    say(said)
    return backups.make(say=say), said


def _carry_out(run: Rehearsing, receipt: Receipt, said: str) -> None:
    copy = backups.scratch(receipt=receipt, say=run.say)
    try:
        with run.step(RESTORING) as facts:
            facts["words"] = said
            with _within(RESTORING.seconds(rows=receipt.rows, patience=run.patience)):
                url = _entered(copy)
    except StepFailed:
        run.leave_out(STEPS)
        return
    try:
        _all_steps(run, url)
    finally:
        limit = DROPPING.seconds(rows=receipt.rows, patience=run.patience)
        # Should it hang, the next run drops it.
        with suppress(StepFailed), run.step(DROPPING), _within(limit):
            copy.__exit__(None, None, None)


class TooLong(KeyboardInterrupt):
    """As Ctrl-C has it: psycopg cancels what the server is at, and nothing is left half done."""


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """By the clock of the process, which only its main thread hears. :raises StepFailed:"""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except TooLong:
        raise StepFailed(hung(seconds)) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _entered(copy: Any) -> str:
    try:
        return str(copy.__enter__())
    except (backups.BackupFailed, backups.ReceiptRefused, psycopg.Error) as error:
        raise StepFailed(without_rows(error)) from error


def _all_steps(run: Rehearsing, url: str) -> None:
    with _folder() as folder:
        log = papers.new_log()
        env = surroundings.of_child(
            url=url,
            name=_name(url),
            system=_system(),
            real=str(connection.settings_dict["NAME"]),
            folder=folder,
        )
        with Helper(env=env, log=log, say=run.say) as helper:
            _steps(run, helper)


def _steps(run: Rehearsing, helper: Helper) -> None:
    begun = False
    for number, step in enumerate(STEPS):
        seconds = step.seconds(rows=run.rows, patience=run.patience)
        try:
            with run.step(step) as facts:
                if not begun:
                    helper.ready()
                    begun = True
                facts.update(helper.do(step.name, seconds=seconds))
        except HelperGone:
            run.leave_out(STEPS[number + 1 :])
            return
        except StepFailed:
            if not step.goes_on:
                run.leave_out(STEPS[number + 1 :])
                return
        run.rows = int(facts.get("rows") or run.rows)


def _finish(run: Rehearsing, rehearsal: Rehearsal) -> None:
    """The row, the report and the files; whatever happened. Passed: every step was done."""
    if not connection.in_atomic_block and not connection.is_usable():
        # It was idle for as long as the rehearsal took; some servers end that.
        connection.close()
    named = {one.name: dict(one.facts) for one in run.results if one.state == DONE}
    wanted = {one.name for one in (RESTORING, *STEPS, DROPPING)}
    rehearsal.passed = {one.name for one in run.results if one.state == DONE} == wanted
    rehearsal.error = "\n".join(f"{one.title}: {one.words}" for one in run.failures)
    if not (rehearsal.passed or rehearsal.error):
        rehearsal.error = _("It was broken off.")
    rehearsal.figures = {**certificate.figures(named), "steps": papers.as_json(run.results)}
    Rehearsal.objects.filter(pk=rehearsal.pk).update(finished_at=Now())
    rehearsal.refresh_from_db(fields=["finished_at"])
    papers.write(rehearsal, run.results)
    rehearsal.save()


@contextmanager
def _alone() -> Iterator[None]:
    """By a lock of the database's, which a killed run does not keep. :raises RehearsalRuns:"""
    with source.school().connect() as held:
        row = held.execute("SELECT pg_try_advisory_lock(%s)", [CLAIM]).fetchone()
        if row != (True,):
            raise RehearsalRuns(_("Another rehearsal is going on. Wait until it has ended."))
        yield


@contextmanager
def _folder() -> Iterator[Path]:
    """What the child writes goes here, and goes away; the school's static files are linked to."""
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{place_of_var()}-") as name:
        folder = Path(name)
        if Path(settings.STATIC_ROOT).is_dir():
            (folder / "static").symlink_to(settings.STATIC_ROOT)
            if (stamp := Path(settings.VAR) / "static.digest").exists():
                shutil.copy(stamp, folder)
        yield folder


def _tidy_up(say: Say) -> None:
    """What killed runs have left: we hold the lock, so none of them lives."""
    with source.school().connect() as connected:
        for name in remove_leftovers(connected):
            say(_("The copy of a killed run was dropped: %(name)s.") % {"name": name})
    error = _("It was killed.")
    left = Rehearsal.objects.filter(passed=None)
    left.update(passed=False, finished_at=Now(), error=error)
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}{place_of_var()}-*"):
        shutil.rmtree(folder, ignore_errors=True)


def place_of_var() -> str:
    """Whose folders these are: other schools on this machine rehearse as well."""
    return hashlib.blake2b(str(settings.VAR).encode(), digest_size=4).hexdigest()


def _name(url: str) -> str:
    return str(conninfo_to_dict(url)["dbname"])


def _system() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier::text FROM pg_control_system()")
        return str(cursor.fetchone()[0])
