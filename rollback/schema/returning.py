"""Tables out of the archive: the statements in the migration's transaction, and what follows its COMMIT."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from rollback.schema import archive, catalog, copying, ledger
from rollback.schema.catalog import PUBLIC, qualified
from rollback.schema.ledger import Entry


def bring_back(editor: BaseDatabaseSchemaEditor, *, entry: Entry, table: str) -> None:
    """In place of the table that the migration has just made, which is empty and shows what shape is wanted.

    :raises ShapeChanged:
    """
    with editor.connection.cursor() as cursor:
        if entry.purged:
            ledger.came_back(cursor, entry, purged=True)
            return
        archive.check_there(cursor, entry)
        _run_deferred(editor, table)
        wanted = catalog.shape(cursor, PUBLIC, table)
        archived = catalog.shape(cursor, entry.schema, entry.name)
        if wanted.fits(archived):
            cursor.execute(f"DROP TABLE {qualified(PUBLIC, table)}")
            archive.alter(cursor, entry.schema, entry.name, "SET SCHEMA {}", sql.Identifier(PUBLIC))
            report: dict[str, Any] = {"moved": True}
        else:
            report = copying.copy(cursor, entry, table, wanted, archived)
        _check_later(editor, table)
        ledger.came_back(cursor, entry, **report)
        archive.afterwards(cursor, partial(finish, table, entry.id))


def _run_deferred(editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Its indexes now; its foreign keys stay for the end, when all tables are there."""
    later = []
    for statement in editor.deferred_sql:
        if _of(statement, table) and not _is_foreign_key(statement):
            editor.execute(statement)
        else:
            later.append(statement)
    editor.deferred_sql[:] = later


def _check_later(editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Whether each row's parents are still there is looked at after COMMIT, while everybody works."""
    for statement in editor.deferred_sql:
        if _of(statement, table) and _is_foreign_key(statement):
            statement.template += " NOT VALID"


def on_delete(editor: BaseDatabaseSchemaEditor, table: str, clauses: Mapping[str, str]) -> None:
    """clauses: column → what the database does to a row whose parent is deleted."""
    for statement in editor.deferred_sql:
        if not (_of(statement, table) and _is_foreign_key(statement)):
            continue
        for column, clause in clauses.items():
            if statement.references_column(table, column):
                statement.template = statement.template.replace(
                    "%(deferrable)s", f" ON DELETE {clause}%(deferrable)s"
                )


def _of(statement: Any, table: str) -> bool:
    """Whether it alters this table, and not only refers to it."""
    parts = getattr(statement, "parts", {})
    return "table" in parts and getattr(parts["table"], "table", None) == table


def _is_foreign_key(statement: Any) -> bool:
    return "FOREIGN KEY" in statement.template


def finish(table: str, entry: int, *, using: str = "default") -> None:
    """What a table that came back still lacks: each of its foreign keys looked at, and the rows whose
    parents are gone set aside (`Orphan`). Can be done again; every other statement may run meanwhile.
    """
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute(UNCHECKED, [qualified(PUBLIC, table)])
        for key, column, parent, parent_column, nullable in cursor.fetchall():
            _set_aside(cursor, table, entry, key, column, parent, parent_column, nullable=nullable)
            archive.alter(cursor, PUBLIC, table, "VALIDATE CONSTRAINT {}", sql.Identifier(key))


# nullable: a row without a parent is as good; a parent's deletion would have emptied the column.
UNCHECKED = """
    SELECT conname, own.attname, c.relname, other.attname,
           NOT own.attnotnull AND confdeltype <> 'c'
      FROM pg_constraint
      JOIN pg_class c ON c.oid = confrelid
      JOIN pg_attribute own ON (own.attrelid, own.attnum) = (conrelid, conkey[1])
      JOIN pg_attribute other ON (other.attrelid, other.attnum) = (confrelid, confkey[1])
     WHERE conrelid = %s::regclass AND contype = 'f' AND NOT convalidated
"""


def _set_aside(
    cursor: CursorWrapper,
    table: str,
    entry: int,
    key: str,
    column: str,
    parent: str,
    parent_column: str,
    *,
    nullable: bool,
) -> None:
    lost = sql.SQL(
        "{c} IS NOT NULL AND NOT EXISTS (SELECT FROM {p} p WHERE p.{pc} = t.{c})"
    ).format(
        c=sql.Identifier(column),
        p=sql.Identifier(PUBLIC, parent),
        pc=sql.Identifier(parent_column),
    )
    where = {"t": sql.Identifier(PUBLIC, table), "c": sql.Identifier(column), "lost": lost}
    if nullable:
        change = sql.SQL("UPDATE {t} t SET {c} = NULL WHERE {lost} RETURNING to_jsonb(t)")
        # The row as it was, which RETURNING does not say.
        cursor.execute(
            sql.SQL(
                "INSERT INTO rollback_orphan (entry_id, foreign_key, row)"
                " SELECT %s, %s, to_jsonb(t) FROM {t} t WHERE {lost}"
            ).format(**where),
            [entry, key],
        )
        cursor.execute(change.format(**where))
    else:
        change = sql.SQL(
            "WITH gone AS (DELETE FROM {t} t WHERE {lost} RETURNING to_jsonb(t) AS row)"
            " INSERT INTO rollback_orphan (entry_id, foreign_key, row) SELECT %s, %s, row FROM gone"
        )
        cursor.execute(change.format(**where), [entry, key])
    if cursor.rowcount:
        ledger.add_to_report(cursor, entry, **{f"orphans of {key}": cursor.rowcount})
        # No table can be altered while its foreign keys wait to be checked.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
