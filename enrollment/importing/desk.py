"""What an import has at hand while it saves: who is known, and where to report a bad row."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from enrollment.domain.sheets import Problem, Record
from enrollment.models import Course, Student, Teacher

Known = TypeVar("Known", Teacher, Student, Course)


@dataclass(frozen=True, kw_only=True)
class Touched:
    """The row of the school (its `pk`) that a line of the file made or changed.

    was: the name so far of somebody whom the line gives another one.
    """

    line: int
    pk: int
    is_new: bool
    was: str = ""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """logins_closed: of people who were there, and whose address nobody had confirmed.

    touched: for the preview; a table that leaves it out shows figures only.
    """

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    logins_closed: int = 0
    touched: Sequence[Touched] = field(default=(), compare=False, repr=False)


def _quiet(rows: int) -> None:
    return None


@dataclass
class Desk:
    """now: the import's clock. tick: called with a number of rows that are dealt with.

    unread: for each file the keys of lines that could not be read. Nobody complains again that
    such a teacher, student or course is missing. broken: files that could not be read to the end.

    guarded: a page of the office imports, not whoever runs the machine: the logins of staff and
    superusers keep their names.
    """

    now: datetime
    guarded: bool = False
    tick: Callable[[int], None] = _quiet
    problems: list[Problem] = field(default_factory=list)
    unread: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    broken: set[str] = field(default_factory=set)

    def refuse(self, record: Record, column: str, hint: str) -> None:
        self.problems.append(record.problem(column, hint))

    def may_begin(self, record: Record, column: str, person: Teacher | Student | None) -> bool:
        """False after reporting that nothing new begins with somebody who was deleted."""
        if person is None or person.user.deleted_at is None:
            return True
        self.refuse(record, column, "was deleted; nothing new begins with them.")
        return False

    # Read once, when the first row asks: by then the files before have been saved.
    @cached_property
    def teachers(self) -> dict[str, Teacher]:
        """By mail address in lower case."""
        found = Teacher.objects.select_related("user")
        return {teacher.user.email.lower(): teacher for teacher in found}

    @cached_property
    def students(self) -> dict[str, Student]:
        """By mail address in lower case."""
        found = Student.objects.select_related("user")
        return {student.user.email.lower(): student for student in found}

    @cached_property
    def courses(self) -> dict[str, Course]:
        """By slug."""
        return {course.slug: course for course in Course.objects.all()}

    def teacher(self, record: Record, column: str = "teacher") -> Teacher | None:
        """Who is named in that cell; None after reporting that nobody is."""
        return self._find(self.teachers, record, column, "teachers.csv")

    def student(self, record: Record, column: str = "student") -> Student | None:
        return self._find(self.students, record, column, "students.csv")

    def course(self, record: Record, column: str = "course") -> Course | None:
        return self._find(self.courses, record, column, "courses.csv")

    def _find(
        self, known: dict[str, Known], record: Record, column: str, file: str
    ) -> Known | None:
        text = record.cells.get(column, "")
        key = text if file == "courses.csv" else text.lower()
        found = known.get(key)
        if found is None and not self.may_be_unread(file, key):
            hint = f"is neither in {file} nor in the school; add it or correct this."
            self.refuse(record, column, hint)
        return found

    def may_be_unread(self, file: str, key: str) -> bool:
        return file in self.broken or key in self.unread[file]
