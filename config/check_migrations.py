"""`make check`: every migration of ours, looked at by our own gates, by squawk and by a linter.

The SQL that is looked at is what Django would run, in both directions. Django asks the database for it, so a
throwaway one is made, with all migrations applied.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.local import database
from config.local.place import BASE_DIR

if TYPE_CHECKING:
    from django.db.migrations.migration import Migration

RULES = BASE_DIR / "config" / "migrations.toml"
# The oldest that is supported: newer ones know cheaper ways, which are not to be counted on.
POSTGRESQL = "15.0"
UP, DOWN = "up", "down"


@dataclass(frozen=True, kw_only=True)
class Written:
    """A migration's SQL in one direction."""

    app: str
    name: str
    direction: str
    sql: str

    def __str__(self) -> str:
        return f"{self.app}.{self.name}, {self.direction}"


def main() -> int:
    with database.temporary() as address:
        os.environ |= {"DATABASE_URL": address, "LOG_LEVEL": "ERROR"}
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        found = [*_found()]
    for line in found:
        sys.stdout.write(f"{line}\n")
    if not found:
        sys.stdout.write("Migrations: additive, undoable, and as the models are.\n")
    return 1 if found else 0


def _found() -> Iterator[str]:
    import django
    from django.core.management import call_command
    from django.db import connections

    django.setup()
    try:
        if differs := _models_differ():
            yield differs
        ours = migrations_of_ours()
        yield from gates_say(ours)
        call_command("migrate", interactive=False, verbosity=0)
        yield from squawk_says(statements(ours))
        yield from linter_says({one.app_label for one in ours})
    finally:
        connections.close_all()


def _models_differ() -> str:
    from django.core.management import call_command

    try:
        call_command("makemigrations", check_changes=True, dry_run=True, verbosity=1)
    except SystemExit:
        return "The models are ahead of the migrations: manage.py makemigrations."
    return ""


def migrations_of_ours() -> list["Migration"]:
    """By app and number."""
    from django.db.migrations.loader import MigrationLoader

    from rollback.registry import own_apps

    loader, ours = MigrationLoader(None), own_apps()
    return [one for (app, _name), one in sorted(loader.disk_migrations.items()) if app in ours]


def gates_say(ours: Iterable["Migration"]) -> Iterator[str]:
    from rollback.registry import by_admin_app
    from rollback.schema import gates

    ours, rules = list(ours), gates.read(RULES, archiving=by_admin_app())
    yield from map(str, gates.problems(ours, rules))
    yield from map(str, gates.stale(ours, rules))


def statements(ours: Iterable["Migration"]) -> list[Written]:
    """As `sqlmigrate` prints them, which would load all migrations anew for each."""
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(connection, replace_migrations=False)
    return [
        Written(
            app=one.app_label,
            name=one.name,
            direction=direction,
            sql="\n".join(
                ["BEGIN;", *loader.collect_sql([(one, direction == DOWN)]), "COMMIT;", ""]
            ),
        )
        for one in ours
        for direction in (UP, DOWN)
    ]


def squawk_says(written: Iterable[Written]) -> Iterator[str]:
    """One call for each list of rules that are left out; what a single migration may, is left out after."""
    from rollback.registry import by_admin_app

    rules = tomllib.loads(RULES.read_text(encoding="utf-8"))
    groups: dict[str, list[Written]] = {}
    for one in written:
        kept = one.direction == DOWN and one.app in by_admin_app()
        groups.setdefault("down_archiving" if kept else one.direction, []).append(one)
    used: set[tuple[str, str]] = set()
    for group, members in groups.items():
        for one, found in _squawk(members, leave_out=rules["squawk"][group]):
            rule, name = found["rule_name"], f"{one.app}.{one.name}"
            if rule in rules["exempt"].get(name, {}):
                used.add((name, rule))
            else:
                yield f"{one}, line {found['line'] + 1}: squawk: {rule}: {found['message']}"
    for name, exempt in rules["exempt"].items():
        for rule in exempt:
            if (name, rule) not in used:
                yield f"{name}: {rule} is let through in {RULES.name}, but squawk says no such thing."


def _squawk(
    members: Iterable[Written], *, leave_out: Mapping[str, str]
) -> list[tuple[Written, dict[str, Any]]]:
    with tempfile.TemporaryDirectory(prefix="school-sql-") as folder:
        files = {str(Path(folder) / f"{number}.sql"): one for number, one in enumerate(members)}
        for path, one in files.items():
            Path(path).write_text(one.sql, encoding="utf-8")
        command = [
            _tool(),
            *("--reporter", "json", "--pg-version", POSTGRESQL),
            *("--exclude", ",".join(leave_out)),
        ]
        done = subprocess.run(  # noqa: S603  our own arguments
            [*command, *files], capture_output=True, text=True, check=False
        )
        # 1: it found something. Whatever else happened, nothing was looked at.
        if done.returncode not in (0, 1) or not done.stdout.strip().startswith("["):
            raise SystemExit(f"squawk did not run: {done.stderr or done.stdout}")
        return [(files[found["file"]], found) for found in json.loads(done.stdout)]


def _tool() -> str:
    """Beside our Python, where its package puts it, also when nobody has activated the environment."""
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which("squawk", path=beside)
    if not found:
        raise SystemExit("squawk is not installed: make check installs it (squawk-cli).")
    return found


def linter_says(apps: Iterable[str]) -> Iterator[str]:
    """What of a migration the release before cannot live with, and what Python does in one."""
    from django_migration_linter import MigrationLinter

    rules = tomllib.loads(RULES.read_text(encoding="utf-8"))
    wanted = list(apps)
    linter = MigrationLinter(
        include_apps=wanted,
        analyser_string="postgresql",  # the backend's name is ours, and tells it nothing
        no_cache=True,
        quiet=["ok", "ignore", "warning"],
    )
    for (app, name), migration in sorted(linter.migration_loader.disk_migrations.items()):
        if app not in wanted:
            continue
        linter.exclude_migration_tests = list(rules["linter"].get(f"{app}.{name}", {}))
        before = linter.nb_erroneous
        linter.lint_migration(migration)
        if linter.nb_erroneous > before:
            yield f"{app}.{name}: the linter's words stand above."


if __name__ == "__main__":
    sys.exit(main())
