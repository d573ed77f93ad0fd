"""Rows → the lines of a file that `sheets.parse` reads back. Pure."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from enrollment.domain.formulas import harmless
from enrollment.domain.sheets import Sheet

# Excel takes a file without it for Windows-1252.
BYTE_ORDER_MARK = "\ufeff"


class _Line:
    """What a csv.writer writes to; it hands back what was written."""

    def write(self, text: str) -> str:
        return text


def cells(sheet: Sheet[Any], values: Mapping[str, Any]) -> dict[str, str]:
    """By column, as the import would read it: without blanks around it.

    values: by column; None is an empty cell.
    """
    texts = {
        column.name: "" if (value := values[column.name]) is None else column.write(value)
        for column in sheet.columns
    }
    return {name: text.strip() for name, text in texts.items()}


def lines(
    sheet: Sheet[Any], rows: Iterable[Mapping[str, str]], *, delimiter: str = ","
) -> Iterator[str]:
    """The header and one line for each row of cells, none of them a formula."""
    writer = csv.writer(_Line(), delimiter=delimiter)
    names: Sequence[str] = [column.name for column in sheet.columns]
    yield BYTE_ORDER_MARK + str(writer.writerow(names))
    for row in rows:
        yield str(writer.writerow([harmless(row[name]) for name in names]))
