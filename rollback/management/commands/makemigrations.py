"""Django's `makemigrations`, with operations that keep the rows of whatever may be taken away again."""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import makemigrations

from rollback import registry
from rollback.schema.autodetector import OurAutodetector
from rollback.schema.gates import PREFIXES


class Command(makemigrations.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        ours = registry.own_apps()
        if name and set(args) & ours and not name.startswith(PREFIXES):
            raise CommandError(
                f"“{name}” does not say when it is safe: begin with {', '.join(PREFIXES)} "
                "(docs/migrations.md)."
            )
        told = {"ours": ours, "archiving": frozenset(registry.by_admin_app())}
        vars(self)["autodetector"] = type("Autodetector", (OurAutodetector,), told)
        super().handle(*args, **options)
        if vars(self)["written_files"]:
            self.stderr.write(
                "Say in the docstring what undoing loses; make check looks at the rest."
            )
