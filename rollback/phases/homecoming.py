"""What came home is what was put away: each table by its digest, with what was set aside put back into it."""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from rollback.domain.phases import is_explained
from rollback.models import LedgerEntry, Orphan, PhaseRun
from rollback.schema import catalog
from rollback.schema.digest import Digest, digest, settled

Counted = list[Any]

# Each row that was set aside as it was at first, for it may have lost both its halves. stays: whether only
# references were taken from it, and which.
ASIDE = """
    WITH key AS (
        SELECT conname, attname, NOT attnotnull AND confdeltype <> 'c' AS may_lack
          FROM pg_constraint JOIN pg_attribute ON (attrelid, attnum) = (conrelid, conkey[1])
         WHERE conrelid = {name}::regclass AND contype = 'f'),
    aside AS (
        SELECT o.row->>{pk_name} AS pk, (array_agg(o.row ORDER BY o.id))[1] AS was,
               bool_and(may_lack) AS stays,
               coalesce(jsonb_object_agg(attname, NULL::text) FILTER (WHERE may_lack), '{{}}') AS emptied
          FROM rollback_orphan o JOIN key ON conname = o.foreign_key
         WHERE o.entry_id = %s GROUP BY 1)
"""
WHOLE = """
    SELECT count(*), coalesce(sum(hashtextextended(one, 0)::numeric), 0) FROM (
        SELECT row({now})::text AS one FROM {table} t LEFT JOIN aside ON aside.pk = t.{pk}::text
         WHERE aside.pk IS NULL
        UNION ALL
        SELECT row({then})::text FROM aside, jsonb_populate_record(NULL::{table}, was) w) AS rows
"""
UNLIKE = """
    SELECT count(*)
      FROM aside CROSS JOIN jsonb_populate_record(NULL::{table}, was || emptied) w
      LEFT JOIN {table} t ON t.{pk}::text = aside.pk
     WHERE stays <> (t.{pk} IS NOT NULL) OR (stays AND row(t.*)::text <> row(w.*)::text)
"""


def prove(run: PhaseRun) -> dict[str, Any]:
    """purged: what was deleted for good while it was away, and is empty now. A column of which not every
    value found its row again is different, too.
    """
    entries = list(LedgerEntry.objects.filter(pk__in=run.proof["ledger"]).order_by("pk"))
    kept = [one for one in entries if one.purged_at is None]
    with connection.cursor() as cursor:
        compared = {
            one.table: _table(cursor, one, _columns_of(one, kept), run.proof["before"])
            for one in kept
            if not one.column
        }
    compared |= {str(one): _values(one) for one in kept if _lacks_values(one)}
    different = [name for name, one in compared.items() if not is_explained(one)]
    return {
        "compared": compared,
        "different": different,
        "equal": not different,
        "orphans": sum(one.get("orphans", 0) for one in compared.values()),
        "purged": [str(one) for one in entries if one.purged_at is not None],
    }


def _columns_of(table: LedgerEntry, entries: Sequence[LedgerEntry]) -> list[str]:
    return [one.column for one in entries if one.column and one.table == table.table]


def _lacks_values(entry: LedgerEntry) -> bool:
    return bool(entry.column) and entry.report.get("filled") != entry.report.get("archived")


def _values(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "before": [entry.report.get("archived")],
        "after": [entry.report.get("filled")],
    }


def _table(
    cursor: CursorWrapper, entry: LedgerEntry, beside: Sequence[str], known: dict[str, Counted]
) -> dict[str, Any]:
    """known: by table, what lay in the archive, with the columns beside it, when we brought it home."""
    found: dict[str, Any] = {"moved": entry.report.get("moved"), "before": known.get(entry.table)}
    if not catalog.exists(cursor, catalog.PUBLIC, entry.table):
        return found | {"after": None}
    if found["moved"]:
        columns = set(entry.shape.get("columns", {}))
        if found["before"] is None:
            found["before"] = _sealed(entry)
        else:
            columns |= set(beside)
        columns &= set(catalog.shape(cursor, catalog.PUBLIC, entry.table).columns)
    else:
        columns, found["before"] = _copied(cursor, entry)
    found["after"] = _counted(digest(cursor, catalog.PUBLIC, entry.table, columns=columns))
    return found | _aside(cursor, entry, columns)


def _counted(found: Digest) -> Counted:
    return [found.rows, str(found.total)]


def _sealed(entry: LedgerEntry) -> Counted | None:
    """None where nobody has counted it in the archive."""
    return None if entry.digest is None else [entry.rows, str(entry.digest)]


def _copied(cursor: CursorWrapper, entry: LedgerEntry) -> tuple[set[str], Counted | None]:
    """Into a table of another shape: the columns that both have, and what they are in the one that was kept,
    read as what they have become.
    """
    schema, _dot, name = entry.archived_as.partition(".")
    if not catalog.exists(cursor, schema, name):
        return set(), None
    wanted = catalog.shape(cursor, catalog.PUBLIC, entry.table).columns
    was = catalog.shape(cursor, schema, name).columns
    common = {one for one in wanted if one in was and not wanted[one].generated}
    types = {one: wanted[one].type for one in common if wanted[one].type != was[one].type}
    return common, _counted(digest(cursor, schema, name, columns=common, casts=types))


def _aside(cursor: CursorWrapper, entry: LedgerEntry, columns: set[str]) -> dict[str, Any]:
    """orphans: how many were set aside. whole, unlike: as `is_explained` wants them."""
    orphans = Orphan.objects.filter(entry=entry).count()
    if not orphans:
        return {"orphans": 0}
    pk = _primary_key(cursor, entry.table)
    facts = {
        "name": sql.Literal(catalog.qualified(catalog.PUBLIC, entry.table)),
        "table": sql.Identifier(catalog.PUBLIC, entry.table),
        "pk": sql.Identifier(pk),
        "pk_name": sql.Literal(pk),
    } | {
        side: sql.SQL(", ").join(sql.Identifier(of, one) for one in sorted(columns))
        for side, of in (("now", "t"), ("then", "w"))
    }
    with settled(cursor):
        cursor.execute(sql.SQL(ASIDE + WHOLE).format(**facts), [entry.pk])
        rows, total = cursor.fetchone()
        cursor.execute(sql.SQL(ASIDE + UNLIKE).format(**facts), [entry.pk])
        (unlike,) = cursor.fetchone()
    return {"orphans": orphans, "whole": _counted(Digest(rows, total)), "unlike": unlike}


def _primary_key(cursor: CursorWrapper, table: str) -> str:
    cursor.execute(
        "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]"
        " WHERE indrelid = %s::regclass AND indisprimary",
        [catalog.qualified(catalog.PUBLIC, table)],
    )
    name: str = cursor.fetchone()[0]
    return name
