"""`makemigrations` for us: names that say when a migration is safe, and operations that keep rows."""

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

from django.db.migrations import AddField, CreateModel
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.models import DO_NOTHING

from rollback.schema import folding, gates
from rollback.schema.operations import ArchivingAddField, ArchivingCreateModel

# The migration that makes the ledger, in which the operations write.
LEDGER = ("rollback", "0023_expand_archive")
FIRST = "0001_initial"


class OurAutodetector(MigrationAutodetector):
    """ours: the apps whose migrations are named so. archiving: those whose tables are kept."""

    ours: ClassVar[frozenset[str]] = frozenset()
    archiving: ClassVar[frozenset[str]] = frozenset()
    migrations: dict[str, list[Migration]]

    def _optimize_migrations(self) -> None:
        """Django's first; what ours are, it does not optimize any more."""
        super()._optimize_migrations()  # type: ignore[misc]
        known = {app for app, _model in self.from_state.models}
        for app in self.archiving & set(self.migrations):
            for migration in self.migrations[app]:
                whole = folding.whole_tables(app, migration.operations)
                vars(migration)["operations"] = [_keeping(app, one) for one in whole]
                if app not in known and migration.operations:
                    vars(migration)["dependencies"] = [*migration.dependencies, LEDGER]

    def arrange_for_graph(
        self,
        changes: dict[str, list[Migration]],
        graph: MigrationGraph,
        migration_name: str | None = None,
    ) -> dict[str, list[Migration]]:
        for app in self.ours & set(changes):
            for migration in changes[app]:
                suggest = partial(_named, _prefix(migration.operations), migration.suggest_name)
                migration.suggest_name = suggest  # type: ignore[method-assign]
        arranged = super().arrange_for_graph(changes, graph, migration_name)
        _name_the_first(arranged, self.ours)
        return arranged


def _keeping(app: str, operation: Operation) -> Operation:
    if gates.would_drop(operation):
        _name, args, options = operation.deconstruct()
        if isinstance(operation, AddField):
            return ArchivingAddField(*args, **options)
        if isinstance(operation, CreateModel):
            return ArchivingCreateModel(**options, db_on_delete=_on_delete(app, operation))
    return operation


def _on_delete(app: str, operation: CreateModel) -> dict[str, str]:
    """What most want. Whoever reads the new file may want another."""
    return {
        name: "SET NULL" if one.null and not one.many_to_many else "CASCADE"
        for name, one in operation.fields
        if gates.leads_out(app, one) and (one.many_to_many or gates.on_delete(one) is DO_NOTHING)
    }


def _name_the_first(changes: Mapping[str, list[Migration]], ours: Collection[str]) -> None:
    """Django calls it `initial` whatever it would have suggested."""
    names = {
        (app, FIRST): (app, f"0001_expand_{app}")
        for app, made in changes.items()
        if app in ours and any(one.name == FIRST for one in made)
    }
    for migration in [one for made in changes.values() for one in made]:
        _app, migration.name = names.get(
            (migration.app_label, migration.name), ("", migration.name)
        )
        needed: list[Any] = [names.get((one[0], one[1]), one) for one in migration.dependencies]
        vars(migration)["dependencies"] = needed


def _prefix(operations: Iterable[Operation]) -> str:
    adds = all(gates.only_adds(one) for one in operations)
    return "expand" if adds else "contract"


def _named(prefix: str, suggest: Any) -> str:
    return f"{prefix}_{suggest()}"
