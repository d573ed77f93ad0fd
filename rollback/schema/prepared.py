"""Migrations worked out beforehand: what Django would do while everybody waits for the tables.

For each operation Django renders the models of the whole school as they are before and after it, which
takes seconds. Here that is done before the first table is locked, and what is left are the statements.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations.base import Operation
from django.db.migrations.operations.special import RunSQL
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

Target = tuple[str, str | None]
# An operation, with the models before and after it.
Step = tuple[Operation, ProjectState, ProjectState]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """steps: by migration, in the order in which they are carried out. applied: what was so then."""

    steps: Sequence[tuple[Migration, Sequence[Step]]]
    backwards: bool
    applied: frozenset[tuple[str, str]]

    @property
    def names(self) -> list[str]:
        return [f"{one.app_label}.{one.name}" for one, _steps in self.steps]

    def is_still_right(self) -> bool:
        """Nobody else has migrated meanwhile."""
        return frozenset(MigrationRecorder(connection).applied_migrations()) == self.applied

    def carry_out(self) -> None:
        for migration, steps in self.steps:
            with connection.schema_editor(atomic=True) as editor:
                for operation, before, after in steps:
                    if self.backwards:
                        operation.database_backwards(migration.app_label, editor, after, before)
                    else:
                        operation.database_forwards(migration.app_label, editor, before, after)
            self._record(migration)

    def _record(self, migration: Migration) -> None:
        """As Django does: of one that replaces others, those."""
        recorder, name = MigrationRecorder(connection), (migration.app_label, migration.name)
        if self.backwards:
            for one in (*migration.replaces, name):
                recorder.record_unapplied(*one)
        else:
            for one in migration.replaces or [name]:
                recorder.record_applied(*one)


def prepare(targets: Sequence[Target]) -> Prepared | None:
    """None: there is nothing to do."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(targets)
    if not plan:
        return None
    backwards = plan[0][1]
    found = dict(_backwards(executor, plan) if backwards else _forwards(executor, plan))
    for steps in found.values():
        for operation, before, after in steps:
            if not isinstance(operation, RunSQL):  # that looks at no model
                before.apps, after.apps  # noqa: B018 - rendered here, and then kept
    return Prepared(
        steps=[(migration, found[migration]) for migration, _backwards in plan],
        backwards=backwards,
        applied=frozenset(executor.loader.applied_migrations),
    )


def _forwards(
    executor: MigrationExecutor, plan: Sequence[tuple[Migration, bool]]
) -> Iterator[tuple[Migration, list[Step]]]:
    graph = executor.loader.graph
    state = executor.loader.project_state(
        [node for node in executor.loader.applied_migrations if node in graph.nodes]
    )
    for migration, _backwards in plan:
        steps, state = _steps(migration, state)
        yield migration, steps


def _backwards(
    executor: MigrationExecutor, plan: Sequence[tuple[Migration, bool]]
) -> Iterator[tuple[Migration, list[Step]]]:
    """Of what comes later in the order of all migrations nothing is there yet, as Django sees it."""
    undone, applied = {one for one, _ in plan}, executor.loader.applied_migrations
    state = ProjectState(real_apps=executor.loader.unmigrated_apps)
    leaves = executor.loader.graph.leaf_nodes()
    for migration, _ in executor.migration_plan(leaves, clean_start=True):
        if migration in undone:
            steps, state = _steps(migration, state)
            for operation, _before, _after in steps:
                if not operation.reversible:
                    raise IrreversibleError(f"{operation} in {migration} cannot be undone.")
            yield migration, [*reversed(steps)]
        elif (migration.app_label, migration.name) in applied:
            # The state may stand in a step already.
            state = state.clone()
            migration.mutate_state(state, preserve=False)


def _steps(migration: Migration, before: ProjectState) -> tuple[list[Step], ProjectState]:
    """And the state after all of them. Each state is one object, which is rendered once."""
    steps = []
    for operation in migration.operations:
        after = before.clone()
        operation.state_forwards(migration.app_label, after)
        steps.append((operation, before, after))
        before = after
    return steps, before
