"""manage.py safe_migrate: the operator's door to the schema."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from rollback.audit import actor_at_the_terminal
from rollback.rehearsing import certificate_warning
from rollback.safely import Done, Failed, migrate
from rollback.safely.carrying_out import Asked
from rollback.safely.guard import nothing_to_lose


class Command(BaseCommand):
    help = (
        "Migrates after a backup has been proved, two seconds of waiting at a time, and compares what "
        "was before with what is then."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("app_label", nargs="?", default="", help="as for migrate")
        parser.add_argument("migration_name", nargs="?", default="", help="as for migrate")
        parser.add_argument(
            "--prepare",
            action="store_true",
            help="prove the backup, and let a plain migrate of this plan through for half an hour",
        )
        parser.add_argument(
            "--reuse",
            action="store_true",
            help="a proved backup of the last half hour will do",
        )
        parser.add_argument(
            "--break-glass",
            default="",
            metavar="REASON",
            help="without a backup; that and why is written into an incident's timeline",
        )
        parser.add_argument(
            "--confirm", default="", metavar="DATABASE", help="its name, where nobody can be asked"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["break_glass"] and (options["prepare"] or options["reuse"]):
            raise CommandError(
                "--break-glass is without a backup: leave out --prepare and --reuse."
            )
        self._confirm(options["confirm"])
        self._rehearsed()
        asked = Asked(
            app=options["app_label"],
            migration=options["migration_name"],
            actor=actor_at_the_terminal(),
            prepare=options["prepare"],
            reuse=options["reuse"],
            break_glass=options["break_glass"],
        )
        try:
            done = migrate(asked=asked, say=self._say)
        except Failed as failed:
            raise CommandError(str(failed)) from failed
        self._say(_in_words(done))

    def _say(self, words: str) -> None:
        self.stdout.write(words)
        self.stdout.flush()

    def _confirm(self, given: str) -> None:
        if not settings.SCHEMA_CONFIRM:
            return
        name = settings.DATABASES["default"]["NAME"]
        host = settings.DATABASES["default"]["HOST"] or "this machine"
        if not given and sys.stdin.isatty():
            given = input(f"Type the name of the database at {host} to change its schema: ")
        if given.strip() != name:
            raise CommandError(
                f"The database at {host} is called {name}, not “{given}”. Nothing was changed; where "
                "nobody can be asked: --confirm DATABASE."
            )

    def _rehearsed(self) -> None:
        if not settings.PRODUCTION or nothing_to_lose():
            return
        if warning := certificate_warning(timezone.now()):
            self.stderr.write(self.style.WARNING(warning))


def _in_words(done: Done) -> str:
    if not done.plan:
        return "Nothing to migrate."
    if done.permit:
        return (
            f"Prepared: {done.plan}. A plain migrate of just this passes within half an hour "
            f"({done.receipt})."
        )
    words = f"Migrated and compared in {done.seconds:.1f} seconds: {done.plan}."
    if done.by_others:
        words += f" Others wrote meanwhile in {', '.join(done.by_others)}."
    return words
