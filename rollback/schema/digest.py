"""How many rows a table has, and one number that changes with any of them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from rollback.schema import catalog

# A value's text depends on them.
SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "search_path": "pg_catalog, public",
}
# Whole tables are read, for which a second process is worth its start; anything else of ours wants none.
PARALLEL = {"max_parallel_workers_per_gather": "2"}


@dataclass(frozen=True)
class Digest:
    """total: the sum of the rows' 64-bit hashes. A sum, because of two equal rows a xor sees none; of
    their text, because PostgreSQL's own hash of a record depends on the numbers its types happen to have.
    """

    rows: int
    total: Decimal


@dataclass(frozen=True, kw_only=True)
class Beside:
    """One column of a table that lies in another one, with the keys of its rows."""

    schema: str
    name: str
    column: str
    key: str


def digest(
    cursor: CursorWrapper,
    schema: str,
    table: str,
    *,
    columns: Collection[str] | None = None,
    beside: Sequence[Beside] = (),
    casts: Mapping[str, str] | None = None,
) -> Digest:
    """Less than a second for a million rows. Columns by name: a column that was added again stands last.

    columns: only of these; None: of all. beside: columns that lie elsewhere, each in its place, as if
    the table were whole. casts: column → type, as PostgreSQL writes it, in which its values are read.
    """
    if columns is None:
        columns = catalog.shape(cursor, schema, table).columns
    sides = dict.fromkeys(columns, "t")
    source = [sql.SQL("{} t").format(sql.Identifier(schema, table))]
    for number, one in enumerate(beside):
        sides[one.column] = f"b{number}"
        source.append(
            sql.SQL("LEFT JOIN {} {} USING ({})").format(
                sql.Identifier(one.schema, one.name),
                sql.Identifier(f"b{number}"),
                sql.Identifier(one.key),
            )
        )
    types = {name: sql.SQL("::" + type_) for name, type_ in (casts or {}).items()}
    row = sql.SQL(", ").join(
        sql.Identifier(sides[name], name) + types.get(name, sql.SQL("")) for name in sorted(sides)
    )
    query = sql.SQL(
        "SELECT count(*), coalesce(sum(hashtextextended(row({row})::text, 0)), 0) FROM {source}"
    ).format(row=row, source=sql.SQL(" ").join(source))
    with settled(cursor):
        cursor.execute(query)
        rows, total = cursor.fetchone()
    return Digest(rows, total)


@contextmanager
def settled(cursor: CursorWrapper) -> Iterator[None]:
    """What decides how values are written is as it always is; afterwards, or after an error, as it was."""
    with transaction.atomic(using=cursor.db.alias):
        yield from _settled(cursor)


def _settled(cursor: CursorWrapper) -> Iterator[None]:
    wanted = SETTINGS | PARALLEL
    cursor.execute(
        "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name", [list(wanted)]
    )
    before = dict(cursor.fetchall())
    _set(cursor, wanted)
    yield
    _set(cursor, before)


def _set(cursor: CursorWrapper, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        cursor.execute("SELECT set_config(%s, %s, false)", [name, value])
