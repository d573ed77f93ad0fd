"""Rows of the school as lines of the file that brings them back unchanged."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import QuerySet

from enrollment.domain import writing
from enrollment.importing.registry import Table

CHUNK = 1000


def exported(table: Table[Any], found: QuerySet[Any]) -> QuerySet[Any]:
    """Of the rows found those a file can hold, in a file's order.

    found: may have joins and groups of its own, as an admin's list has.
    """
    export = table.export
    if export is None:
        return found.none()
    return export.rows(export.model._default_manager.filter(pk__in=found.order_by().values("pk")))


def lines(table: Table[Any], found: QuerySet[Any], *, delimiter: str) -> Iterator[str]:
    """Bit by bit: a table may be longer than a process should remember."""
    rows = (_cells(table, row) for row in exported(table, found).iterator(CHUNK))
    return writing.lines(table.sheet, rows, delimiter=delimiter)


def cells_of(table: Table[Any], pks: Iterable[int]) -> dict[int, dict[str, str]]:
    """By the row's id; nothing where the table cannot be exported."""
    if table.export is None:
        return {}
    rows = table.export.rows(table.export.model._default_manager.filter(pk__in=list(pks)))
    return {row.pk: _cells(table, row) for row in rows}


def _cells(table: Table[Any], row: Any) -> dict[str, str]:
    return writing.cells(table.sheet, table.export.values(row)) if table.export else {}
