"""What is in the archive, to be looked at: sizes and dates, never what stands in a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from rollback.models import LedgerEntry
from rollback.schema import catalog, ledger
from rollback.schema.digest import digest

# Of what came back something may be left: the copy that it came back from, and the rows set aside.
FOUND = r"""
    SELECT e.id, e.app, e."table", e."column", e.archived_as, e.rows, e.archived_at, e.back_at, e.purged_at,
           coalesce(pg_total_relation_size(to_regclass(
               quote_ident(split_part(e.archived_as, '.', 1)) || '.' ||
               quote_ident(split_part(e.archived_as, '.', 2)))), 0),
           (SELECT count(*) FROM rollback_orphan o WHERE o.entry_id = e.id),
           statement_timestamp() - coalesce(e.back_at, e.archived_at)
      FROM rollback_ledgerentry e
     WHERE e.back_at IS NULL
        OR e.purged_at IS NULL AND e.archived_as LIKE 'archive\_kept\_%'
        OR EXISTS (SELECT FROM rollback_orphan o WHERE o.entry_id = e.id)
     ORDER BY e."table", e."column", e.id
"""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One line of the ledger with something on the shelf.

    rows: None before they were counted. orphans: rows that were set aside when it came back.
    since: when it was archived; what is left of one that came back, when that was.
    """

    entry: int
    app: str
    table: str
    column: str
    schema: str
    name: str
    rows: int | None
    bytes: int
    orphans: int
    since: datetime
    age: timedelta
    is_back: bool
    is_purged: bool

    def __str__(self) -> str:
        return f"{self.table}.{self.column}" if self.column else self.table

    @property
    def has_table(self) -> bool:
        """Something of it lies in a schema of the archive."""
        in_archive = not self.is_back or self.schema != catalog.ARCHIVE
        return in_archive and not self.is_purged


def shelf() -> list[Kept]:
    with connection.cursor() as cursor:
        cursor.execute(FOUND)
        return [_kept(row) for row in cursor.fetchall()]


def kept_of(table: str) -> list[Kept]:
    """With its columns. table: also `table.column`, or as it is called in the archive."""
    return [one for one in shelf() if table in (one.table, str(one), one.name)]


def _kept(row: tuple[Any, ...]) -> Kept:
    entry, app, table, column, archived_as, rows, archived, back, purged, size, orphans, age = row
    schema, _dot, name = archived_as.partition(".")
    return Kept(
        entry=entry,
        app=app,
        table=table,
        column=column,
        schema=schema,
        name=name,
        rows=rows,
        bytes=size,
        orphans=orphans,
        since=back or archived,
        age=age,
        is_back=back is not None,
        is_purged=purged is not None,
    )


@dataclass(frozen=True, kw_only=True)
class Looked:
    """rows: counted now. as_sealed: None where there is no seal to compare with."""

    rows: int
    as_sealed: bool | None
    columns: Sequence[tuple[str, str]]
    entry: LedgerEntry


def look_at(one: Kept) -> Looked:
    """Reads all of it, half a second for a million rows."""
    entry = LedgerEntry.objects.get(pk=one.entry)
    with connection.cursor() as cursor:
        if not one.has_table:
            return Looked(rows=0, as_sealed=None, columns=[], entry=entry)
        now = digest(cursor, one.schema, one.name)
        found = catalog.shape(cursor, one.schema, one.name)
        away = ledger.waiting(cursor, table=one.table, column=one.column)
    sealed = away.digest if away is not None and not one.is_back else None
    return Looked(
        rows=now.rows,
        as_sealed=None if sealed is None else sealed == now,
        columns=[(name, column.type) for name, column in found.columns.items()],
        entry=entry,
    )
