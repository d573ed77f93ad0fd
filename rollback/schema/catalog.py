"""What PostgreSQL knows about a table: its shape, its foreign keys, and what else hangs on it."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from rollback.schema import described

PUBLIC, ARCHIVE = "public", "archive"

COLUMNS = """
    SELECT attname, format_type(atttypid, atttypmod), attnotnull, attidentity <> '',
           attgenerated <> '', coalesce(pg_get_expr(adbin, adrelid), '')
      FROM pg_attribute LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
     WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
     ORDER BY attname COLLATE "C"
"""
# PostgreSQL 18 keeps NOT NULL as a constraint too; that stands with the column.
CONSTRAINTS = """
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
     WHERE conrelid = %s::regclass AND contype IN ('p', 'u', 'c', 'x')
"""
INDEXES = """
    SELECT relname, pg_get_indexdef(indexrelid)
      FROM pg_index JOIN pg_class ON oid = indexrelid
     WHERE indrelid = %s::regclass
       AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype <> 'f')
"""
FOREIGN_KEYS = """
    SELECT conname, pg_get_constraintdef(oid), confrelid::regclass::text
      FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f' ORDER BY conname
"""
REFERRING = """
    SELECT conname, conrelid::regclass::text FROM pg_constraint
     WHERE confrelid = %s::regclass AND contype = 'f' AND conrelid <> confrelid
"""
VIEWS = """
    SELECT DISTINCT r.ev_class::regclass::text
      FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
     WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = %s::regclass
       AND r.ev_class <> d.refobjid
"""


WHERE_IT_IS = re.compile(r" ON (public|archive\w*|pg_temp\w*)\.")


@dataclass(frozen=True, kw_only=True)
class Column:
    """type, default: as PostgreSQL writes them. generated: worked out from others."""

    type: str
    notnull: bool
    identity: bool
    generated: bool
    default: str

    @property
    def is_required(self) -> bool:
        """A row without a word about it is refused."""
        return self.notnull and not (self.identity or self.generated or self.default)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What makes two tables interchangeable. Foreign keys are not part of it: they lead elsewhere."""

    columns: dict[str, Column]
    constraints: dict[str, str]
    indexes: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def fits(self, other: "Shape") -> bool:
        """Whether they mean the same. In a database that was restored from a dump PostgreSQL writes some
        definitions in other words than where they were made.
        """
        return self == other or (
            _same({one: asdict(column) for one, column in self.columns.items()},
                  {one: asdict(column) for one, column in other.columns.items()})
            and _same(self.constraints, other.constraints)
            and _same(self.indexes, other.indexes)
        )  # fmt: skip


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        _same(text, other[name])
        if isinstance(text, Mapping)
        else described.is_same(name, str(text), str(other[name]))
        for name, text in one.items()
    )


@dataclass(frozen=True, kw_only=True)
class ForeignKey:
    """definition: as after ADD CONSTRAINT. refers_to: a table, with its schema if it is not public."""

    name: str
    definition: str
    refers_to: str


def qualified(schema: str, table: str) -> str:
    """Quoted, for a statement and for `::regclass`."""
    return sql.Identifier(schema, table).as_string(None)


def exists(cursor: CursorWrapper, schema: str, table: str) -> bool:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [qualified(schema, table)])
    return bool(cursor.fetchone()[0])


def shape(cursor: CursorWrapper, schema: str, table: str) -> Shape:
    name = qualified(schema, table)
    cursor.execute(COLUMNS, [name])
    columns = {
        column: Column(
            type=type_, notnull=notnull, identity=identity, generated=generated, default=default
        )
        for column, type_, notnull, identity, generated, default in cursor.fetchall()
    }
    cursor.execute(CONSTRAINTS, [name])
    constraints = dict(sorted(cursor.fetchall()))
    cursor.execute(INDEXES, [name])
    # The definition says in which schema the table is.
    indexes = {
        index: WHERE_IT_IS.sub(" ON ", definition, count=1)
        for index, definition in sorted(cursor.fetchall())
    }
    return Shape(columns=columns, constraints=constraints, indexes=indexes)


def foreign_keys(cursor: CursorWrapper, schema: str, table: str) -> list[ForeignKey]:
    cursor.execute(FOREIGN_KEYS, [qualified(schema, table)])
    return [ForeignKey(name=n, definition=d, refers_to=r) for n, d, r in cursor.fetchall()]


def used_by(cursor: CursorWrapper, schema: str, table: str) -> list[str]:
    """Views, and foreign keys of other tables: what would go on pointing at the table in the archive."""
    cursor.execute(VIEWS, [qualified(schema, table)])
    views = [f"the view {view}" for (view,) in cursor.fetchall()]
    cursor.execute(REFERRING, [qualified(schema, table)])
    return views + [f"the foreign key {key} of {of}" for key, of in cursor.fetchall()]


def children_first(cursor: CursorWrapper, tables: Collection[str]) -> list[str]:
    """Whoever refers to another comes before it; what no two agree on, by name."""
    refers = {
        table: {key.refers_to for key in foreign_keys(cursor, PUBLIC, table)}
        & set(tables) - {table}
        for table in tables
    }
    ordered: list[str] = []
    while refers:
        free = sorted(t for t in refers if not any(t in others for others in refers.values()))
        for table in free or sorted(refers):
            ordered.append(table)
            del refers[table]
    return ordered


def parents_of(cursor: CursorWrapper, tables: Iterable[str]) -> list[str]:
    """Tables outside of these to which these refer."""
    inside = list(tables)
    found = {key.refers_to for one in inside for key in foreign_keys(cursor, PUBLIC, one)}
    return sorted(found - set(inside))
