"""manage.py rollback: the switchboard from the terminal, for when the admin is out of reach."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from rollback import exposure, processes, runner
from rollback.domain.processes import RollCall
from rollback.models import Flag, FlagChange


class Command(BaseCommand):
    help = "Show the flags, set a share, kill or restore."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True, metavar="COMMAND")
        commands.add_parser("status", help="every flag: state, share, for how many it is on")
        share = commands.add_parser("set", help="set a share, 0 to 100 %%")
        share.add_argument("flag")
        share.add_argument("share")
        kill = commands.add_parser("kill", help="off for everybody; without FLAG: all features")
        kill.add_argument("flag", nargs="?")
        restore = commands.add_parser("restore", help="undo a kill")
        restore.add_argument("flag")
        restore.add_argument("--share", help="come back with this share instead of the last one")
        for changing in (share, kill, restore):
            changing.add_argument("--reason", required=True, help="one sentence for the audit")

    def handle(self, *args: Any, what: str, **options: Any) -> None:
        if what == "status":
            self._status()
            return
        try:
            made = self._change(what, options)
        except runner.ChangeRefused as refused:
            raise CommandError(str(refused)) from refused
        for change in made:
            self.stdout.write(f"{change.flag_name}: {change.action} done.")
        if not made:
            self.stdout.write("Nothing to change: it was so already.")
            return
        self._write_processes(processes.wait_for_all(), word="Off" if what == "kill" else "Changed")

    def _change(self, what: str, options: dict[str, Any]) -> list[FlagChange]:
        common = {"actor": runner.actor_at_the_terminal(), "reason": options["reason"]}
        if what == "set":
            share = _percent(options["share"])
            return runner.set_share(flag=options["flag"], percent=share, **common)
        if what == "kill":
            return runner.kill(flag=options["flag"], **common)
        share_after = _percent(options["share"]) if options["share"] else None
        return runner.restore(flag=options["flag"], percent=share_after, **common)

    def _write_processes(self, found: RollCall | None, *, word: str) -> None:
        for sentence in processes.sentences(found, word=word):
            self.stdout.write(sentence)

    def _status(self) -> None:
        # Before the numbers are asked for: that makes this command a process with flags as well.
        found = processes.roll_call()
        numbers = exposure.numbers()
        table = Table("Flag", "State", "Share", "On now for", "Turned away today")
        for flag in Flag.objects.select_related("requires"):  # type: ignore[misc]
            table.add_row(
                flag.name,
                exposure.state(flag)[1],
                f"{flag.percent:.2f} %",
                f"{numbers.on.get(flag.name, 0)} of {numbers.users}",
                str(numbers.turned_away.get(flag.name, 0)),
            )
        console = Console(width=100 if not self.stdout.isatty() else None)
        with console.capture() as shown:
            console.print(table)
        self.stdout.write(shown.get())
        self._write_processes(found, word=f"Version {found.version}" if found else "")


def _percent(value: str) -> Decimal:
    try:
        return Decimal(value.removesuffix("%").strip())
    except InvalidOperation as error:
        raise CommandError(f"“{value}” is no share; give a number from 0 to 100.") from error
