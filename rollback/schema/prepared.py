"""Migrations with all worked out beforehand that only takes time: with the tables locked, only statements are
left to do.

Django makes the models of each state as it goes, in the middle of the transaction: a second or more in which
everybody would wait for the tables.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations.base import Operation
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

Targets = Sequence[tuple[str, str | None]]


@dataclass(frozen=True, kw_only=True)
class Step:
    """operations: in the order in which they are done, each with the state before and after it."""

    migration: Migration
    backwards: bool
    operations: list[tuple[Operation, ProjectState, ProjectState]]


class Prepared:
    """plan: as Django has it; empty if there is nothing to do."""

    def __init__(self, targets: Targets) -> None:
        executor = MigrationExecutor(connection)
        self._applied = set(executor.loader.applied_migrations)
        self.plan: list[tuple[Migration, bool]] = executor.migration_plan(targets)
        self._steps = list(_steps(executor, self.plan))

    def is_stale(self) -> bool:
        """Somebody else has migrated meanwhile."""
        return set(MigrationRecorder(connection).applied_migrations()) != self._applied

    def run(self) -> None:
        recorder = MigrationRecorder(connection)
        for step in self._steps:
            label, name = step.migration.app_label, step.migration.name
            with connection.schema_editor(atomic=True) as editor:
                for operation, before, after in step.operations:
                    if step.backwards:
                        operation.database_backwards(label, editor, before, after)
                    else:
                        operation.database_forwards(label, editor, before, after)
            if step.backwards:
                recorder.record_unapplied(label, name)
            else:
                recorder.record_applied(label, name)


def _steps(executor: MigrationExecutor, plan: list[tuple[Migration, bool]]) -> Iterator[Step]:
    wanted = {migration for migration, _backwards in plan}
    found: dict[Migration, Step] = {}
    backwards = bool(plan) and plan[0][1]
    leaves = executor.loader.graph.leaf_nodes()
    state = ProjectState(real_apps=executor.loader.unmigrated_apps)
    # All that is applied, and what will be, in the order in which it comes about.
    for migration, _backwards in executor.migration_plan(leaves, clean_start=True):
        if migration in wanted:
            state.apps  # noqa: B018 - made once, and then carried along
            found[migration], state = _step(migration, state, backwards=backwards)
        elif (migration.app_label, migration.name) in executor.loader.applied_migrations:
            state = migration.mutate_state(state, preserve=False)
    for migration in (one for one, _backwards in plan):
        yield found[migration]


def _step(
    migration: Migration, state: ProjectState, *, backwards: bool
) -> tuple[Step, ProjectState]:
    """:returns: and the state after it, as if it were applied"""
    operations = []
    for operation in migration.operations:
        before, after = state, state.clone()
        operation.state_forwards(migration.app_label, after)
        operations.append((operation, after, before) if backwards else (operation, before, after))
        state = after
    if backwards:
        operations.reverse()
    return Step(migration=migration, backwards=backwards, operations=operations), state
