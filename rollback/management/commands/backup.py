"""manage.py backup: makes one and proves it; list, verify and prune those that are there."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.formats import date_format
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from rollback import backups
from rollback.backups import age, shelf, source

PARTS = {
    "dump": "dumping",
    "fingerprint": "reading",
    "restore": "restoring",
    "compare": "comparing",
}
Shares = Callable[[str, float], None]


class Command(BaseCommand):
    help = "Make a backup and prove it; list, verify or prune backups."
    bars: Progress | None = None

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", metavar="COMMAND")
        commands.add_parser("make", help="make one and prove it (as without a command)")
        commands.add_parser("list", help="what is in BACKUP_DIR, and whether it is proved")
        verify = commands.add_parser("verify", help="prove one again, as when it was made")
        verify.add_argument("file", help="a path, or a name in BACKUP_DIR")
        verify.add_argument(
            "--elsewhere",
            action="store_true",
            help="accept one of another server or database, as after a move",
        )
        prune = commands.add_parser("prune", help="remove all but the newest proved ones")
        prune.add_argument("--keep", type=int, metavar="N", help="default: BACKUP_KEEP")

    def handle(self, *args: Any, what: str | None, **options: Any) -> None:
        # What was begun is tidied up, as after Ctrl-C.
        signal.signal(signal.SIGTERM, _interrupt)
        do = {"list": self._list, "verify": self._verify, "prune": self._prune}
        try:
            do.get(what or "make", self._make)(options)
        except (backups.BackupFailed, backups.ReceiptRefused) as refused:
            raise CommandError(str(refused)) from refused
        except KeyboardInterrupt as interrupt:
            raise CommandError("Ended. Nothing of it is left.", returncode=130) from interrupt

    def _make(self, options: dict[str, Any]) -> None:
        with self._shown() as shares:
            receipt = backups.make(say=self._say, shares=shares)
        took = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in receipt.seconds.items())
        self._say(f"{receipt.path}: {filesizeformat(receipt.size)} ({took}).")

    def _verify(self, options: dict[str, Any]) -> None:
        with self._shown() as shares:
            backups.verify(
                file=Path(options["file"]),
                say=self._say,
                shares=shares,
                elsewhere=options["elsewhere"],
            )

    def _prune(self, options: dict[str, Any]) -> None:
        keep = settings.BACKUP_KEEP if options["keep"] is None else options["keep"]
        removed = backups.prune(keep=keep)
        for name in removed:
            self._say(f"{name} is removed.")
        if not removed:
            self._say(f"Nothing to remove: no more than {keep} proved backups are there.")

    def _list(self, options: dict[str, Any]) -> None:
        table = Table("Backup", "State of", "Size", "Rows", "Proved")
        for item in shelf.items(of=source.school().identity()):
            size = "" if item.size is None else filesizeformat(item.size)
            if item.receipt is None:
                table.add_row(item.name, "", size, "", f"no: {item.why}")
            else:
                at = date_format(timezone.localtime(item.receipt.as_of), "Y-m-d H:i")
                table.add_row(item.name, at, size, f"{item.receipt.rows:,}", "yes")
        console = Console(width=120 if not self.stdout.isatty() else None)
        with console.capture() as shown:
            console.print(table)
        self.stdout.write(shown.get())
        if sentence := age.sentence(age.of_newest()):
            self._say(sentence)

    def _say(self, sentence: str) -> None:
        if self.bars is not None:
            # Above the bars, which would else be written over.
            self.bars.console.print(sentence, markup=False, highlight=False, soft_wrap=True)
            return
        self.stdout.write(sentence)
        self.stdout.flush()

    @contextmanager
    def _shown(self) -> Iterator[Shares]:
        """Bars on a terminal; elsewhere the sentences have to do."""
        if not self.stdout.isatty():
            yield lambda part, share: None
            return
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        with Progress(*columns, TimeElapsedColumn(), console=Console(file=sys.stdout)) as bars:
            tasks: dict[str, Any] = {}

            def shares(part: str, share: float) -> None:
                if part not in tasks:
                    tasks[part] = bars.add_task(PARTS[part], total=1.0)
                bars.update(tasks[part], completed=share)

            self.bars = bars
            try:
                yield shares
            finally:
                self.bars = None


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
