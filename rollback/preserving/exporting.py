"""The school into a folder: from one snapshot, row by row, and whole or not at all."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from enrollment.domain import writing
from enrollment.domain.sheets import Column as SheetColumn
from enrollment.domain.sheets import Sheet
from rollback.preserving import facts, manifest
from rollback.preserving.files import File
from rollback.preserving.ground import GROUND
from rollback.preserving.kinds import INSTANT
from rollback.preserving.manifest import Entry, Manifest
from rollback.schema.digest import settled

# So many rows are in our memory at once.
CHUNK = 2000
Say = Callable[[str], None]
Row = tuple[str, ...]


class ExportRefused(Exception):
    """Nothing was written; the message says what to do."""


def _silent(words: str) -> None:
    return None


def export(folder: Path, *, say: Say = _silent) -> Manifest:
    """Into a new folder, which appears when everything is in it, or into an empty one.

    :raises ExportRefused:
    """
    _check(folder)
    with _beside(folder) as made:
        with _snapshot() as (as_of, snapshot):
            entries = [_read(file, made, say) for file in GROUND]
            entries += [_read_fact(file, made, say) for file in facts.facts()]
        found = Manifest(as_of=as_of, snapshot=snapshot, zone=settings.TIME_ZONE, files=entries)
        text = found.as_json().encode()
        _write_whole(made / manifest.NAME, text)
        if signed := manifest.signature(text):
            _write_whole(made / manifest.SIGNATURE, f"{signed}\n".encode())
        _put_in_place(made, folder)
    return found


def _check(folder: Path) -> None:
    """:raises ExportRefused:"""
    values = {"folder": folder}
    if not folder.parent.is_dir():
        raise ExportRefused(_("There is no folder to put %(folder)s into. Make it first.") % values)
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ExportRefused(_("%(folder)s is no folder. Name one that is not there yet.") % values)
    if folder.exists() and any(folder.iterdir()):
        words = _(
            "%(folder)s is not empty. Name a folder that is not there yet; nothing was written."
        )
        raise ExportRefused(words % values)


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A folder under another name, for its owner only; it is gone afterwards, whatever happened.

    :raises ExportRefused: it cannot be written.
    """
    made: Path | None = None
    try:
        # A name that no other export has, on whichever machine: what is removed was made here.
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.unfinished-", dir=folder.parent))
        yield made
    except OSError as error:
        words = _("%(folder)s cannot be written: %(error)s. Nothing was left behind.")
        raise ExportRefused(words % {"folder": folder, "error": error.strerror}) from error
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)


def _put_in_place(made: Path, folder: Path) -> None:
    _to_disk(made)
    # Over an empty folder too; over any other the system refuses.
    made.rename(folder)
    _to_disk(folder.parent)


def _to_disk(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def _snapshot() -> Iterator[tuple[str, str]]:
    """Everything that is read within is of one moment. :yields: when that was, and PostgreSQL's name."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        now = INSTANT.text.format("statement_timestamp()")
        cursor.execute(f"SELECT {now}, pg_current_snapshot()::text")
        as_of, snapshot = cursor.fetchone()
        with settled(cursor):
            yield as_of, snapshot


def _read_fact(file: File, folder: Path, say: Say) -> Entry:
    with _locks_for_a_moment(), connection.cursor() as cursor:
        found = facts.find(cursor, file)
        if found.file is None:
            return Entry(name=file.name, where=found.where)
        entry = _written(found.file, folder, say)
    return Entry(**vars(entry) | {"where": found.where, "without": list(found.without)})


def _read(file: File, folder: Path, say: Say) -> Entry:
    with _locks_for_a_moment():
        return _written(file, folder, say)


@contextmanager
def _locks_for_a_moment() -> Iterator[None]:
    """A savepoint that is rolled back: a table is locked while it is read, and not until all are read.
    Phase 1 would wait for us else. The snapshot stays."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _written(file: File, folder: Path, say: Say) -> Entry:
    with _Hashed(folder / file.name) as out:
        for line in _lines(file, rows_of(file)):
            out.write(line)
    # The first line of a table names its columns.
    rows = out.lines if file.is_json else out.lines - 1
    say(f"{file.name}: {rows}")
    return Entry(name=file.name, rows=rows, bytes=out.bytes, sha256=out.sha.hexdigest())


def rows_of(file: File) -> Iterator[Row]:
    """By a cursor on the server's side, also where Django was told to use none for a pool's sake: this
    is one transaction."""
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor(name="preserving") as cursor:
        cursor.itersize = CHUNK
        cursor.execute(file.query())
        yield from cursor


def _lines(file: File, rows: Iterable[Row]) -> Iterator[str]:
    names = [column.name for column in file.columns]
    records = (dict(zip(names, row, strict=True)) for row in rows)
    if not file.is_json:
        return writing.lines(_sheet(file), records)
    return (json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _sheet(file: File) -> Sheet[Any]:
    columns = [SheetColumn(name=column.name, read=column.kind.read) for column in file.columns]
    return Sheet(file=file.name, columns=columns, row=dict, key=lambda row: None, key_column="")


class _Hashed:
    """A file that knows what was written to it. :raises OSError:"""

    def __init__(self, path: Path) -> None:
        self.sha, self.bytes, self.lines = hashlib.sha256(), 0, 0
        self._file = path.open("xb")
        os.fchmod(self._file.fileno(), 0o600)

    def __enter__(self) -> "_Hashed":
        return self

    def __exit__(self, *why: object) -> None:
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        finally:
            self._file.close()

    def write(self, line: str) -> None:
        data = line.encode()
        self.sha.update(data)
        self._file.write(data)
        self.bytes += len(data)
        self.lines += 1


def _write_whole(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
