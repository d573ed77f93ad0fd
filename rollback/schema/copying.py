"""What comes home value by value: tables whose shape has changed, and columns."""

from typing import Any

from django.db import DataError, IntegrityError, ProgrammingError
from django.db.backends.utils import CursorWrapper
from django.utils.translation import gettext as _
from psycopg import sql

from rollback.domain.errors import without_rows
from rollback.schema import archive, catalog, ledger
from rollback.schema.archive import ShapeChanged
from rollback.schema.catalog import ARCHIVE, PUBLIC, qualified
from rollback.schema.ledger import Entry


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
        raise ShapeChanged(words % {"table": table, "error": without_rows(error)}) from error
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
    archive.check_there(cursor, entry)
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
    archive.alter(cursor, entry.schema, entry.name, "SET SCHEMA {}", sql.Identifier(kept))
    ledger.kept_as(cursor, entry, kept)
