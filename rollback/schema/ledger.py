"""What is in the archive. Written in the transaction that moves it, by SQL: migrations know no models."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper

from rollback.schema import catalog
from rollback.schema.digest import Digest, digest

TABLE, COLUMN = "table", "column"
APPS_AWAY = "SELECT DISTINCT app FROM rollback_ledgerentry WHERE back_at IS NULL ORDER BY app"
WANTED = (
    'id, app, kind, "table", "column", archived_as, rows, digest, purged_at IS NOT NULL, shape,'
    " foreign_keys"
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """schema, name: of what lies in the archive. digest: None before it was counted. columns: name → type,
    as they were put there. foreign_keys: name → definition.
    """

    id: int
    app: str
    kind: str
    table: str
    column: str
    schema: str
    name: str
    digest: Digest | None
    purged: bool
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)
    foreign_keys: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"{self.table}.{self.column}" if self.column else self.table


def add(
    cursor: CursorWrapper,
    *,
    app: str,
    table: str,
    column: str = "",
    archived_as: tuple[str, str],
    shape: catalog.Shape | None = None,
    foreign_keys: Collection[catalog.ForeignKey] = (),
) -> int:
    """:returns: its id."""
    cursor.execute(
        'INSERT INTO rollback_ledgerentry (app, kind, "table", "column", archived_as, shape,'
        " foreign_keys, report) VALUES (%s, %s, %s, %s, %s, %s, %s, '{}') RETURNING id",
        [
            app,
            COLUMN if column else TABLE,
            table,
            column,
            ".".join(archived_as),
            json.dumps(shape.as_json() if shape else {}),
            json.dumps({key.name: key.definition for key in foreign_keys}),
        ],
    )
    return int(cursor.fetchone()[0])


def away(cursor: CursorWrapper, *, app: str = "") -> list[Entry]:
    """What has not come back, as it went. app: "" for all."""
    cursor.execute(
        f"SELECT {WANTED} FROM rollback_ledgerentry"  # noqa: S608
        " WHERE back_at IS NULL AND %s IN ('', app) ORDER BY id",
        [app],
    )
    return [entry_of(row) for row in cursor.fetchall()]


def lock(cursor: CursorWrapper, apps: Collection[str]) -> None:
    """What is away of them, until this transaction ends."""
    cursor.execute(
        "SELECT FROM rollback_ledgerentry WHERE back_at IS NULL AND app = ANY (%s)"
        " ORDER BY id FOR UPDATE",
        [list(apps)],
    )


def apps_away(cursor: CursorWrapper) -> frozenset[str]:
    """Whose tables, or columns, are in the archive. None before there is a ledger."""
    if not catalog.exists(cursor, catalog.PUBLIC, "rollback_ledgerentry"):
        return frozenset()
    cursor.execute(APPS_AWAY)
    return frozenset(app for (app,) in cursor.fetchall())


def place_of(cursor: CursorWrapper, entry: Entry) -> tuple[str, str] | None:
    """Where it is, of what has not come back: somebody may have taken it out by hand. None: nowhere."""
    for schema in (entry.schema, catalog.PUBLIC):
        if catalog.exists(cursor, schema, entry.name):
            return schema, entry.name
    return None


def waiting(cursor: CursorWrapper, *, table: str, column: str = "") -> Entry | None:
    """Of this table or column, if it is in the archive."""
    cursor.execute(
        f"SELECT {WANTED} FROM rollback_ledgerentry"  # noqa: S608
        ' WHERE back_at IS NULL AND "table" = %s AND "column" = %s',
        [table, column],
    )
    row = cursor.fetchone()
    return entry_of(row) if row else None


def came_back(cursor: CursorWrapper, entry: Entry, **report: Any) -> None:
    cursor.execute(
        "UPDATE rollback_ledgerentry SET back_at = statement_timestamp(), report = report || %s"
        " WHERE id = %s",
        [json.dumps(report), entry.id],
    )


def add_to_report(cursor: CursorWrapper, entry: int, **facts: Any) -> None:
    cursor.execute(
        "UPDATE rollback_ledgerentry SET report = report || %s WHERE id = %s",
        [json.dumps(facts), entry],
    )


def kept_as(cursor: CursorWrapper, entry: Entry, schema: str) -> None:
    """It lies in another schema now, out of the way of whatever is archived next."""
    cursor.execute(
        "UPDATE rollback_ledgerentry SET archived_as = %s WHERE id = %s",
        [f"{schema}.{entry.name}", entry.id],
    )


def newest_return(cursor: CursorWrapper, table: str) -> int | None:
    """The entry with which the table last came back."""
    cursor.execute(
        'SELECT max(id) FROM rollback_ledgerentry WHERE "table" = %s AND back_at IS NOT NULL',
        [table],
    )
    found: int | None = cursor.fetchone()[0]
    return found


def seal(entry: int, *, using: str = "default") -> Digest | None:
    """Counts what lies in the archive. Outside of the transaction that moved it, which everybody waits for.

    :returns: None where it is back already, or purged
    """
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        # Whoever erases somebody from it meanwhile waits, and changes the number then.
        cursor.execute(
            f"SELECT {WANTED} FROM rollback_ledgerentry"  # noqa: S608
            " WHERE id = %s AND back_at IS NULL AND purged_at IS NULL FOR UPDATE",
            [entry],
        )
        row = cursor.fetchone()
        if row is None:
            return None
        found = entry_of(row)
        counted = digest(cursor, found.schema, found.name)
        cursor.execute(
            "UPDATE rollback_ledgerentry SET rows = %s, digest = %s, sealed_at = statement_timestamp()"
            " WHERE id = %s",
            [counted.rows, counted.total, entry],
        )
        return counted


def reseal(cursor: CursorWrapper, entry: Entry, now: Digest, *, because: str, gone: int) -> None:
    """What is to be found there is another number from now on. gone: so many rows fewer."""
    cursor.execute(
        "UPDATE rollback_ledgerentry SET rows = %s, digest = %s, sealed_at = statement_timestamp(),"
        " report = report || jsonb_build_object('sealed anew', coalesce(report->'sealed anew', '[]')"
        " || jsonb_build_array(jsonb_build_object('because', %s::text, 'rows', %s::bigint,"
        " 'at', statement_timestamp()))) WHERE id = %s",
        [now.rows, now.total, because, gone, entry.id],
    )


def entry_of(row: tuple[Any, ...]) -> Entry:
    id_, app, kind, table, column, archived_as, rows, total, purged, shape, keys = row
    schema, _dot, name = archived_as.partition(".")
    return Entry(
        id=id_,
        app=app,
        kind=kind,
        table=table,
        column=column,
        schema=schema,
        name=name,
        digest=None if rows is None else Digest(rows, total),
        purged=purged,
        columns={name: one["type"] for name, one in _parsed(shape).get("columns", {}).items()},
        foreign_keys=_parsed(keys),
    )


def _parsed(value: Any) -> dict[str, Any]:
    """Django's connection leaves JSON to its fields."""
    found: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
    return found
