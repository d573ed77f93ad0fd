"""What the migrations would make of a table, beside what is there: to the letter, in PostgreSQL's own words.

The models' tables are made again as temporary ones, empty and seen by nobody, and rolled back: so the server
writes both definitions, and whatever its version is, equal means equal. In a database that was restored it
has read some of them back in its own words, and writes those in others: what differs is sent the same way.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.utils import CursorWrapper
from django.db.migrations.state import ProjectState
from django.db.models import Model
from django.utils.translation import gettext as _
from psycopg import sql

from rollback.schema import catalog
from rollback.schema.catalog import PUBLIC, Shape
from rollback.schema.operations import ArchivingCreateModel, tables_of

# "app.model", small letters → the operation that makes it.
Makers = Mapping[str, ArchivingCreateModel]
NOT_VALID = " NOT VALID"
# After so many restores PostgreSQL reads in its own words as it wrote them.
RESTORED = 2


class Expected(NamedTuple):
    """keys: foreign keys by name, as `catalog.foreign_keys` has them."""

    shape: Shape
    keys: dict[str, str]


def drifted(models: Sequence[type[Model]], makers: Makers) -> dict[str, list[str]]:
    """Table → sentences, for each of their tables that is not as the migrations make it. Those that are
    away are left out, and so is whether a foreign key's rows were looked at.
    """
    found = {}
    with _rolled_back() as cursor:
        for table, expected in _made(cursor, models, makers).items():
            if catalog.exists(cursor, PUBLIC, table) and (
                words := _shape(cursor, table, expected.shape) + _keys(cursor, table, expected.keys)
            ):
                found[table] = words
    return found


def _shape(cursor: CursorWrapper, table: str, wanted: Shape) -> list[str]:
    found = catalog.shape(cursor, PUBLIC, table)
    for _time in range(RESTORED):
        if wanted == found:
            break
        _restore(cursor, table, wanted, found)
        wanted = catalog.shape(cursor, _temporary(cursor), table)
    return differences(wanted, found)


def _restore(cursor: CursorWrapper, table: str, wanted: Shape, found: Shape) -> None:
    """What is written otherwise in `found` is made once more of its own text, as a restore would."""
    name = sql.Identifier(_temporary(cursor), table)
    for key in _written_otherwise(wanted.constraints, found.constraints):
        if not wanted.constraints[key].startswith(("CHECK", "EXCLUDE")):
            continue
        again = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}, ADD CONSTRAINT {} ").format(
            name, sql.Identifier(key), sql.Identifier(key)
        )
        cursor.execute(again + sql.SQL(wanted.constraints[key]))
    for key in _written_otherwise(wanted.indexes, found.indexes):
        index = sql.Identifier(_temporary(cursor), key)
        cursor.execute("SELECT pg_get_indexdef(%s::regclass)", [index.as_string(None)])
        (definition,) = cursor.fetchone()
        cursor.execute(sql.SQL("DROP INDEX {}").format(index))
        cursor.execute(definition)
    for key in _written_otherwise(wanted.columns, found.columns):
        column = wanted.columns[key]
        if column.default and not column.generated:
            again = sql.SQL("ALTER TABLE {} ALTER {} SET DEFAULT ").format(
                name, sql.Identifier(key)
            )
            cursor.execute(again + sql.SQL(column.default))


def _written_otherwise(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    return [key for key in wanted if key in found and wanted[key] != found[key]]


def differences(wanted: Shape, found: Shape) -> list[str]:
    pairs = (
        (wanted.columns, found.columns),
        (wanted.constraints, found.constraints),
        (wanted.indexes, found.indexes),
    )
    return [sentence for pair in pairs for sentence in _between(*pair)]


def models_of(state: ProjectState, app: str) -> list[type[Model]]:
    return [
        one
        for one in state.apps.get_app_config(app).get_models()
        if one._meta.managed and not one._meta.proxy
    ]


def _between(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*wanted, *found}):
        if name not in found:
            yield _("%(name)s is missing") % {"name": name}
        elif name not in wanted:
            yield _("%(name)s is too much") % {"name": name}
        elif wanted[name] != found[name]:
            yield _("%(name)s is another one") % {"name": name}


def _keys(cursor: CursorWrapper, table: str, wanted: dict[str, str]) -> list[str]:
    found = {
        key.name: _plain(key.definition) for key in catalog.foreign_keys(cursor, PUBLIC, table)
    }
    return list(_between(wanted, found))


def _plain(definition: str) -> str:
    """Without what PostgreSQL and Django write differently for the same."""
    bare = definition.replace('"', "").replace(" (", "(").removesuffix(NOT_VALID)
    return bare.replace("REFERENCES public.", "REFERENCES ")


@contextmanager
def _rolled_back() -> Iterator[CursorWrapper]:
    with transaction.atomic(), connection.cursor() as cursor:
        # Whoever holds a table for himself is not waited for long.
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        yield cursor
        transaction.set_rollback(True)


def _made(
    cursor: CursorWrapper, models: Sequence[type[Model]], makers: Makers
) -> dict[str, Expected]:
    cursor.execute("SELECT current_setting('search_path')")
    (usual,) = cursor.fetchone()
    statements: dict[str, list[str]] = {}
    keys: dict[str, dict[str, str]] = {}
    for model in models:
        _collect(model, makers.get(model._meta.label_lower), statements, keys)
    # Names without a schema mean temporary tables then.
    cursor.execute("SET LOCAL search_path = pg_temp, public")
    for created in statements.values():
        for statement in created:
            cursor.execute(statement)
    cursor.execute("SELECT set_config('search_path', %s, true)", [usual])
    temporary = _temporary(cursor)
    return {
        table: Expected(catalog.shape(cursor, temporary, table), keys.get(table, {}))
        for model in models
        for table in tables_of(model)
    }


def _temporary(cursor: CursorWrapper) -> str:
    """The schema in which this session's temporary tables are."""
    cursor.execute("SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()")
    (name,) = cursor.fetchone() or ("pg_temp",)
    return str(name)


def _collect(
    model: type[Model],
    maker: ArchivingCreateModel | None,
    statements: dict[str, list[str]],
    keys: dict[str, dict[str, str]],
) -> None:
    """Foreign keys are put aside: no temporary table may have one to a lasting one."""
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        editor.create_model(model)
        if maker:
            maker.set_on_delete(editor, model)
        later = _without_keys(editor, keys)
        editor.deferred_sql.clear()
        statements[model._meta.db_table] = [*editor.collected_sql, *later]


def _without_keys(editor: BaseDatabaseSchemaEditor, keys: dict[str, dict[str, str]]) -> list[str]:
    others = []
    for statement in map(str, editor.deferred_sql):
        head, is_key, definition = statement.partition(" FOREIGN KEY ")
        if is_key:
            _alter, table, _add, name, _rest = head.split('"', 4)
            keys.setdefault(table, {})[name] = _plain(f"FOREIGN KEY {definition}")
        else:
            others.append(statement)
    return others
