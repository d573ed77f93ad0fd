"""One file into its table, by a page of the office: looked at first, then written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from enrollment.domain.sheets import Problem, parse
from enrollment.importing.desk import Counts
from enrollment.importing.exporting import cells_of
from enrollment.importing.registry import Table
from enrollment.operations.import_school.run import ImportRefused, Read, save_all

# A page has to answer; whoever has more takes `manage.py import_school`.
MOST_LINES = 20_000


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one line of the file does. before: None for a new row. By column, as in a file.

    was: see Touched.
    """

    line: int
    was: str
    before: Mapping[str, str] | None
    after: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Preview:
    """steps: of the first lines that make or change something."""

    counts: Counts
    steps: Sequence[Step]


def preview_table(*, table: Table[Any], data: bytes, now: datetime, most: int) -> Preview:
    """Writes everything, looks at it, and takes it back.

    most: steps that are worked out; `counts` tells of all.

    :raises ImportRefused:
    """
    with transaction.atomic():
        counts = import_table(table=table, data=data, now=now)
        shown = counts.touched[:most]
        after = cells_of(table, [one.pk for one in shown])
        transaction.set_rollback(True)
    before = cells_of(table, [one.pk for one in shown if not one.is_new])
    steps = [
        Step(line=one.line, was=one.was, before=before.get(one.pk), after=after[one.pk])
        for one in shown
        if one.pk in after
    ]
    return Preview(counts=counts, steps=steps)


def import_table(*, table: Table[Any], data: bytes, now: datetime) -> Counts:
    """:raises ImportRefused: and nothing is written."""
    file = table.sheet.file
    try:
        counts = save_all([_read(table, data)], now=now, guarded=True)
    except IntegrityError as error:
        hint = "the school was changed at the same moment; import the file again."
        raise ImportRefused([Problem(file=file, hint=hint)]) from error
    return counts[file]


def _read(table: Table[Any], data: bytes) -> Read:
    """:raises ImportRefused: there is nothing in it, or too much."""
    parsed = parse(table.sheet, data)
    lines = len(parsed.rows) + len(parsed.bad)
    hint = ""
    if lines > MOST_LINES:
        hint = f"has {lines} lines; at most {MOST_LINES} can be imported here, so split it."
    elif not lines and not parsed.problems:
        hint = "has no line below the one that names the columns."
    if hint:
        raise ImportRefused([Problem(file=table.sheet.file, hint=hint)])
    return Read(table=table, parsed=parsed)
