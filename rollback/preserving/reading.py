"""Lines of an exported file → rows in the school's own writing, or what is wrong with them.

`enrollment.domain.sheets` reads what an office sends: it guesses, trims, and holds a file in memory. Here
every blank counts, and a file may have a million lines.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from enrollment.domain.formulas import original
from enrollment.domain.sheets import EMPTY, BadCell, Problem
from rollback.preserving.files import File
from rollback.preserving.opening import Hashed, opened

NUL = "holds a NUL character, which cannot be stored; remove it."
OTHER = "became another while it was read; export again, to where nobody else writes."
# Python's csv module takes no longer cell than it is told to.
LONGEST_CELL = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Line:
    """cells: in the order of the file's columns; empty where there are problems. key: as far as it can
    be told, so that nobody complains that a row is missing that could only not be read."""

    number: int
    key: str
    cells: Sequence[str] = ()
    problems: Sequence[Problem] = ()


class Unreadable(Exception):
    """The file cannot be read any further."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def lines(file: File, path: Path, *, sha256: str | None = None) -> Iterator[Line]:
    """sha256: what the bytes that were read must come to in the end; None: whatever it is.

    :raises Unreadable:
    """
    try:
        with opened(path) as data:
            records = _json_records(file, data) if file.is_json else _csv_records(file, data)
            for number, record in records:
                yield _line(file, number, record)
            if sha256 is not None and data.sha256 != sha256:
                raise _unreadable(file, 0, OTHER)
    except UnicodeDecodeError as error:
        raise _unreadable(file, 0, "is no UTF-8; save it as UTF-8, or export again.") from error
    except OSError as error:
        raise _unreadable(file, 0, f"cannot be read ({error.strerror}).") from error


def _csv_records(file: File, data: Hashed) -> Iterator[tuple[int, Mapping[str, str]]]:
    before = csv.field_size_limit(LONGEST_CELL)
    try:
        with data.as_text(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            names: list[str] = []
            while True:
                number = reader.line_num + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    break
                except csv.Error as error:
                    hint = f"cannot be read from here on ({error}); check the quotation marks."
                    raise _unreadable(file, number, hint) from error
                if not names:
                    names = cells
                    _check_names(file, number, names)
                elif len(cells) != len(names):
                    hint = f"has {len(cells)} cells, the header has {len(names)}; give it as many."
                    raise _unreadable(file, number, hint)
                else:
                    yield number, dict(zip(names, map(original, cells), strict=True))
            if not names:
                raise _unreadable(file, 0, "is empty; its first line must name the columns.")
    finally:
        csv.field_size_limit(before)


def _json_records(file: File, data: Hashed) -> Iterator[tuple[int, Mapping[str, str]]]:
    with data.as_text(encoding="utf-8", newline="\n") as text:
        for number, line in enumerate(text, 1):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise _unreadable(file, number, f"is no JSON ({error}).") from error
            if not isinstance(record, dict) or not all(
                isinstance(value, str) for value in record.values()
            ):
                hint = "is no JSON object whose values are all texts; write numbers in quotation marks too."
                raise _unreadable(file, number, hint)
            _check_names(file, number, list(record))
            yield number, record


def _check_names(file: File, number: int, names: Sequence[str]) -> None:
    """:raises Unreadable:"""
    known = [column.name for column in file.columns]
    unknown = [name for name in names if name not in known or names.count(name) > 1]
    needed = [column.name for column in file.columns if not column.later]
    missing = [name for name in needed if name not in names]
    if unknown:
        hint = f"has columns nobody knows, or twice: {', '.join(unknown)}. Known are {', '.join(known)}."
        raise _unreadable(file, number, hint)
    if missing:
        raise _unreadable(file, number, f"has no {', '.join(missing)}; each column is needed.")


def _unreadable(file: File, number: int, hint: str) -> Unreadable:
    return Unreadable(Problem(file=file.name, line=number, hint=hint))


def _line(file: File, number: int, record: Mapping[str, str]) -> Line:
    cells, problems = [], []
    for column in file.columns:
        text = record.get(column.name, "")
        try:
            if "\x00" in text:
                raise BadCell(NUL)
            if not text and not column.empty:
                raise BadCell(EMPTY)
            cells.append(column.kind.read(text) if text else "")
        except BadCell as bad:
            problems.append(
                Problem(
                    file=file.name, line=number, column=column.name, value=text[:200], hint=str(bad)
                )
            )
    key = record[file.key]
    if problems:
        return Line(number=number, key=key, problems=problems)
    return Line(number=number, key=cells[0], cells=cells)
