"""manage.py rollback: the switchboard from the terminal, for when the admin is out of reach."""

from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.table import Table

from rollback import exposure, processes, runner
from rollback.domain.processes import RollCall
from rollback.management import (
    archive_words,
    doctor_words,
    incident_words,
    oncall_words,
    outbox_words,
    phase_words,
    plan_runner,
    plan_words,
    preserving_words,
    rehearse_words,
    replay_words,
    status_words,
    verify_words,
)
from rollback.models import Flag, FlagChange

NOTHING = "Nothing to change: it was so already."


class Command(BaseCommand):
    help = "Show the flags, set a share, kill or restore; open, work on and export incidents."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True, metavar="COMMAND")
        commands.add_parser("status", help="every flag: state, share, for how many it is on")
        who = commands.add_parser("who", help="what one person, token or visitor has, and why")
        who.add_argument(
            "who", help="a mail address, a token's first characters, or a visitor's id"
        )
        share = commands.add_parser("set", help="set a share, 0 to 100 %%")
        share.add_argument("flag")
        share.add_argument("share")
        kill = commands.add_parser("kill", help="off for everybody; without FLAG: all features")
        kill.add_argument("flag", nargs="?")
        kill.add_argument(
            "--incident",
            metavar="TITLE",
            help="open an incident; nobody can bring the feature back until it is resolved",
        )
        restore = commands.add_parser("restore", help="undo a kill")
        restore.add_argument("flag")
        restore.add_argument("--share", help="come back with this share instead of the last one")
        for changing in (share, kill, restore):
            changing.add_argument("--reason", required=True, help="one sentence for the audit")
        incident_words.add_arguments(commands)
        outbox_words.add_arguments(commands)
        verify_words.add_arguments(commands)
        replay_words.add_arguments(commands)
        plan_words.add_arguments(commands)
        plan_runner.add_arguments(commands)
        preserving_words.add_arguments(commands)
        phase_words.add_arguments(commands)
        archive_words.add_arguments(commands)
        doctor_words.add_arguments(commands)
        rehearse_words.add_arguments(commands)
        oncall_words.add_arguments(commands)
        status_words.add_arguments(commands)

    def handle(self, *args: Any, what: str, **options: Any) -> None:
        answers: dict[str, Callable[[], object]] = {
            "status": self._status,
            "who": lambda: self._who(options["who"]),
            "replay": lambda: self._lines(replay_words.answer(options, now=timezone.now())),
            "oncall": lambda: self._lines(oncall_words.answer()),
            "verify": lambda: self._verify(options["incident"]),
            "send": lambda: self._send(options),
            "outbox": lambda: self._outbox(options),
            "run": lambda: self._run(once=options["once"], plan=options["plan"]),
            "status-page": lambda: self._lines(status_words.answer(options["folder"])),
            "rehearse": lambda: self._lines(rehearse_words.answer(options, say=self._say)),
            **dict.fromkeys(
                doctor_words.WHAT, lambda: self._lines(doctor_words.answer(what, options))
            ),
            **dict.fromkeys(phase_words.COMMANDS, lambda: self._phases(what, options)),
        }
        answers.get(what, lambda: self._changed(what, options))()

    def _lines(self, lines: Iterable[str]) -> None:
        self.stdout.write("\n".join(lines))

    def _changed(self, what: str, options: dict[str, Any]) -> None:
        try:
            lines = self._change(what, options)
        except runner.ChangeRefused as refused:
            raise CommandError(str(refused)) from refused
        self._lines(lines)
        takes_away = what == "kill" or options.get("take_away")
        if (what in ("set", "restore") or takes_away) and lines != [NOTHING]:
            word = "Off" if takes_away else "Changed"
            self._write_processes(processes.wait_for_all(), word=word)

    def _change(self, what: str, options: dict[str, Any]) -> list[str]:
        actor = runner.actor_at_the_terminal()
        if what == "incident":
            return incident_words.answer(options["step"], options, actor=actor)
        if what == "archive":
            return archive_words.answer(options, actor=actor)
        if what == "baseline":
            return verify_words.baseline()
        if what in preserving_words.WHAT:
            return preserving_words.answer(what, options, say=self.stderr.write)
        if what in ("plan", "blast"):
            return plan_words.answer(what, options, actor=actor)
        common = {"actor": actor, "reason": options["reason"]}
        if what == "set":
            share = _percent(options["share"])
            return _done(runner.set_share(flag=options["flag"], percent=share, **common))
        if what == "kill":
            return _kill(options["flag"], options["incident"], common)
        share_after = _percent(options["share"]) if options["share"] else None
        return _done(runner.restore(flag=options["flag"], percent=share_after, **common))

    def _say(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()

    def _phases(self, what: str, options: dict[str, Any]) -> None:
        actor = runner.actor_at_the_terminal()
        try:
            if not phase_words.answer(what, options, actor=actor, say=self._say):
                raise CommandError("It is not as it should be; the lines above say why.")
        except runner.ChangeRefused as refused:
            raise CommandError(str(refused)) from refused

    def _run(self, *, once: bool, plan: int | None) -> None:
        if plan is not None and plan_runner.is_missing(plan):
            raise CommandError(f"There is no plan {plan}. See manage.py rollback plan list.")
        if not plan_runner.Runner(say=self._say, only=plan).run(once=once):
            raise CommandError("Nothing was done: the database could not be reached.")

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
        self._print(table)
        self._write_processes(found, word=f"Version {found.version}" if found else "")

    def _send(self, options: dict[str, Any]) -> None:
        self._lines(outbox_words.send(options, is_terminal=self.stdout.isatty()))

    def _outbox(self, options: dict[str, Any]) -> None:
        try:
            tables, lines = outbox_words.answer(options, actor=runner.actor_at_the_terminal())
        except runner.ChangeRefused as refused:
            raise CommandError(str(refused)) from refused
        for table in tables:
            self._print(table)
        self._lines(lines)

    def _verify(self, incident: int | None) -> None:
        try:
            run, table = verify_words.verify(incident, actor=runner.actor_at_the_terminal())
        except runner.ChangeRefused as refused:
            raise CommandError(str(refused)) from refused
        self._print(table)
        if not run.passed:
            raise CommandError("Something failed; the table says what.")

    def _who(self, who: str) -> None:
        try:
            known = exposure.find(who)
        except exposure.NobodyFound as nobody:
            raise CommandError(str(nobody)) from nobody
        table = Table("Flag", "For them", "Why", title=known.name)
        for flag, answer in exposure.answers(known.subject).items():
            table.add_row(flag, "on" if answer.on else "off", exposure.in_words(answer))
        self._print(table)

    def _print(self, table: Table) -> None:
        console = Console(width=100 if not self.stdout.isatty() else None)
        with console.capture() as shown:
            console.print(table)
        self.stdout.write(shown.get())


def _kill(flag: str | None, incident: str | None, common: dict[str, Any]) -> list[str]:
    if incident is None:
        return _done(runner.kill(flag=flag, **common))
    done = runner.roll_back(flags=[flag] if flag else [], incident=incident, **common)
    number = done.incident.pk
    return [
        *_done(done.changes),
        f"Incident {number} is open; until it is resolved nothing comes back: "
        f'manage.py rollback incident resolve {number} --reason "…"',
    ]


def _done(made: list[FlagChange]) -> list[str]:
    done = [f"{change.flag_name}: {change.action} done." for change in made]
    return done or [NOTHING]


def _percent(value: str) -> Decimal:
    try:
        return Decimal(value.removesuffix("%").strip())
    except InvalidOperation as error:
        raise CommandError(f"“{value}” is no share; give a number from 0 to 100.") from error
