"""manage.py rollback rehearse: the whole rollback on a copy of the school."""

from argparse import ArgumentTypeError, _SubParsersAction
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from rollback.backups import BackupFailed, ReceiptRefused
from rollback.models import Rehearsal
from rollback.rehearsing import papers
from rollback.rehearsing.carrying import RehearsalRuns, rehearse


def add_arguments(commands: "_SubParsersAction[CommandParser]") -> None:
    one = commands.add_parser(
        "rehearse", help="the whole rollback on a copy of the newest backup; changes nothing here"
    )
    one.add_argument(
        "--from", dest="backup", type=Path, metavar="BACKUP", help="a backup's file, not the newest"
    )
    one.add_argument(
        "--patience",
        type=_patience,
        default=1.0,
        metavar="TIMES",
        help="so many times the usual limit for each step, on a slow machine (default: 1)",
    )


def _patience(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 100:
        raise ArgumentTypeError(f"“{text}” is no number from 0.1 to 100.")
    return value


def answer(options: dict[str, Any], *, say: Callable[[str], object]) -> list[str]:
    """:raises CommandError: also when the rehearsal has not passed"""
    try:
        done = rehearse(backup=options["backup"], say=say, patience=options["patience"])
    except (RehearsalRuns, ReceiptRefused, BackupFailed) as refused:
        raise CommandError(str(refused)) from refused
    where = papers.folder() / papers.stem(done)
    if not done.passed:
        raise CommandError(f"The rehearsal failed.\n{done.error}\nThe report: {where}.html")
    return [_sentence(done), f"The report: {where}.html", f"The certificate: {where}.json"]


def _sentence(done: Rehearsal) -> str:
    if done.finished_at is None:
        return "The rehearsal passed."
    seconds = (done.finished_at - done.started_at).total_seconds()
    return f"The rehearsal passed in {seconds:.0f} s."
