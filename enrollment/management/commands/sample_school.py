"""manage.py sample_school DIR: a school to try things out with, as files for import_school."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from enrollment.operations.sample_school import write_sample_school


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"“{text}” is no date; write it like 2026-03-31.") from error


class Command(BaseCommand):
    help = "Write the files of a sample school; the same day gives the same school."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", metavar="DIR", type=Path, help="made if it is not there")
        parser.add_argument(
            "--today", type=_day, metavar="YYYY-MM-DD", help="the middle of its year of lessons"
        )

    def handle(self, *args: Any, folder: Path, today: date | None, **options: Any) -> None:
        try:
            paths = write_sample_school(folder=folder, today=today or timezone.localdate())
        except OSError as error:
            raise CommandError(f"{folder} cannot be written: {error.strerror}.") from error
        self.stdout.write("\n".join(str(path) for path in paths))
