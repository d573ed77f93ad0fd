"""A plan of migrations whose states are all worked out before anything is locked.

Django renders the models of each state between two statements: two seconds of computing, in which everybody
would wait for the tables. The statements themselves take milliseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

Targets = Sequence[tuple[str, str | None]]
# The operation, with the state it is called in and the one it leads to.
Step = tuple[Operation, ProjectState, ProjectState]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """plan: as Django's, with whether each is undone. steps: by migration, in the order they are run."""

    executor: Any  # Django's, of which its stubs know an older one
    plan: Sequence[tuple[Migration, bool]]
    steps: Sequence[Sequence[Step]]
    applied: frozenset[tuple[str, str]]

    @property
    def names(self) -> list[str]:
        return [f"{one.app_label}.{one.name}" for one, _backwards in self.plan]

    def is_overtaken(self) -> bool:
        """Somebody else has migrated since."""
        return _applied() != self.applied

    def run(self) -> None:
        """In the caller's transaction."""
        for (migration, backwards), steps in zip(self.plan, self.steps, strict=True):
            with connection.schema_editor(atomic=migration.atomic) as editor:
                for operation, from_state, to_state in steps:
                    do = operation.database_backwards if backwards else operation.database_forwards
                    do(migration.app_label, editor, from_state, to_state)
            self._record(migration, backwards=backwards)

    def _record(self, migration: Migration, *, backwards: bool) -> None:
        if not backwards:
            self.executor.record_migration(migration)
            return
        for app, name in [*migration.replaces, (migration.app_label, migration.name)]:
            self.executor.recorder.record_unapplied(app, name)


def prepare(targets: Targets) -> Prepared:
    applied = _applied()
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(list(targets))
    if any(backwards for _one, backwards in plan):
        steps = _backwards(executor, plan)
    else:
        steps = _forwards(executor, plan)
    return Prepared(executor=executor, plan=plan, steps=steps, applied=applied)


def _applied() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationRecorder(connection).applied_migrations())


def _forwards(executor: Any, plan: Sequence[tuple[Migration, bool]]) -> list[list[Step]]:
    state = executor._create_project_state(with_applied_migrations=True)
    found = []
    for migration, _backwards in plan:
        steps = _steps(migration, state)
        state = steps[-1][2] if steps else state
        found.append(steps)
    return found


def _backwards(executor: Any, plan: Sequence[tuple[Migration, bool]]) -> list[list[Step]]:
    """As `MigrationExecutor._migrate_all_backwards`: each one's state is that of all before it."""
    graph: Any = executor.loader.graph
    applied = {graph.nodes[key] for key in executor.loader.applied_migrations if key in graph.nodes}
    wanted = {migration for migration, _backwards in plan}
    state = executor._create_project_state()
    found: dict[Migration, list[Step]] = {}
    for migration, _backwards in executor.migration_plan(graph.leaf_nodes(), clean_start=True):
        if wanted == set(found):
            break
        if migration in wanted:
            steps = _steps(migration, state)
            found[migration] = [(one, after, before) for one, before, after in reversed(steps)]
            state = steps[-1][2] if steps else state
        elif migration in applied:
            migration.mutate_state(state, preserve=False)
    for migration in wanted:
        if not all(operation.reversible for operation in migration.operations):
            raise IrreversibleError(f"{migration} cannot be undone.")
    return [found[migration] for migration, _backwards in plan]


def _steps(migration: Migration, state: ProjectState) -> list[Step]:
    """With their models rendered. Each has states of its own, which the next does not change."""
    steps = []
    for operation in migration.operations:
        state.apps  # noqa: B018  rendered once, and from then on only what changes
        after = state.clone()
        operation.state_forwards(migration.app_label, after)
        after.apps  # noqa: B018
        steps.append((operation, state, after))
        state = after
    return steps
