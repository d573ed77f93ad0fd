"""manage.py import_school DIR [--dry-run]: bring a school in from files (docs/import.md)."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from enrollment.operations.import_school import ImportRefused, Report, import_school


class Bars:
    """One bar for each file; nothing at all where nobody watches."""

    def __init__(self, rich: RichProgress) -> None:
        self.rich = rich
        self.task: TaskID | None = None

    def begin(self, file: str, rows: int) -> None:
        self.task = self.rich.add_task(file, total=rows)

    def advance(self, rows: int) -> None:
        if self.task is not None:
            self.rich.advance(self.task, rows)


class Command(BaseCommand):
    help = "Import people, courses, enrollments, lessons and progress from CSV files."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", metavar="DIR", type=Path, help="where the files lie")
        parser.add_argument(
            "--dry-run", action="store_true", help="check everything, write nothing"
        )

    def handle(self, *args: Any, folder: Path, dry_run: bool, **options: Any) -> None:
        console = Console(stderr=True)
        with _bars(console) as bars:
            try:
                report = import_school(
                    folder=folder, now=timezone.now(), dry_run=dry_run, progress=Bars(bars)
                )
            except ImportRefused as refused:
                lines = [str(problem) for problem in refused.problems]
                what = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
                raise CommandError("\n".join([*lines, f"Nothing imported: {what}."])) from None
        self.stdout.write("\n".join(_summary(report, dry_run=dry_run)))


def _bars(console: Console) -> RichProgress:
    return RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _summary(report: Report, *, dry_run: bool) -> list[str]:
    lines = [
        f"{file}: {counts.created} created, {counts.changed} changed, {counts.unchanged} unchanged"
        for file, counts in report.counts.items()
    ]
    if closed := sum(counts.logins_closed for counts in report.counts.values()):
        whose = "1 person who had" if closed == 1 else f"{closed} people who had"
        lines.append(
            f"Password taken from {whose} signed up with an address that was never confirmed; "
            "a new one is set with “Forgot your password?”."
        )
    if report.ignored:
        lines.append(f"Not read: {', '.join(report.ignored)}.")
    if dry_run:
        lines.append("A dry run: nothing was written.")
    return lines
