"""Tables of the archive under their usual names, for whoever must get at them wherever they are.

Who copies or erases what is kept about a person knows the tables of the feature, and not that they may be
in the archive. For the length of a transaction they find views there, in the shape that the code knows.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from rollback.keeping import leftovers
from rollback.schema import catalog, ledger
from rollback.schema.catalog import PUBLIC
from rollback.schema.digest import Digest, digest
from rollback.schema.ledger import Entry

WAITING = "SELECT id FROM rollback_ledgerentry WHERE back_at IS NULL ORDER BY id FOR UPDATE"
BECAUSE = "a person was erased"


def apps_away() -> frozenset[str]:
    """Asked of the database and not of the switchboard's memory: who acts on it must not be a moment late."""
    with connection.cursor() as cursor:
        return ledger.apps_away(cursor)


def is_away(app: str) -> bool:
    return app in apps_away()


@contextmanager
def within_reach(*, erasing: bool = False) -> Iterator[None]:
    """erasing: what is deleted in here is taken out of what the archive is compared with when it comes
    back. Whoever changed it behind our back is found all the same.
    """
    with connection.cursor() as cursor:
        if not erasing and not ledger.away(cursor):
            yield
            return
    with transaction.atomic(), connection.cursor() as cursor:
        if erasing:
            # Nothing comes back, is counted or is purged meanwhile.
            cursor.execute(WAITING)
        entries = ledger.away(cursor)
        before = _counted(cursor, entries) if erasing else {}
        shown = _show(cursor, entries)
        yield
        for take_away in shown:
            cursor.execute(take_away)
        if erasing:
            leftovers.forget_the_lost(cursor)
            _count_again(cursor, before)


def _show(cursor: CursorWrapper, entries: Sequence[Entry]) -> list[str]:
    """:returns: the statements that take them away again."""
    tables = {one.table: one for one in entries if not one.column}
    columns: Mapping[str, list[Entry]] = defaultdict(list)
    for one in entries:
        if one.column:
            columns[one.table].append(one)
    return [
        _as_it_was(cursor, table, tables.get(table), columns[table])
        for table in sorted({*tables, *columns})
    ]


def _as_it_was(
    cursor: CursorWrapper, table: str, entry: Entry | None, columns: Sequence[Entry]
) -> str:
    """A view can be deleted from and updated, but for the columns that lie elsewhere."""
    if entry is not None and entry.purged:
        return _nothing(cursor, table, entry, columns)
    schema, name = (entry.schema, entry.name) if entry else (PUBLIC, table)
    further = [sql.SQL(", ") + _from_aside(one) for one in columns]
    cursor.execute(
        sql.SQL("CREATE TEMPORARY VIEW {} AS SELECT t.*{} FROM {} t").format(
            sql.Identifier(table), sql.SQL("").join(further), sql.Identifier(schema, name)
        )
    )
    return f"DROP VIEW {catalog.qualified('pg_temp', table)}"


def _from_aside(one: Entry) -> sql.Composed:
    if one.purged:
        kind = one.columns[one.column]
        return sql.SQL("NULL::" + kind + " AS {}").format(sql.Identifier(one.column))
    return sql.SQL("(SELECT a.{c} FROM {aside} a WHERE a.{pk} = t.{pk}) AS {c}").format(
        c=sql.Identifier(one.column),
        aside=sql.Identifier(one.schema, one.name),
        pk=sql.Identifier(leftovers.key_of(one)),
    )


def _nothing(cursor: CursorWrapper, table: str, entry: Entry, columns: Sequence[Entry]) -> str:
    """Its rows were deleted for good: an empty table, in which nothing is found."""
    shape = dict(entry.columns) | {one.column: one.columns[one.column] for one in columns}
    written = [sql.SQL("{} " + kind).format(sql.Identifier(name)) for name, kind in shape.items()]
    cursor.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} ({})").format(
            sql.Identifier(table), sql.SQL(", ").join(written)
        )
    )
    return f"DROP TABLE {catalog.qualified('pg_temp', table)}"


def _counted(cursor: CursorWrapper, entries: Sequence[Entry]) -> dict[Entry, Digest]:
    """Of those that are sealed: others are counted when they are."""
    return {
        one: digest(cursor, one.schema, one.name)
        for one in entries
        if one.digest is not None and not one.purged
    }


def _count_again(cursor: CursorWrapper, before: Mapping[Entry, Digest]) -> None:
    """The seal moves by what was erased, and by nothing else: what was not as it was put there before
    is not as it was put there now.
    """
    for one, was in before.items():
        now = digest(cursor, one.schema, one.name)
        if now == was or one.digest is None:
            continue
        ledger.reseal(
            cursor,
            one,
            Digest(one.digest.rows + now.rows - was.rows, one.digest.total + now.total - was.total),
            because=BECAUSE,
            gone=was.rows - now.rows,
        )
