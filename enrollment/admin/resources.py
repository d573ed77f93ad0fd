"""django-import-export's resource, its result and its formats, on top of our own tables: what a file
may hold and how it is saved stands in `enrollment.domain.tables` and `operations.import_school`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export.fields import Field
from import_export.formats.base_formats import Format
from import_export.resources import Resource
from import_export.results import Error, Result, RowResult

from enrollment.domain.sheets import Problem
from enrollment.importing import exporting
from enrollment.importing.desk import Counts
from enrollment.operations.import_school import (
    ImportRefused,
    Preview,
    import_table,
    preview_table,
    table_of,
)
from enrollment.operations.import_school.one_table import Step

log = structlog.get_logger(__name__)

# More would neither be read nor fit on a page; the figures count all.
SHOWN = 100


class Csv(Format):
    """Hands the bytes on as they are: `sheets.parse` finds out about separator and encoding."""

    title = gettext_lazy("CSV, separated by commas")
    delimiter = ","

    def __init__(self, encoding: str | None = None) -> None:
        """encoding: django-import-export names one; nobody asks for it here."""

    def get_title(self) -> Any:
        return self.title

    def create_dataset(self, in_stream: bytes) -> bytes:
        return in_stream

    def export_data(self, dataset: Iterator[str], **kwargs: Any) -> Iterator[str]:
        return dataset

    def get_extension(self) -> str:
        return "csv"

    def get_content_type(self) -> str:
        return "text/csv; charset=utf-8"

    def can_import(self) -> bool:
        return True

    def can_export(self) -> bool:
        return True


class Semicolons(Csv):
    title = gettext_lazy("CSV, separated by semicolons (Excel in German and French)")
    delimiter = ";"


class Tabs(Csv):
    title = gettext_lazy("CSV, separated by tabs")
    delimiter = "\t"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What becomes of a cell. before: None where the row is new."""

    column: str
    before: str | None
    after: str


class LineResult(RowResult):
    """A line of the file. diff: the cells that it fills or changes."""

    def __init__(self, *, number: int, import_type: str, label: str = "", was: str = "") -> None:
        super().__init__()
        self.number = number
        self.import_type = import_type
        self.label = label
        self.was = was


class SheetResult(Result):
    """problems: at most SHOWN of them, of `problem_count`."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: Sequence[Problem] = ()
        self.problem_count = 0
        self.counts = Counts()
        self.left_out = 0

    def refuse(self, problems: Sequence[Problem]) -> None:
        self.problem_count = len(problems)
        self.problems = problems[:SHOWN]
        for problem in self.problems:
            error = Error(ImportRefused([problem]), number=problem.line)
            if problem.line:
                line = LineResult(number=problem.line, import_type=RowResult.IMPORT_TYPE_ERROR)
                line.errors.append(error)
                self.append_row_result(line)
            else:
                self.append_base_error(error)

    def count(self, counts: Counts) -> None:
        self.counts = counts
        self.totals[RowResult.IMPORT_TYPE_NEW] = counts.created
        self.totals[RowResult.IMPORT_TYPE_UPDATE] = counts.changed
        self.totals[RowResult.IMPORT_TYPE_SKIP] = counts.unchanged
        self.total_rows = counts.created + counts.changed + counts.unchanged

    def show(self, preview: Preview, *, named_by: Sequence[str]) -> None:
        """named_by: the columns that say which row it is."""
        self.count(preview.counts)
        self.left_out = preview.counts.created + preview.counts.changed - len(preview.steps)
        for step in preview.steps:
            self.append_row_result(_line(step, named_by))


def _line(step: Step, named_by: Sequence[str]) -> LineResult:
    is_new = step.before is None
    cells = _filled(step.after, named_by) if is_new else _changed(step)
    shown = {cell.column for cell in cells}
    line = LineResult(
        number=step.line,
        import_type=RowResult.IMPORT_TYPE_NEW if is_new else RowResult.IMPORT_TYPE_UPDATE,
        label=" · ".join(step.after[name] for name in named_by if name not in shown),
        # A changed row shows both names among its cells.
        was=step.was if is_new else "",
    )
    line.diff = cells
    return line


def _filled(after: Mapping[str, str], named_by: Sequence[str]) -> list[Cell]:
    rest = {name: text for name, text in after.items() if text and name not in named_by}
    return [Cell(column=name, before=None, after=text) for name, text in rest.items()]


def _changed(step: Step) -> list[Cell]:
    before = step.before or {}
    return [
        Cell(column=name, before=before[name], after=text)
        for name, text in step.after.items()
        if text != before[name]
    ]


class SheetResource(Resource):
    model: type[Model]

    @classmethod
    def get_display_name(cls) -> str:
        return str(cls.model._meta.verbose_name_plural)

    def get_user_visible_fields(self) -> list[Field]:
        return [Field(column_name=column.name) for column in table_of(self.model).sheet.columns]

    def import_data(
        self,
        dataset: bytes,
        dry_run: bool = False,
        *,
        file_name: str = "",
        user: Any = None,
        **kwargs: Any,
    ) -> SheetResult:
        """Either all of it or nothing. Never raises for a bad line: the result says what is wrong."""
        result = SheetResult()
        try:
            if dry_run:
                self._preview(dataset, result)
            else:
                self._import(dataset, result, file_name=file_name, user=user)
        except ImportRefused as refused:
            result.refuse(refused.problems)
        return result

    def _preview(self, data: bytes, result: SheetResult) -> None:
        table = table_of(self.model)
        named_by = [column.name for column in table.sheet.columns if column.needed]
        preview = preview_table(table=table, data=data, now=timezone.now(), most=SHOWN)
        result.show(preview, named_by=named_by)

    def _import(self, data: bytes, result: SheetResult, *, file_name: str, user: Any) -> None:
        table = table_of(self.model)
        with transaction.atomic():
            result.count(import_table(table=table, data=data, now=timezone.now()))
            write_down(self.model, result.counts, file_name=file_name, user=user)

    def export(self, queryset: QuerySet[Any], **kwargs: Any) -> Iterator[str]:
        """The file's lines; `delimiter` among the keywords."""
        return exporting.lines(table_of(self.model), queryset, delimiter=kwargs["delimiter"])


def resource_of(model: type[Model]) -> type[SheetResource]:
    return type(f"{model.__name__}Resource", (SheetResource,), {"model": model})


def write_down(model: type[Model], counts: Counts, *, file_name: str, user: Any) -> None:
    """One entry for the file, in its transaction: thousands of rows are one deed."""
    LogEntry.objects.create(
        user_id=user.pk,
        content_type=ContentType.objects.get_for_model(model),
        object_repr=file_name[:200],
        action_flag=CHANGE,
        change_message=in_words(counts),
    )
    log.info(
        "file imported",
        table=model._meta.label_lower,
        file=file_name,
        user=user.pk,
        created=counts.created,
        changed=counts.changed,
        unchanged=counts.unchanged,
    )


def in_words(counts: Counts) -> str:
    words = _("%(created)d new, %(changed)d changed, %(unchanged)d unchanged")
    return words % {
        "created": counts.created,
        "changed": counts.changed,
        "unchanged": counts.unchanged,
    }


def imports_so_far(model: type[Model], *, most: int = 5) -> QuerySet[LogEntry]:
    """The last ones; an entry for a file has no row of its own."""
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(model), object_id=None
    )
    return entries.select_related("user").order_by("-action_time")[:most]
