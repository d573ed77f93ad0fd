"""Where a floor above lets its own file be imported along with the school.

The ground floor imports files of its own and knows of no others. An app upstairs describes its file and
says how its rows are saved, and registers both from its `AppConfig.ready`:

    @dataclass(frozen=True, kw_only=True)
    class HoursRow:
        record: Record
        teacher: str                              # mail address, in lower case
        starts: time

    def save(rows: Sequence[HoursRow], desk: Desk) -> Counts:
        for row in rows:
            teacher = desk.teacher(row.record)    # None: not known, and already reported
            if teacher is None:
                continue
            if ...:
                desk.refuse(row.record, "starts", "must be before ends; write 09:00 to 17:00.")
        ...                                       # bulk operations: a bounded number of queries
        return Counts(created=…, changed=…, unchanged=…, touched=…)    # touched: for the preview

    HOURS = Table(
        sheet=Sheet(
            file="hours.csv",
            columns=[
                Column(name="teacher", read=cells.mail),
                Column(name="starts", read=cells.clock),
                Column(name="valid_from", read=cells.day, needed=False),
            ],
            row=HoursRow,
            key=lambda row: (row.teacher, row.starts),   # may stand in the file only once
            key_column="starts",
        ),
        save=save,
    )

    class UpstairsConfig(AppConfig):
        def ready(self) -> None:
            registry.register(HOURS)

`save` runs inside the import's one transaction, after the ground floor's own files, with
the rows that could be read. It writes as if all went well: when anything was
refused, here or elsewhere, or on a dry run, everything is rolled back. It never raises for a bad
row. The same file again must create and change nothing. Readers of cells: `enrollment.domain.cells`.

With `export=Export(…)` the table can be written to a file too, and the model's admin page offers
both when its class has the mixin `enrollment.admin.sheets.SheetAdmin`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from django.db.models import Model, QuerySet

from enrollment.domain.sheets import Row, Sheet
from enrollment.importing.desk import Counts, Desk


@dataclass(frozen=True, kw_only=True)
class Export:
    """rows: of those that are asked for, the ones a file can hold, in a file's order, with all that
    `values` needs. values: of one of them, by column; the import reads the same back."""

    model: type[Model]
    rows: Callable[[QuerySet[Any]], QuerySet[Any]]
    values: Callable[[Any], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Table(Generic[Row]):
    sheet: Sheet[Row]
    save: Callable[[Sequence[Row], Desk], Counts]
    export: Export | None = None


_tables: dict[str, Table[Any]] = {}


def register(table: Table[Any]) -> None:
    """Registering the same file again replaces it: `ready` may run twice in tests."""
    _tables[table.sheet.file] = table


def _never(app: str) -> bool:
    return False


_is_away: Callable[[str], bool] = _never


def plug_away(is_away: Callable[[str], bool]) -> None:
    """is_away: whether an app's tables are taken away, by its label."""
    global _is_away
    _is_away = is_away


def is_away(table: Table[Any]) -> bool:
    """Its rows can neither be read nor written now."""
    return table.export is not None and _is_away(table.export.model._meta.app_label)


def registered() -> tuple[Table[Any], ...]:
    return tuple(_tables.values())
