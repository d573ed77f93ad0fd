"""Tables of the archive under their usual names, for whoever must get at them wherever they are.

Who copies or erases what is kept about a person knows the tables of the feature, and not that they may be
in the archive. For the length of a transaction they find views there, in the shape that the code knows.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
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
def within_reach(*, erasing: bool = False, glancing: bool = False) -> Iterator[None]:
    """erasing: what is deleted in here is taken out of what the archive is compared with when it comes
    back. Whoever changed it behind our back is found all the same.
    glancing: what somebody has moved or dropped by hand is empty; else nobody gets half.

    :raises OutOfReach: (enrollment.personal)
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
        if not glancing:
            _check_there(cursor, entries)
        before = _counted(cursor, entries) if erasing else {}
        shown = _show(cursor, entries)
        yield
        for take_away in shown:
            cursor.execute(take_away)
        if erasing:
            leftovers.forget_the_lost(cursor)
            _count_again(cursor, before)


def _check_there(cursor: CursorWrapper, entries: Sequence[Entry]) -> None:
    """:raises OutOfReach:"""
    if lost := [one for one in entries if _is_lost(cursor, one)]:
        raise leftovers.lost(lost)


def _is_lost(cursor: CursorWrapper, one: Entry) -> bool:
    """Neither in the archive nor where it came from."""
    if one.purged or ledger.place_of(cursor, one) is not None:
        return False
    return not (one.column and one.column in _columns(cursor, (PUBLIC, one.table)))


def _columns(cursor: CursorWrapper, place: tuple[str, str]) -> Collection[str]:
    return catalog.shape(cursor, *place).columns if catalog.exists(cursor, *place) else ()


def _show(cursor: CursorWrapper, entries: Sequence[Entry]) -> list[str]:
    """:returns: the statements that take them away again."""
    tables = {one.table: one for one in entries if not one.column}
    columns: Mapping[str, list[Entry]] = defaultdict(list)
    for one in entries:
        if one.column:
            columns[one.table].append(one)
    shown = (
        _as_it_was(cursor, table, tables.get(table), columns[table])
        for table in sorted({*tables, *columns})
    )
    return [one for one in shown if one]


def _as_it_was(
    cursor: CursorWrapper, table: str, entry: Entry | None, columns: Sequence[Entry]
) -> str:
    """A view can be deleted from and updated, but for the columns that lie elsewhere."""
    place = ledger.place_of(cursor, entry) if entry else (PUBLIC, table)
    if entry is not None and (entry.purged or place is None):
        return _nothing(cursor, table, entry, columns)
    own = _columns(cursor, place) if place else ()
    if place is None or not own:
        return ""  # a table of the ground floor is gone: whoever asks for it will say so
    further = [sql.SQL(", ") + _from_aside(cursor, one) for one in columns if one.column not in own]
    cursor.execute(
        sql.SQL("CREATE TEMPORARY VIEW {} AS SELECT t.*{} FROM {} t").format(
            sql.Identifier(table), sql.SQL("").join(further), sql.Identifier(*place)
        )
    )
    return f"DROP VIEW {catalog.qualified('pg_temp', table)}"


def _from_aside(cursor: CursorWrapper, one: Entry) -> sql.Composed:
    place = ledger.place_of(cursor, one)
    if one.purged or place is None:
        kind = one.columns[one.column]
        return sql.SQL("NULL::" + kind + " AS {}").format(sql.Identifier(one.column))
    return sql.SQL("(SELECT a.{c} FROM {aside} a WHERE a.{pk} = t.{pk}) AS {c}").format(
        c=sql.Identifier(one.column),
        aside=sql.Identifier(*place),
        pk=sql.Identifier(leftovers.key_of(one)),
    )


def _nothing(cursor: CursorWrapper, table: str, entry: Entry, columns: Sequence[Entry]) -> str:
    """Its rows were deleted for good, or are lost: an empty table, in which nothing is found."""
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
        one: digest(cursor, *place)
        for one in entries
        if one.digest is not None
        and not one.purged
        and (place := ledger.place_of(cursor, one)) is not None
    }


def _count_again(cursor: CursorWrapper, before: Mapping[Entry, Digest]) -> None:
    """The seal moves by what was erased, and by nothing else: what was not as it was put there before
    is not as it was put there now.
    """
    for one, was in before.items():
        place = ledger.place_of(cursor, one)
        now = was if place is None else digest(cursor, *place)
        if now == was or one.digest is None:
            continue
        ledger.reseal(
            cursor,
            one,
            Digest(one.digest.rows + now.rows - was.rows, one.digest.total + now.total - was.total),
            because=BECAUSE,
            gone=was.rows - now.rows,
        )
