"""Every row and every definition of a whole database in a form that can be kept and compared.

Several connections read at the same time, and all see the same moment: they share a snapshot.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.translation import gettext as _
from psycopg import sql
from psycopg.conninfo import make_conninfo

from rollback.schema import described
from rollback.schema.digest import SETTINGS, Digest

WORKERS = 2
# A large table is read in pieces of so many pages, by whoever is free: their sums add up.
PIECE = 16_384
NAME = "school fingerprint"

Where = str | psycopg.Connection[Any] | BaseDatabaseWrapper
Progress = Callable[[float], object]

TABLES = """
    SELECT n.nspname, o.relname,
           pg_relation_size(o.oid) / current_setting('block_size')::int,
           (SELECT coalesce(array_agg(a.attname::text ORDER BY a.attname COLLATE "C"), '{}')
              FROM pg_attribute a
             WHERE a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped)
      FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace
     WHERE o.relkind = 'r' AND o.relpersistence <> 't'
       AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
       AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass
                          AND e.objid = o.oid AND e.deptype = 'e')
"""
LARGE_OBJECTS = "large objects"
READ_LARGE_OBJECTS = """
    SELECT count(*), coalesce(sum(hashtextextended(row(oid, lo_get(oid))::text, 0)), 0)
      FROM pg_largeobject_metadata
"""


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """tables: by schema.table. sequences: in steps since their start. catalog: kind and name → text."""

    tables: Mapping[str, Digest]
    sequences: Mapping[str, int]
    catalog: Mapping[str, str]

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.tables.values())

    def as_json(self) -> dict[str, Any]:
        return {
            "tables": {name: [one.rows, str(one.total)] for name, one in self.tables.items()},
            "sequences": dict(self.sequences),
            "catalog": dict(self.catalog),
        }

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """:raises (KeyError, TypeError, ValueError, ArithmeticError): it is none"""
        return cls(
            tables={
                name: Digest(int(rows), Decimal(total))
                for name, (rows, total) in facts["tables"].items()
            },
            sequences={name: int(steps) for name, steps in facts["sequences"].items()},
            catalog={str(name): str(text) for name, text in facts["catalog"].items()},
        )


@dataclass(frozen=True)
class Piece:
    """A part of a table: pages from `first` to before `end`; None: all from there on."""

    table: str
    query: sql.Composed | sql.SQL
    pages: int


@dataclass
class Work:
    """What is left to read, and what has been found. Shared by threads; each step is one of Python's own."""

    left: deque[Piece]
    rows: Counter[str] = field(default_factory=Counter)
    totals: dict[str, Decimal] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    done: int = 0
    failed: bool = False


def fingerprint(
    where: Where,
    *,
    snapshot: str | None = None,
    workers: int = WORKERS,
    progress: Progress = lambda share: None,
) -> Fingerprint:
    """What is committed. where: an address, or a connection, whose address is used: what an open
    transaction has written is not seen. snapshot: exported elsewhere, by a transaction that is still open.

    :raises psycopg.Error:
    """
    address = address_of(where)
    with reading(address, snapshot=snapshot) as first:
        shared = snapshot or export(first)
        catalog, sequences = described.catalog(first), described.sequences(first)
        pieces = _pieces(first)
        work = Work(deque(sorted(pieces, key=lambda piece: -piece.pages)))
        pages = sum(piece.pages for piece in pieces)
        _read(work, address, shared, workers, lambda done: progress(done / max(1, pages)))
    tables = {name: Digest(work.rows[name], total) for name, total in sorted(work.totals.items())}
    return Fingerprint(tables=tables, sequences=sequences, catalog=catalog)


def address_of(where: Where) -> str:
    if isinstance(where, str):
        return where
    if isinstance(where, psycopg.Connection):
        return make_conninfo(where.info.dsn, password=where.info.password or None)
    # Django's, which hides behind a proxy and so is known by what it is not.
    where.ensure_connection()
    return address_of(where.connection)


@contextmanager
def reading(
    address: str, *, snapshot: str | None = None, name: str = NAME
) -> Iterator[psycopg.Connection[Any]]:
    """One transaction that sees one moment and changes nothing."""
    with psycopg.connect(address, application_name=name) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        if snapshot:
            taken = sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot))
            connection.execute(taken)
        for setting, value in {**SETTINGS, **PATIENT}.items():
            connection.execute("SELECT set_config(%s, %s, false)", [setting, value])
        yield connection


# It takes as long as it takes; only for a lock it does not wait for ever.
PATIENT = {
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": "60s",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
}


def export(connection: psycopg.Connection[Any]) -> str:
    """What others need to see the same moment, for as long as this transaction is open."""
    row = connection.execute("SELECT pg_export_snapshot()").fetchone()
    return str(row[0]) if row else ""


def _pieces(connection: psycopg.Connection[Any]) -> list[Piece]:
    found = []
    for schema, table, pages, columns in connection.execute(TABLES).fetchall():
        for begin in range(0, max(1, pages), PIECE):
            end = begin + PIECE if begin + PIECE < pages else None
            query = _query(schema, table, columns, begin, end)
            size = min(PIECE, pages - begin) if pages else 0
            found.append(Piece(f"{schema}.{table}", query, size + 1))
    row = connection.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone()
    if row and row[0]:
        found.append(Piece(LARGE_OBJECTS, sql.SQL(READ_LARGE_OBJECTS), int(row[0])))
    return found


def _query(
    schema: str, table: str, columns: Sequence[str], begin: int, end: int | None
) -> sql.Composed:
    """As in `digest`: hashes of the rows' text, added up. The last piece has no end: the table may grow."""
    limits = [sql.SQL("t.ctid >= {}::tid").format(sql.Literal(f"({begin},0)"))] if begin else []
    if end is not None:
        limits.append(sql.SQL("t.ctid < {}::tid").format(sql.Literal(f"({end},0)")))
    row = sql.SQL(", ").join(sql.Identifier("t", name) for name in columns)
    return sql.SQL(
        "SELECT count(*), coalesce(sum(hashtextextended(row({row})::text, 0)), 0)"
        " FROM ONLY {table} t{where}"
    ).format(
        row=row,
        table=sql.Identifier(schema, table),
        where=sql.SQL(" WHERE ") + sql.SQL(" AND ").join(limits) if limits else sql.SQL(""),
    )


def _read(
    work: Work, address: str, snapshot: str, workers: int, progress: Callable[[int], object]
) -> None:
    def some_of_it() -> None:
        try:
            with reading(address, snapshot=snapshot) as connection:
                while not work.failed and (piece := _next(work)):
                    _add(work, piece, connection)
                    progress(work.done)
        except BaseException:
            # The others need not go on, and it is raised again where the result is asked for.
            work.failed = True
            raise

    with ThreadPoolExecutor(workers, thread_name_prefix="fingerprint") as pool:
        for one in [pool.submit(some_of_it) for _worker in range(workers)]:
            one.result()


def _next(work: Work) -> Piece | None:
    try:
        return work.left.popleft()
    except IndexError:
        return None


def _add(work: Work, piece: Piece, connection: psycopg.Connection[Any]) -> None:
    row = connection.execute(piece.query).fetchone()
    rows, total = row if row else (0, Decimal(0))
    with work.lock:
        work.rows[piece.table] += rows
        work.totals[piece.table] = work.totals.get(piece.table, Decimal(0)) + total
        work.done += piece.pages


def differences(expected: Fingerprint, found: Fingerprint) -> list[str]:
    """One sentence for each; empty where `found` has all that was expected, and nothing else."""
    return [
        *_of_tables(expected.tables, found.tables),
        *_of_catalogs(expected.catalog, found.catalog),
        *_of_sequences(expected.sequences, found.sequences),
    ]


def _of_tables(expected: Mapping[str, Digest], found: Mapping[str, Digest]) -> Iterator[str]:
    for name in sorted({*expected, *found}):
        one, other = expected.get(name), found.get(name)
        if one is None or other is None:
            # The catalog says so as well, and large objects stand in none.
            if name == LARGE_OBJECTS:
                yield _("%(name)s: only one of the two has them.") % {"name": name}
        elif one.rows != other.rows:
            told = {"name": name, "expected": one.rows, "found": other.rows}
            yield _("%(name)s: %(expected)d rows expected, %(found)d found.") % told
        elif one.total != other.total:
            words = _("%(name)s: as many rows as expected (%(rows)d), but not the same.")
            yield words % {"name": name, "rows": one.rows}


def _of_catalogs(expected: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*expected, *found}):
        one, other = expected.get(name), found.get(name)
        if other is None:
            yield _("%(name)s is missing.") % {"name": name}
        elif one is None:
            yield _("%(name)s was not expected.") % {"name": name}
        elif not described.is_same(name, one, other):
            told = {"name": name, "expected": one, "found": other}
            yield _("%(name)s: “%(expected)s” expected, “%(found)s” found.") % told


def _of_sequences(expected: Mapping[str, int], found: Mapping[str, int]) -> Iterator[str]:
    """One that is missing, the catalog tells. One that has counted on is none the worse."""
    for name, steps in sorted(expected.items()):
        if found.get(name, steps) < steps:
            told = {"name": name, "expected": steps, "found": found[name]}
            yield (
                _("sequence %(name)s has counted to %(found)d, expected were %(expected)d.") % told
            )
