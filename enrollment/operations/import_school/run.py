"""The import itself: read every file, save in one transaction, or write nothing and say why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from django.db import transaction

from enrollment.domain import cells, tables, unit_tables
from enrollment.domain.sheets import Parsed, Problem, Record, Sheet, parse
from enrollment.importing.desk import Counts, Desk
from enrollment.importing.registry import Table, is_away
from enrollment.operations import look_again
from enrollment.operations.import_school.known import known_tables
from enrollment.operations.import_school.locks import one_import_at_a_time

AWAY = "its table is in the archive. Leave this file out, and import it when the table is back."


class Progress(Protocol):
    def begin(self, file: str, rows: int) -> None: ...

    def advance(self, rows: int) -> None: ...


class Silent:
    def begin(self, file: str, rows: int) -> None:
        return None

    def advance(self, rows: int) -> None:
        return None


@dataclass(frozen=True, kw_only=True)
class Report:
    """counts: by file, in the order they were saved. ignored: files nobody asked for."""

    counts: Mapping[str, Counts]
    ignored: Sequence[str]


class ImportRefused(Exception):
    """Nothing was written; `problems` holds everything that must be put right."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class Read:
    table: Table[Any]
    parsed: Parsed[Any]


def import_school(
    *, folder: Path, now: datetime, dry_run: bool = False, progress: Progress | None = None
) -> Report:
    """dry_run: everything is checked against the database and then rolled back.

    :raises ImportRefused:
    """
    known = known_tables()
    found = _files(folder, known)
    read = [_read(table, found[table.sheet.file]) for table in known if table.sheet.file in found]
    with transaction.atomic():
        counts = save_all(read, now=now, progress=progress)
        if dry_run:
            transaction.set_rollback(True)
    return Report(counts=counts, ignored=sorted(found.keys() - {_file(one) for one in read}))


def _files(folder: Path, known: Sequence[Table[Any]]) -> dict[str, Path]:
    """By name in lower case.

    :raises ImportRefused: there is nothing to import.
    """
    if not folder.is_dir():
        raise ImportRefused([Problem(file=str(folder), hint="is no folder; name one with files.")])
    found = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_file()}
    names = [table.sheet.file for table in known]
    if not found.keys() & set(names):
        hint = f"holds none of {', '.join(names)}."
        raise ImportRefused([Problem(file=str(folder), hint=hint)])
    return found


def _read(table: Table[Any], path: Path) -> Read:
    sheet: Sheet[Any] = table.sheet
    if is_away(table):
        problem = Problem(file=sheet.file, hint=AWAY)
        return Read(table=table, parsed=Parsed(problems=[problem], broken=True))
    try:
        data = path.read_bytes()
    except OSError as error:
        problem = Problem(file=sheet.file, hint=f"cannot be opened: {error.strerror}.")
        return Read(table=table, parsed=Parsed(problems=[problem], broken=True))
    return Read(table=table, parsed=parse(sheet, data))


@transaction.atomic
def save_all(
    read: Sequence[Read],
    *,
    now: datetime,
    guarded: bool = False,
    progress: Progress | None = None,
) -> dict[str, Counts]:
    """guarded: see Desk.

    :returns: by file.
    :raises ImportRefused: which takes everything back.
    """
    one_import_at_a_time()
    ticks = _Ticks(progress or Silent())
    unreadable = [problem for one in read for problem in one.parsed.problems]
    desk = Desk(now=now, guarded=guarded, tick=ticks.advance, problems=unreadable)
    counts = {}
    for one in read:
        _note_what_is_unread(one, desk)
        ticks.begin(_file(one), len(one.parsed.rows))
        counts[_file(one)] = one.table.save(one.parsed.rows, desk)
        ticks.finish()
    if desk.problems:
        raise ImportRefused(_in_order(desk.problems, [_file(one) for one in read]))
    look_again.after_commit()
    return counts


class _Ticks:
    """Keeps a file's progress honest where its table does not tell how far it is."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.left = 0

    def begin(self, file: str, rows: int) -> None:
        self.left = rows
        self.progress.begin(file, rows)

    def advance(self, rows: int) -> None:
        self.left -= rows
        self.progress.advance(rows)

    def finish(self) -> None:
        self.progress.advance(max(0, self.left))


def _file(one: Read) -> str:
    return one.table.sheet.file


def _note_what_is_unread(one: Read, desk: Desk) -> None:
    if one.parsed.broken:
        desk.broken.add(_file(one))
    desk.unread[_file(one)] |= {_raw_key(record) for record in one.parsed.bad}


def _raw_key(record: Record) -> str:
    """How other files would refer to a line that could not be read."""
    text = record.cells
    if record.file == tables.COURSES.file:
        return text.get("slug") or cells.slug_of(text.get("title", ""))
    if record.file == unit_tables.UNITS.file:
        return f"{text.get('course', '')} {text.get('title', '')}"
    if record.file == tables.ENROLLMENTS.file:
        return f"{text.get('student', '').lower()} {text.get('course', '')}"
    return text.get("email", "").lower()


def _in_order(problems: Sequence[Problem], files: Sequence[str]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (files.index(problem.file), problem.line))
