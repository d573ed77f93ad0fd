"""What comes home value by value: tables whose shape has changed, and columns."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import ceil
from typing import Any

from django.db import DataError, IntegrityError, ProgrammingError
from django.db.backends.utils import CursorWrapper
from django.utils.translation import gettext as _
from psycopg import sql

from rollback.domain.errors import without_rows
from rollback.schema import archive, catalog, ledger
from rollback.schema.archive import ArchiveRefused, ShapeChanged
from rollback.schema.catalog import ARCHIVE, PUBLIC, qualified
from rollback.schema.ledger import Entry

# As measured, with an index or two; all who need one of the tables wait meanwhile.
ROWS_PER_SECOND = 90_000
LONGEST = 100_000  # rows
_accepted: ContextVar[bool] = ContextVar("a long copy is accepted", default=False)


class CopyIsLong(ArchiveRefused):
    """Nobody has said that everybody may wait for so long."""


@contextmanager
def accepting(accept_copy: bool) -> Iterator[None]:
    """However many rows there are to copy."""
    token = _accepted.set(accept_copy)
    try:
        yield
    finally:
        _accepted.reset(token)


def _refuse_long(cursor: CursorWrapper, entry: Entry) -> None:
    """Before the first row is."""
    if _accepted.get():
        return
    rows = entry.digest.rows if entry.digest else _count(cursor, entry)
    if rows > LONGEST:
        words = _(
            "%(what)s has to be copied row by row, and everybody would wait for about %(seconds)s seconds: "
            "%(rows)s rows. Nothing was moved. When that may be: manage.py rollback reapply --accept-copy "
            "(accept_copy=True)"
        )
        seconds = ceil(rows / ROWS_PER_SECOND)
        raise CopyIsLong(words % {"what": entry, "seconds": seconds, "rows": rows})


def _count(cursor: CursorWrapper, entry: Entry) -> int:
    there = sql.Identifier(entry.schema, entry.name)
    cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(there))
    return int(cursor.fetchone()[0])


def copy(
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
    _refuse_long(cursor, entry)
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
    with _fitting(table):
        for name in columns:
            was, now = archived.columns[name].type, wanted.columns[name].type
            _refuse_to_lose(cursor, entry, table, name, was, now)
        cursor.execute(statement)
    copied: int = cursor.rowcount
    return copied


@contextmanager
def _fitting(table: str) -> Iterator[None]:
    """:raises ShapeChanged:"""
    try:
        yield
    except (DataError, IntegrityError, ProgrammingError) as error:
        words = _("The archived rows of %(table)s do not fit into it any more: %(error)s")
        raise ShapeChanged(words % {"table": table, "error": without_rows(error)}) from error


def _refuse_to_lose(
    cursor: CursorWrapper, entry: Entry, table: str, column: str, was: str, now: str
) -> None:
    """PostgreSQL cuts text and rounds numbers in silence when it is told to make them another type."""
    if was == now:
        return
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
    archive.check_there(cursor, entry)
    _refuse_long(cursor, entry)
    was = catalog.shape(cursor, entry.schema, entry.name).columns[entry.column].type
    now = catalog.shape(cursor, PUBLIC, entry.table).columns[entry.column].type
    with _fitting(entry.table):
        _refuse_to_lose(cursor, entry, entry.table, entry.column, was, now)
        filled = _fill(cursor, entry, pk, now, parent)
    # What follows in this transaction may alter the table, which no trigger may wait for then.
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    archived = _count(cursor, entry)
    if _is_whole(cursor, entry, pk, was):
        there = sql.Identifier(entry.schema, entry.name)
        cursor.execute(sql.SQL("DROP TABLE {}").format(there))
    else:
        _keep(cursor, entry)
    ledger.came_back(cursor, entry, filled=filled, archived=archived)


def _fill(
    cursor: CursorWrapper, entry: Entry, pk: str, now: str, parent: tuple[str, str] | None
) -> int:
    """:returns: how many rows"""
    column, key = sql.Identifier(entry.column), sql.Identifier(pk)
    query = sql.SQL("UPDATE {} t SET {} = a.{}::{} FROM {} a WHERE a.{} = t.{}").format(
        sql.Identifier(PUBLIC, entry.table),
        column,
        column,
        sql.SQL(now),
        sql.Identifier(entry.schema, entry.name),
        key,
        key,
    )
    if parent:
        query += sql.SQL(" AND EXISTS (SELECT FROM {} p WHERE p.{} = a.{})").format(
            sql.Identifier(PUBLIC, parent[0]), sql.Identifier(parent[1]), column
        )
    cursor.execute(query)
    return int(cursor.rowcount)


def _is_whole(cursor: CursorWrapper, entry: Entry, pk: str, was: str) -> bool:
    """Every value of the archive is in its row again, whatever a trigger may have made of it."""
    cursor.execute(
        sql.SQL(
            "SELECT NOT EXISTS (SELECT FROM {there} a LEFT JOIN {here} t ON t.{key} = a.{key}"
            " WHERE t.{key} IS NULL"
            " OR (t.{column}::{was})::text IS DISTINCT FROM a.{column}::text)"
        ).format(
            there=sql.Identifier(entry.schema, entry.name),
            here=sql.Identifier(PUBLIC, entry.table),
            key=sql.Identifier(pk),
            was=sql.SQL(was),
            column=sql.Identifier(entry.column),
        )
    )
    return bool(cursor.fetchone()[0])


def _keep(cursor: CursorWrapper, entry: Entry) -> None:
    """Out of the way of whatever is archived next, under the same names."""
    kept = f"{ARCHIVE}_kept_{entry.id}"
    cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(kept)))
    archive.alter(cursor, entry.schema, entry.name, "SET SCHEMA {}", sql.Identifier(kept))
    ledger.kept_as(cursor, entry, kept)
