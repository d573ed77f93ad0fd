"""Tables and columns into the archive and back: the statements, each inside the migration's transaction."""

from collections.abc import Mapping
from functools import partial
from hashlib import blake2b
from typing import Any

from django.db import DataError, IntegrityError, ProgrammingError, connections, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.utils import CursorWrapper
from django.utils.translation import gettext as _
from psycopg import sql

from rollback.schema import catalog, ledger
from rollback.schema.catalog import ARCHIVE, PUBLIC, qualified
from rollback.schema.ledger import Entry

LONGEST = 63  # bytes of a name


class ArchiveRefused(Exception):
    """Nothing was moved; the message says what to do."""


class TableIsUsed(ArchiveRefused):
    pass


class PlaceIsTaken(ArchiveRefused):
    """Something of that name is in the archive, of which the ledger does not know."""


class NotThere(ArchiveRefused):
    """The ledger knows of it, and it is not in the archive."""


class ShapeChanged(ArchiveRefused):
    """What is in the archive does not fit into the table as it is now."""


def put_away(cursor: CursorWrapper, *, app: str, table: str) -> None:
    """The table, with its indexes, checks, sequences and rows, into the archive: the work is the same for
    any number of rows. Its foreign keys are taken off, so that nothing on the ground floor waits for it.

    :raises TableIsUsed:
    :raises PlaceIsTaken:
    """
    _lock(cursor, table)
    _check_place(cursor, table)
    if users := catalog.used_by(cursor, PUBLIC, table):
        words = _(
            "%(table)s cannot be archived while it is used by %(users)s. Take that away first."
        )
        raise TableIsUsed(words % {"table": table, "users": ", ".join(users)})
    keys = catalog.foreign_keys(cursor, PUBLIC, table)
    shape = catalog.shape(cursor, PUBLIC, table)
    for key in keys:
        _alter(cursor, PUBLIC, table, "DROP CONSTRAINT {}", sql.Identifier(key.name))
    make_archive(cursor)
    _alter(cursor, PUBLIC, table, "SET SCHEMA {}", sql.Identifier(ARCHIVE))
    entry = ledger.add(
        cursor,
        app=app,
        table=table,
        archived_as=(ARCHIVE, table),
        shape=shape,
        foreign_keys=keys,
    )
    _afterwards(cursor, partial(ledger.seal, entry))


def put_back(cursor: CursorWrapper, entry: Entry) -> None:
    """A table that somebody has taken out of the archive past its migrations: to where the ledger says."""
    for key in catalog.foreign_keys(cursor, PUBLIC, entry.table):
        _alter(cursor, PUBLIC, entry.table, "DROP CONSTRAINT {}", sql.Identifier(key.name))
    _alter(cursor, PUBLIC, entry.table, "SET SCHEMA {}", sql.Identifier(entry.schema))


def put_column_away(cursor: CursorWrapper, *, app: str, table: str, pk: str, column: str) -> None:
    """The column's values, each with its row's key, into a table of the archive. The column stays for now."""
    _lock(cursor, table)
    make_archive(cursor)
    name = column_archive(table, column)
    _check_place(cursor, name)
    cursor.execute(copy_of_column(table, pk, column))
    _alter(cursor, ARCHIVE, name, "ADD PRIMARY KEY ({})", sql.Identifier(pk))
    entry = ledger.add(
        cursor,
        app=app,
        table=table,
        column=column,
        archived_as=(ARCHIVE, name),
        shape=catalog.shape(cursor, ARCHIVE, name),
    )
    _afterwards(cursor, partial(ledger.seal, entry))


def copy_of_column(table: str, pk: str, column: str) -> str:
    return (
        sql.SQL("CREATE TABLE {} AS SELECT {}, {} FROM {}")
        .format(
            sql.Identifier(ARCHIVE, column_archive(table, column)),
            sql.Identifier(pk),
            sql.Identifier(column),
            sql.Identifier(PUBLIC, table),
        )
        .as_string(None)
    )


def _check_place(cursor: CursorWrapper, name: str) -> None:
    if catalog.exists(cursor, ARCHIVE, name):
        words = _(
            "There is a table %(name)s in the schema %(archive)s already, of which the ledger does not know. "
            "Look at it, and move or drop it first."
        )
        raise PlaceIsTaken(words % {"name": name, "archive": ARCHIVE})


def column_archive(table: str, column: str) -> str:
    """PostgreSQL would cut longer names, in silence, and two of them might become one."""
    name = f"{table}__{column}"
    if len(name.encode()) <= LONGEST:
        return name
    return f"{table[:20]}__{column[:20]}_{blake2b(name.encode(), digest_size=8).hexdigest()}"


def make_archive(cursor: CursorWrapper) -> None:
    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {ARCHIVE}")


def bring_back(editor: BaseDatabaseSchemaEditor, *, entry: Entry, table: str) -> None:
    """In place of the table that the migration has just made, which is empty and shows what shape is wanted.

    :raises ShapeChanged:
    """
    with editor.connection.cursor() as cursor:
        if entry.purged:
            ledger.came_back(cursor, entry, purged=True)
            return
        _check_there(cursor, entry)
        _run_deferred(editor, table)
        wanted = catalog.shape(cursor, PUBLIC, table)
        archived = catalog.shape(cursor, entry.schema, entry.name)
        if wanted.fits(archived):
            cursor.execute(f"DROP TABLE {qualified(PUBLIC, table)}")
            _alter(cursor, entry.schema, entry.name, "SET SCHEMA {}", sql.Identifier(PUBLIC))
            report: dict[str, Any] = {"moved": True}
        else:
            report = _copy(cursor, entry, table, wanted, archived)
        _check_later(editor, table)
        ledger.came_back(cursor, entry, **report)
        _afterwards(cursor, partial(finish, table, entry.id))


def _check_there(cursor: CursorWrapper, entry: Entry) -> None:
    if not catalog.exists(cursor, entry.schema, entry.name):
        words = _(
            "%(what)s is not in the archive any more, where it should be: %(place)s. Restore it there from a "
            "backup; or have it remembered as deleted for good: manage.py rollback archive purge"
        )
        raise NotThere(words % {"what": entry, "place": f"{entry.schema}.{entry.name}"})


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


def _copy(
    cursor: CursorWrapper,
    entry: Entry,
    table: str,
    wanted: catalog.Shape,
    archived: catalog.Shape,
) -> dict[str, Any]:
    """The columns that both have. What lies in the archive stays there, out of the way."""
    common = [
        name
        for name, column in wanted.columns.items()
        if name in archived.columns and not column.generated
    ]
    missing = [
        name
        for name, column in wanted.columns.items()
        if column.is_required and name not in archived.columns
    ]
    if missing:
        words = _(
            "%(table)s has gained columns that need a value, and its archived rows have none: "
            "%(columns)s. Give them a default in the migration, or let them be empty."
        )
        raise ShapeChanged(words % {"table": table, "columns": ", ".join(missing)})
    copied = _insert(cursor, entry, table, common, wanted, archived)
    _go_on_counting(cursor, entry, table, wanted)
    _keep(cursor, entry)
    return {
        "moved": False,
        "copied": copied,
        "left_behind": sorted(set(archived.columns) - set(wanted.columns)),
        "new": sorted(set(wanted.columns) - set(archived.columns)),
    }


def _insert(
    cursor: CursorWrapper,
    entry: Entry,
    table: str,
    columns: list[str],
    wanted: catalog.Shape,
    archived: catalog.Shape,
) -> int:
    """:returns: how many rows"""
    values = [
        sql.SQL("{}::" + wanted.columns[name].type).format(sql.Identifier(name)) for name in columns
    ]
    statement = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}").format(
        sql.Identifier(PUBLIC, table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(values),
        sql.Identifier(entry.schema, entry.name),
    )
    try:
        for name in columns:
            was, now = archived.columns[name].type, wanted.columns[name].type
            if was != now:
                _refuse_to_lose(cursor, entry, table, name, was, now)
        cursor.execute(statement)
    except (DataError, IntegrityError, ProgrammingError) as error:
        words = _("The archived rows of %(table)s do not fit into it any more: %(error)s")
        raise ShapeChanged(words % {"table": table, "error": error}) from error
    copied: int = cursor.rowcount
    return copied


def _refuse_to_lose(
    cursor: CursorWrapper, entry: Entry, table: str, column: str, was: str, now: str
) -> None:
    """PostgreSQL cuts text and rounds numbers in silence when it is told to make them another type."""
    there_and_back = sql.SQL("(({c}::" + now + ")::" + was + ")::text IS DISTINCT FROM {c}::text")
    cursor.execute(
        sql.SQL("SELECT count(*) FROM {} WHERE {}").format(
            sql.Identifier(entry.schema, entry.name),
            there_and_back.format(c=sql.Identifier(column)),
        )
    )
    if lost := cursor.fetchone()[0]:
        words = _(
            "The archived rows of %(table)s do not fit into it any more: %(lost)s values of %(column)s "
            "would be cut short or rounded as %(type)s."
        )
        raise ShapeChanged(words % {"table": table, "lost": lost, "column": column, "type": now})


def _go_on_counting(cursor: CursorWrapper, entry: Entry, table: str, wanted: catalog.Shape) -> None:
    """Numbers that were given are not given again."""
    for name, column in wanted.columns.items():
        if column.identity:
            new, old = ("pg_get_serial_sequence(%s, %s)::regclass" for _n in range(2))
            cursor.execute(
                f"SELECT setval({new}, (pg_sequence_last_value({old})))",
                [
                    qualified(PUBLIC, table),
                    name,
                    qualified(entry.schema, entry.name),
                    name,
                ],
            )


def fill_column(
    cursor: CursorWrapper, *, entry: Entry, pk: str, parent: tuple[str, str] | None
) -> None:
    """The column, which was just added again, with what the archive has for each row that is still there.

    parent: table and column to which it refers. Who is not there any more is not referred to.
    """
    if entry.purged:
        ledger.came_back(cursor, entry, purged=True)
        return
    _check_there(cursor, entry)
    here, column = sql.Identifier(PUBLIC, entry.table), sql.Identifier(entry.column)
    there, key = sql.Identifier(entry.schema, entry.name), sql.Identifier(pk)
    query = sql.SQL("UPDATE {} t SET {} = a.{} FROM {} a WHERE a.{} = t.{}").format(
        here, column, column, there, key, key
    )
    if parent:
        query += sql.SQL(" AND EXISTS (SELECT FROM {} p WHERE p.{} = a.{})").format(
            sql.Identifier(PUBLIC, parent[0]), sql.Identifier(parent[1]), column
        )
    cursor.execute(query)
    filled = cursor.rowcount
    # What follows in this transaction may alter the table, which no trigger may wait for then.
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(there))
    (archived,) = cursor.fetchone()
    if filled == archived:
        cursor.execute(sql.SQL("DROP TABLE {}").format(there))
    else:
        _keep(cursor, entry)
    ledger.came_back(cursor, entry, filled=filled, archived=archived)


def _keep(cursor: CursorWrapper, entry: Entry) -> None:
    """Out of the way of whatever is archived next, under the same names."""
    kept = f"{ARCHIVE}_kept_{entry.id}"
    cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(kept)))
    _alter(cursor, entry.schema, entry.name, "SET SCHEMA {}", sql.Identifier(kept))
    ledger.kept_as(cursor, entry, kept)


def finish(table: str, entry: int, *, using: str = "default") -> None:
    """What a table that came back still lacks: each of its foreign keys looked at, and the rows whose
    parents are gone set aside (`Orphan`). Can be done again; every other statement may run meanwhile.
    """
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute(UNCHECKED, [qualified(PUBLIC, table)])
        for key, column, parent, parent_column, nullable in cursor.fetchall():
            _set_aside(cursor, table, entry, key, column, parent, parent_column, nullable=nullable)
            _alter(cursor, PUBLIC, table, "VALIDATE CONSTRAINT {}", sql.Identifier(key))


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


def _lock(cursor: CursorWrapper, table: str) -> None:
    """Before it is looked at: a plain `migrate` has not locked it, and whoever writes after we have read and
    before we move would write for nothing.
    """
    name = sql.Identifier(PUBLIC, table)
    cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(name))


def _alter(cursor: CursorWrapper, schema: str, table: str, what: str, name: sql.Identifier) -> None:
    cursor.execute(sql.SQL("ALTER TABLE {} " + what).format(sql.Identifier(schema, table), name))


def _afterwards(cursor: CursorWrapper, do: Any) -> None:
    """After COMMIT, when nobody waits for the table any more. What goes wrong then is logged, for the tables
    have moved all the same; the doctor sees it, and `rollback finish` does it again.
    """
    using = cursor.db.alias

    def afterwards() -> None:
        # Django logs it by its name, which a partial has not.
        do(using=using)

    transaction.on_commit(afterwards, using=using, robust=True)
