"""Tables as an office exports them: bytes → rows, or problems that say what would be right.

Pure: no Django, no clock, no disk. What a file holds is described by a `Sheet`.
"""

import csv
import io
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

from enrollment.domain.formulas import original

ALIASES = {"e_mail": "email", "mail": "email", "timezone": "zone", "time_zone": "zone"}
DELIMITERS = ",;\t"
EMPTY = "must not be empty."
# What is chosen by mistake may be one line of a hundred thousand cells.
MOST_COLUMNS = 200


class BadCell(ValueError):
    """A cell cannot be read; the message is a sentence that says what would be right."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """line 0: the file as a whole. column "": the line as a whole."""

    file: str
    line: int = 0
    column: str = ""
    value: str = ""
    hint: str

    def __str__(self) -> str:
        where = self.file
        where += f", line {self.line}" if self.line else ""
        where += f", column {self.column}" if self.column else ""
        return f"{where}: “{self.value}”: {self.hint}" if self.column else f"{where}: {self.hint}"


@dataclass(frozen=True, kw_only=True)
class Record:
    """One line of a file as it stands there: column → trimmed text."""

    file: str
    line: int
    cells: Mapping[str, str]

    def has(self, column: str) -> bool:
        """Whether the file has the column at all; without it a known row keeps what it has."""
        return column in self.cells

    def problem(self, column: str, hint: str) -> Problem:
        value = self.cells.get(column, "")
        return Problem(file=self.file, line=self.line, column=column, value=value, hint=hint)


@dataclass(frozen=True, kw_only=True)
class Column:
    """read: text → value, raising BadCell; never called with an empty text.
    write: value → text that `read` understands; never called with None.

    needed: every line must fill it; with `blank` every file must have the column, and whoever saves
    the row judges an empty cell. empty: the value of an empty cell or a missing column.
    field: the row's attribute, where it is called otherwise than the column.
    """

    name: str
    read: Callable[[str], Any]
    write: Callable[[Any], str] = str
    needed: bool = True
    blank: bool = False
    empty: Any = None
    field: str = ""

    @property
    def attribute(self) -> str:
        return self.field or self.name


Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Sheet(Generic[Row]):
    """row: called with `record` and each column's value by keyword (a frozen dataclass).

    key: what may stand in the file only once, None for "does not matter here"; a second one is
    reported in `key_column`.
    """

    file: str
    columns: Sequence[Column]
    row: Callable[..., Row]
    key: Callable[[Row], Hashable | None]
    key_column: str


@dataclass(frozen=True, kw_only=True)
class Parsed(Generic[Row]):
    """bad: the lines that became no row, so that nobody complains that they are missing.

    broken: the file could not be read to its end, so other lines may be missing too.
    """

    broken: bool = False
    rows: Sequence[Row] = ()
    bad: Sequence[Record] = ()
    problems: Sequence[Problem] = ()


@dataclass
class _Reading(Generic[Row]):
    sheet: Sheet[Row]
    rows: list[Row] = field(default_factory=list)
    bad: list[Record] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    lines: dict[Hashable, int] = field(default_factory=dict)
    broken: bool = False

    def take(self, record: Record) -> None:
        values, problems = _values(self.sheet, record)
        if not problems:
            row = self.sheet.row(record=record, **values)
            problems = self._repeated(row, record)
        if problems:
            self.problems += problems
            self.bad.append(record)
        else:
            self.rows.append(row)

    def _repeated(self, row: Row, record: Record) -> list[Problem]:
        key = self.sheet.key(row)
        if key is None or (first := self.lines.setdefault(key, record.line)) == record.line:
            return []
        named = record.cells.get(self.sheet.key_column)
        column = self.sheet.key_column if named else self.sheet.columns[0].name
        return [record.problem(column, f"already stands in line {first}; keep one of the two.")]


class _Broken(Exception):
    """The file cannot be read any further."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__()
        self.problems = problems


def parse(sheet: Sheet[Row], data: bytes) -> Parsed[Row]:
    """Never raises: whatever the bytes are, the answer is rows and problems."""
    reading = _Reading(sheet)
    try:
        lines = (found for found in _lines(sheet.file, decode(data)) if any(found[1]))
        names = _header(sheet, lines)
        for line, cells in lines:
            _take_line(reading, names, line, cells)
    except _Broken as broken:
        reading.problems += broken.problems
        reading.broken = True
    return Parsed(
        rows=reading.rows, bad=reading.bad, problems=reading.problems, broken=reading.broken
    )


def decode(data: bytes) -> str:
    """UTF-8 or UTF-16 with a byte order mark, UTF-8 without, else Windows-1252, else Latin-1."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _lines(file: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of its first line (a quoted cell may hold line breaks).

    :raises _Broken:
    """
    first, _, rest = text.partition("\n")
    before = 0
    delimiter = max(DELIMITERS, key=first.count)
    # Excel writes this line for itself, to tell which separator follows.
    if first.strip().lower() in {f"sep={mark}" for mark in DELIMITERS} | {"sep="}:
        delimiter, text, before = first.strip("\r\n")[4:] or "\t", rest, 1
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = before + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            hint = f"cannot be read from here on ({error}); check the quotation marks."
            raise _Broken([Problem(file=file, line=line, hint=hint)]) from error
        yield line, [original(cell.strip()) for cell in cells]


def _header(sheet: Sheet[Any], lines: Iterator[tuple[int, list[str]]]) -> list[str]:
    """:raises _Broken:"""
    for line, cells in lines:
        names = [_column_name(cell) for cell in cells]
        problems = _header_problems(sheet, names, line)
        if problems:
            raise _Broken(problems)
        return names
    hint = "is empty; its first line must name the columns."
    raise _Broken([Problem(file=sheet.file, hint=hint)])


def _column_name(cell: str) -> str:
    name = "_".join(cell.lower().replace("-", " ").replace("_", " ").split())
    return ALIASES.get(name, name)


def _header_problems(sheet: Sheet[Any], names: Sequence[str], line: int) -> list[Problem]:
    if len(names) > MOST_COLUMNS:
        hint = f"its first line has {len(names)} cells; one that names the columns is needed there."
        return [Problem(file=sheet.file, line=line, hint=hint)]
    known = [column.name for column in sheet.columns]
    hints = [(name, _unknown(name, known)) for name in names if name not in known]
    hints += [
        (name, "stands in the header twice; keep one.")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    hints += [
        (column.name, f"this column is missing; needed are {_needed(sheet)}.")
        for column in sheet.columns
        if column.needed and column.name not in names
    ]
    return [
        Problem(file=sheet.file, line=line, column=name, value=name, hint=hint)
        for name, hint in hints
    ]


def _needed(sheet: Sheet[Any]) -> str:
    return ", ".join(column.name for column in sheet.columns if column.needed)


def _unknown(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1)
    guess = f" Did you mean {close[0]}?" if close else ""
    return f"no such column.{guess} Known are {', '.join(known)}."


def _take_line(
    reading: _Reading[Any], names: Sequence[str], line: int, cells: Sequence[str]
) -> None:
    """Trailing empty cells may be left out, as spreadsheets do; a cell too many is a mistake."""
    file = reading.sheet.file
    padded = [*cells, *[""] * (len(names) - len(cells))]
    record = Record(file=file, line=line, cells=dict(zip(names, padded, strict=False)))
    if any(cells[len(names) :]):
        hint = (
            f"has {len(cells)} cells, the header has {len(names)}; "
            "put a text that holds the separator in quotation marks."
        )
        reading.problems.append(Problem(file=file, line=line, hint=hint))
        reading.bad.append(record)
    else:
        reading.take(record)


def _values(sheet: Sheet[Any], record: Record) -> tuple[dict[str, Any], list[Problem]]:
    values: dict[str, Any] = {}
    problems = []
    for column in sheet.columns:
        try:
            values[column.attribute] = _value(column, record.cells.get(column.name, ""))
        except BadCell as bad:
            problems.append(record.problem(column.name, str(bad)))
    if problems:
        # Nobody gets to judge this line's empty cells, and it has to be corrected anyway.
        problems += [
            record.problem(column.name, EMPTY)
            for column in sheet.columns
            if column.blank and not record.cells.get(column.name)
        ]
    return values, problems


def _value(column: Column, text: str) -> Any:
    """:raises BadCell:"""
    if "\x00" in text:
        raise BadCell("holds a NUL character, which cannot be stored; remove it.")
    if text:
        return column.read(text)
    if column.needed and not column.blank:
        raise BadCell(EMPTY)
    return column.empty
