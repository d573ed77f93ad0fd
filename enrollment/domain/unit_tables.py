"""Two more files the school imports: the units of courses, and who has done which."""

from dataclasses import dataclass
from datetime import date

from enrollment.domain import cells
from enrollment.domain.sheets import Column, Record, Sheet

# As far as the database counts: an exported file must be readable again.
FIRST, LAST = 1, 2**15 - 1


@dataclass(frozen=True, kw_only=True)
class UnitRow:
    """position None: as before; a new unit comes last."""

    record: Record
    course: str
    title: str
    position: int | None

    @property
    def key(self) -> tuple[str, str]:
        return self.course, self.title


@dataclass(frozen=True, kw_only=True)
class ProgressRow:
    """teacher empty: nobody is named."""

    record: Record
    student: str
    course: str
    unit: str
    done_on: date
    teacher: str


UNITS = Sheet(
    file="units.csv",
    columns=(
        Column(name="course", read=cells.slug),
        Column(name="title", read=cells.line(160)),
        Column(name="position", read=cells.whole(FIRST, LAST), needed=False),
    ),
    row=UnitRow,
    key=lambda row: row.key,
    key_column="title",
)

PROGRESS = Sheet(
    file="progress.csv",
    columns=(
        Column(name="student", read=cells.mail),
        Column(name="course", read=cells.slug),
        Column(name="unit", read=cells.line(160)),
        Column(name="done_on", read=cells.day),
        Column(name="teacher", read=cells.mail, needed=False, empty=""),
    ),
    row=ProgressRow,
    key=lambda row: (row.student, row.course, row.unit),
    key_column="unit",
)
