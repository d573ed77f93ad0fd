"""The files the school imports: their columns and rows. docs/import.md describes them.

Those of units and progress stand in unit_tables.py.
"""

from dataclasses import dataclass
from datetime import date, time

from enrollment.domain import cells
from enrollment.domain.sheets import Column, Record, Sheet
from enrollment.domain.states import LIVE_ENROLLMENT, EnrollmentStatus, LessonStatus


@dataclass(frozen=True, kw_only=True)
class PersonRow:
    """zone None: the school's own. language empty: they have not chosen one."""

    record: Record
    email: str
    first_name: str
    last_name: str
    zone: str | None = None
    language: str = ""


@dataclass(frozen=True, kw_only=True)
class TeacherRow(PersonRow):
    display_name: str = ""
    bio: str = ""


@dataclass(frozen=True, kw_only=True)
class CourseRow:
    """slug empty: derived from the title. lesson_minutes, seats, capacity None: the usual."""

    record: Record
    title: str
    slug: str
    description: str
    teachers: tuple[str, ...]
    lesson_minutes: int | None
    seats: int | None
    capacity: int | None
    opens_on: date | None
    closes_on: date | None

    @property
    def key(self) -> str:
        return self.slug or cells.slug_of(self.title)


@dataclass(frozen=True, kw_only=True)
class EnrollmentRow:
    record: Record
    student: str
    course: str
    teacher: str
    status: str
    enrolled_on: date | None
    wished_times: str
    note: str
    office_note: str
    payment_reference: str

    @property
    def is_live(self) -> bool:
        return self.status in LIVE_ENROLLMENT


@dataclass(frozen=True, kw_only=True)
class LessonRow:
    """on, at: the wall clock of `zone`, None: of the teacher. minutes None: the course's."""

    record: Record
    teacher: str
    student: str
    course: str
    on: date
    at: time
    zone: str | None
    minutes: int | None
    status: str


def _enrollment_key(row: EnrollmentRow) -> tuple[object, ...] | None:
    """One live enrollment for a student and course. Past ones are told apart while they are saved:
    somebody may have enrolled and cancelled twice on one day."""
    return (row.student, row.course) if row.is_live else None


def _lesson_key(row: LessonRow) -> tuple[object, ...] | None:
    """A cancelled lesson may stand beside the one that took its time."""
    if row.status == LessonStatus.CANCELLED:
        return None
    return row.teacher, row.student, row.on, row.at, row.at.fold, row.zone


# The database takes any length; a file's cell must fit into Python's csv module.
ANY_LENGTH = 100_000
MOST_PLACES = 2**31 - 1
MOST_SEATS = 100

PERSON_COLUMNS = (
    Column(name="email", read=cells.mail),
    # A login that the office made may have no name yet.
    Column(name="first_name", read=cells.line(150), blank=True, empty=""),
    Column(name="last_name", read=cells.line(150), blank=True, empty=""),
)

LANGUAGE_COLUMN = Column(name="language", read=cells.language, needed=False, empty="")

TEACHERS = Sheet(
    file="teachers.csv",
    columns=(
        *PERSON_COLUMNS,
        Column(name="zone", read=cells.zone),
        Column(name="display_name", read=cells.line(120), needed=False, empty=""),
        Column(name="bio", read=cells.lines(ANY_LENGTH), needed=False, empty=""),
        LANGUAGE_COLUMN,
    ),
    row=TeacherRow,
    key=lambda row: row.email,
    key_column="email",
)

STUDENTS = Sheet(
    file="students.csv",
    columns=(*PERSON_COLUMNS, Column(name="zone", read=cells.zone, needed=False), LANGUAGE_COLUMN),
    row=PersonRow,
    key=lambda row: row.email,
    key_column="email",
)

COURSES = Sheet(
    file="courses.csv",
    columns=(
        Column(name="title", read=cells.line(160)),
        Column(name="slug", read=cells.slug, needed=False, empty=""),
        Column(name="description", read=cells.lines(ANY_LENGTH), needed=False, empty=""),
        Column(name="teachers", read=cells.mails, write=" ".join, needed=False, empty=()),
        Column(name="lesson_minutes", read=cells.whole(5, 480), needed=False),
        Column(name="seats", read=cells.whole(1, MOST_SEATS), needed=False),
        Column(name="capacity", read=cells.whole(0, MOST_PLACES), needed=False),
        Column(name="opens_on", read=cells.day, needed=False),
        Column(name="closes_on", read=cells.day, needed=False),
    ),
    row=CourseRow,
    key=lambda row: row.key,
    key_column="slug",
)

ENROLLMENTS = Sheet(
    file="enrollments.csv",
    columns=(
        Column(name="student", read=cells.mail),
        Column(name="course", read=cells.slug),
        Column(name="teacher", read=cells.mail, needed=False, empty=""),
        Column(
            name="status",
            read=cells.one_of(EnrollmentStatus),
            needed=False,
            empty=str(EnrollmentStatus.CONFIRMED),
        ),
        Column(name="enrolled_on", read=cells.day, needed=False),
        Column(name="wished_times", read=cells.lines(3000), needed=False, empty=""),
        Column(name="note", read=cells.lines(4000), needed=False, empty=""),
        Column(name="office_note", read=cells.lines(ANY_LENGTH), needed=False, empty=""),
        Column(name="payment_reference", read=cells.line(64), needed=False, empty=""),
    ),
    row=EnrollmentRow,
    key=_enrollment_key,
    key_column="student",
)

# A hold belongs to somebody who is filling in a form right now; a file cannot bring one.
LESSON_STATUSES = tuple(status for status in LessonStatus if status != LessonStatus.HELD)

LESSONS = Sheet(
    file="lessons.csv",
    columns=(
        Column(name="teacher", read=cells.mail),
        Column(name="student", read=cells.mail),
        Column(name="course", read=cells.slug),
        Column(name="date", read=cells.day, field="on"),
        Column(name="time", read=cells.wall_clock, write=cells.wall_clock_text, field="at"),
        Column(name="zone", read=cells.zone, needed=False),
        Column(name="minutes", read=cells.whole(5, 480), needed=False),
        Column(
            name="status",
            read=cells.one_of(LESSON_STATUSES),
            needed=False,
            empty=str(LessonStatus.PLANNED),
        ),
    ),
    row=LessonRow,
    key=_lesson_key,
    key_column="date",
)
