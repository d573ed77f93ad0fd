"""Each file and column in words, as docs/preservation.md has them; a test compares."""

from collections.abc import Iterator

from rollback.preserving.facts import facts
from rollback.preserving.files import Column, File
from rollback.preserving.ground import GROUND


def tables() -> str:
    return "\n\n".join(_table(file) for file in (*GROUND, *facts()))


def undescribed() -> list[str]:
    return [file.name for file in (*GROUND, *facts()) if not file.about]


def _table(file: File) -> str:
    rows = [_row(file, column) for column in file.columns]
    head = f"### {file.name}\n\n{file.about}\n\n| column | holds | |\n|---|---|---|\n"
    return head + "\n".join(rows)


def _row(file: File, column: Column) -> str:
    return f"| {column.name} | {column.kind.words} | {'; '.join(_facts(file, column))} |"


def _facts(file: File, column: Column) -> Iterator[str]:
    if column.name == file.key and file in GROUND:
        yield "**key**"
    if column.about:
        yield column.about
    if column.names:
        yield f"a row of {column.names}"
    if column.empty:
        yield "may be empty"
