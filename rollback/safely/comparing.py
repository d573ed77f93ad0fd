"""Before and after: the rows of the school that was there before, and what the catalog has.

Others go on writing meanwhile. So what PostgreSQL counts for our own transactions decides whose a difference
is: a table that we wrote no row of, and did not make anew, was changed by others.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Model

from rollback import registry
from rollback.safely.steps import Plan
from rollback.schema import catalog
from rollback.schema.digest import Digest, digest
from rollback.schema.operations import tables_of

TABLES = """
    SELECT c.relname, pg_relation_filenode(c.oid)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relpersistence <> 't'
"""


@dataclass(frozen=True, kw_only=True)
class State:
    """files: table → PostgreSQL's number of its file, another one after it was written anew. rows: of the
    ground floor's tables, over the columns named in `columns`.
    """

    files: dict[str, int]
    shapes: dict[str, catalog.Shape]
    columns: dict[str, list[str]]
    rows: dict[str, Digest]


@dataclass(kw_only=True)
class Compared:
    """wrong: sentences; empty: as planned. by_others: tables in which others wrote meanwhile."""

    wrong: list[str] = field(default_factory=list)
    by_others: list[str] = field(default_factory=list)
    equal: int = 0

    def facts(self) -> dict[str, Any]:
        return {
            "wrong": self.wrong,
            "written_by_others": self.by_others,
            "equal_tables": self.equal,
        }


def ground_apps() -> frozenset[str]:
    return registry.own_apps() - set(registry.by_admin_app()) - {"rollback", "config"}


def state(columns: dict[str, list[str]] | None = None) -> State:
    """columns: of these only, where they are still there; None: of all."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        files = dict(cursor.fetchall())
        shapes = {table: catalog.shape(cursor, catalog.PUBLIC, table) for table in files}
        ground = [one for one in sorted(files) if one.startswith(_prefixes())]
        wanted = {
            table: sorted(
                set(shapes[table].columns) & set((columns or {}).get(table, shapes[table].columns))
            )
            for table in ground
            if columns is None or table in columns
        }
        rows = {
            table: digest(cursor, catalog.PUBLIC, table, columns=names)
            for table, names in wanted.items()
        }
    return State(files=files, shapes=shapes, columns=wanted, rows=rows)


def _prefixes() -> tuple[str, ...]:
    return tuple(f"{app}_" for app in ground_apps())


def compare(before: State, *, plan: Plan, written: Collection[str]) -> Compared:
    """written: tables of which our transactions wrote rows."""
    after, found = state(before.columns), Compared()
    for table, digest_before in before.rows.items():
        _rows(table, before, after, digest_before, set(written), found)
    apps = {migration.app_label for migration, _backwards in plan}
    _untouched(before, after, apps, found)
    _as_the_models(after, apps, found)
    return found


def _rows(
    table: str, before: State, after: State, was: Digest, written: set[str], found: Compared
) -> None:
    if table not in after.rows:
        return  # whether that was planned, the catalog's comparison says
    if after.columns[table] != before.columns[table]:
        return  # a column is gone: what the rows were before cannot be asked any more
    now = after.rows[table]
    if now == was:
        found.equal += 1
    elif table in written or after.files[table] != before.files[table]:
        found.wrong.append(
            f"{table}: {was.rows} rows before, {now.rows} after, and not the same; the migration wrote "
            "in it (others may have as well)."
        )
    else:
        found.by_others.append(table)


def _untouched(before: State, after: State, apps: set[str], found: Compared) -> None:
    """Tables of apps that the plan says nothing about."""
    for table in sorted({*before.shapes, *after.shapes}):
        if table.startswith(tuple(f"{app}_" for app in apps)):
            continue
        if before.shapes.get(table) != after.shapes.get(table):
            found.wrong.append(f"{table} is not as it was, and the plan says nothing about it.")


def _as_the_models(after: State, apps: set[str], found: Compared) -> None:
    state = MigrationExecutor(connection)._create_project_state(  # type: ignore[attr-defined]
        with_applied_migrations=True
    )
    expected: set[str] = set()
    for model in state.apps.get_models(include_auto_created=True):
        if model._meta.app_label not in apps or not model._meta.managed or model._meta.proxy:
            continue
        expected |= {model._meta.db_table, *tables_of(model)}
        _as_the_model(model, after, found)
    known = tuple(f"{app}_" for app in apps)
    for table in sorted(after.shapes):
        if table.startswith(known) and table not in expected:
            found.wrong.append(f"{table} is there, and no model has it.")


def _as_the_model(model: type[Model], after: State, found: Compared) -> None:
    table = model._meta.db_table
    shape = after.shapes.get(table)
    if shape is None:
        found.wrong.append(f"{table} is not there.")
        return
    wanted = {str(one.column): not one.null for one in model._meta.local_concrete_fields}
    there = {name: column.notnull for name, column in shape.columns.items()}
    for name in sorted({*wanted, *there}):
        if wanted.get(name) != there.get(name):
            found.wrong.append(f"{table}.{name} is not as the model has it.")
    named = {one.name for one in [*model._meta.constraints, *model._meta.indexes]}
    for name in sorted(named - {*shape.constraints, *shape.indexes}):
        found.wrong.append(f"{table}: {name} is missing.")
