"""waffle's own commands would change flags past the audit: a share set by them undoes a kill."""

from argparse import REMAINDER
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser


class RefusedCommand(BaseCommand):
    """Stands under the name of one of waffle's commands; rollback comes first in INSTALLED_APPS."""

    help = "Refused: flags are changed by “manage.py rollback”, which writes down who and why."
    # Nothing is checked, so it is said at once.
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Without what waffle's command would take: the answer is the same whatever was asked."""
        super().run_from_argv(argv[:2])

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("asked", nargs=REMAINDER)

    def handle(self, *args: Any, **options: Any) -> NoReturn:
        raise CommandError(
            "Flags change only with a reason and a row in the audit: use manage.py rollback set, kill "
            "or restore (and status to look)."
        )
