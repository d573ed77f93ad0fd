"""What is to be migrated: the same for `migrate`, `safe_migrate`, `setup` and the permits.

What people have put into the archive stays there, unless it is named: it comes home by a run of its own,
with a proof.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.core.management.commands import migrate as djangos
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import AmbiguityError, MigrationLoader

from rollback.safely.guard import MigrationRefused
from rollback.safely.steps import Plan
from rollback.schema import ledger

Node = tuple[str, str]


class Loader(MigrationLoader):
    """The last migrations of an app that is away are those that are applied: nothing is to be done."""

    def __init__(self, connection: Any, *, named: str) -> None:
        self.database, self.named = connection, named
        super().__init__(connection)

    def build_graph(self) -> None:
        super().build_graph()
        with self.database.cursor() as cursor:
            away = ledger.apps_away(cursor) - {self.named}
        if away:
            usual = self.graph.leaf_nodes
            stay = self._last_of(away)
            vars(self.graph)["leaf_nodes"] = partial(_leaves, usual, away=away, stay=stay)

    def _last_of(self, apps: Collection[str]) -> list[Node]:
        applied = {key for key in self.applied_migrations or () if key[0] in apps}
        return [
            key
            for key in applied & set(self.graph.nodes)
            if not applied & {child.key for child in self.graph.node_map[key].children}
        ]


def _leaves(
    usual: Callable[[str | None], list[Node]],
    app: str | None = None,
    *,
    away: Collection[str],
    stay: Collection[Node],
) -> list[Node]:
    """As Django's."""
    found = usual(app)
    return found if app else sorted([*(one for one in found if one[0] not in away), *stay])


class Executor(MigrationExecutor):
    def __init__(self, connection: Any, progress: Any = None, *, named: str = "") -> None:
        """named: the app that is to be migrated; empty: all."""
        super().__init__(connection, progress)
        self.loader = Loader(connection, named=named)


class Migrate(djangos.Command):
    """Django's command, with this plan."""

    def handle(self, *args: Any, **options: Any) -> None:
        named = options["app_label"] or ""
        if options["verbosity"] > 0 and not named:
            with connections[options["database"]].cursor() as cursor:
                for words in staying(ledger.apps_away(cursor)):
                    self.stdout.write(words)
        with _planned(named):
            super().handle(*args, **options)


@contextmanager
def _planned(named: str) -> Iterator[None]:
    """Django's command has no place of its own to say it."""
    module: Any = djangos
    usual = module.MigrationExecutor
    module.MigrationExecutor = partial(Executor, named=named)
    try:
        yield
    finally:
        module.MigrationExecutor = usual


def staying(away: Collection[str]) -> list[str]:
    """In words."""
    return [
        f"The tables of {app} are in the archive and stay there; "
        "“manage.py rollback reapply” brings them back."
        for app in sorted(away)
    ]


def plan_of(*, app: str = "", migration: str = "") -> Plan:
    """As on the command line of `migrate`.

    :raises MigrationRefused:
    """
    executor = Executor(connection, named=app)
    if conflicts := executor.loader.detect_conflicts():
        raise MigrationRefused(
            f"Several migrations are the last one: {conflicts}. Merge them first."
        )
    leaves = executor.loader.graph.leaf_nodes()
    if not app:
        return executor.migration_plan(leaves)
    if app not in executor.loader.migrated_apps:
        raise MigrationRefused(f"There are no migrations of “{app}”.")
    if not migration:
        return executor.migration_plan([one for one in leaves if one[0] == app])
    if migration == "zero":
        return executor.migration_plan([(app, None)])
    try:
        found = executor.loader.get_migration_by_prefix(app, migration)
    except (KeyError, AmbiguityError) as error:
        words = f"“{migration}” names no migration of {app}, or several."
        raise MigrationRefused(words) from error
    return executor.migration_plan([(app, found.name)])
