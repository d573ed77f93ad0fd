"""Scheduling facts: read from wherever the features' tables are, and never brought in by us.

config/facts.py describes them; a table stands in a description as {its_name}.
"""

# ruff: noqa: S608  names of our own tables and columns only; what people wrote comes by COPY or as a parameter

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from django.conf import settings
from django.db.backends.utils import CursorWrapper
from django.utils.module_loading import import_string

from rollback.preserving.files import Column, File
from rollback.schema import archive, catalog, ledger

HERE, ARCHIVED, PURGED, ABSENT = "schema", "archive", "purged", "absent"
TABLE, OWN_COLUMN = re.compile(r"\{(\w+)\}"), re.compile(r"\bt\.(\w+)")


@dataclass(frozen=True, kw_only=True)
class Found:
    """where: HERE, ARCHIVED, PURGED or ABSENT. file: to be read as it is now; None: there is nothing to
    read. without: its columns that the table does not have now."""

    where: str
    file: File | None = None
    without: Sequence[str] = field(default=())


def facts() -> Sequence[File]:
    found: Sequence[File] = import_string(settings.PRESERVED_FACTS)
    return found


def find(cursor: CursorWrapper, file: File) -> Found:
    """Asks the catalog, which is of now: an older snapshot would not see a ledger's newest line."""
    schemas = {name: _schema(cursor, name) for name in _tables_in(file)}
    missing = [name for name in TABLE.findall(file.source) if schemas[name] is None]
    if missing:
        entry = ledger.waiting(cursor, table=missing[0])
        return Found(where=PURGED if entry and entry.purged else ABSENT)
    own = schemas.get(file.table) or catalog.PUBLIC
    columns = [_as_it_is_now(cursor, file, own, schemas, column) for column in file.columns]
    names = {name: catalog.qualified(schema, name) for name, schema in schemas.items() if schema}
    read = replace(file, source=file.source.format(**names), columns=columns)
    return Found(
        where=ARCHIVED if catalog.ARCHIVE in schemas.values() else HERE,
        file=read,
        without=[column.name for column in columns if column.of == EMPTY],
    )


# A cell of a column that is nowhere.
EMPTY = "NULL::text"


def _tables_in(file: File) -> set[str]:
    return {
        name
        for text in (file.source, *(column.of for column in file.columns))
        for name in TABLE.findall(text)
    }


def _schema(cursor: CursorWrapper, table: str) -> str | None:
    for schema in (catalog.PUBLIC, catalog.ARCHIVE):
        if catalog.exists(cursor, schema, table):
            return schema
    return None


def _as_it_is_now(
    cursor: CursorWrapper,
    file: File,
    schema: str,
    schemas: Mapping[str, str | None],
    column: Column,
) -> Column:
    """A column of its own may wait in the archive by itself, when only its migration was undone."""
    of = column.of or f"t.{column.name}"
    there = catalog.shape(cursor, schema, file.table).columns
    for name in dict.fromkeys(OWN_COLUMN.findall(of)):
        if name in there:
            continue
        aside = archive.column_archive(file.table, name)
        if not catalog.exists(cursor, catalog.ARCHIVE, aside):
            return replace(column, of=EMPTY, kind=replace(column.kind, text="{}"))
        value = f'(SELECT a."{name}" FROM {catalog.qualified(catalog.ARCHIVE, aside)} a WHERE a.id = t.id)'
        of = re.sub(rf"\bt\.{name}\b", value, of)
    if any(schemas[name] is None for name in TABLE.findall(of)):
        return replace(column, of=EMPTY, kind=replace(column.kind, text="{}"))
    names = {name: catalog.qualified(where, name) for name, where in schemas.items() if where}
    return replace(column, of=of.format(**names) if TABLE.search(of) else of)
