"""The tables of the ground floor, and whatever floors above have registered."""

from typing import Any

from django.db.models import Model

from enrollment.domain import tables, unit_tables
from enrollment.importing.registry import Export, Table, registered
from enrollment.models import (
    Course,
    CourseUnit,
    Enrollment,
    Lesson,
    Student,
    Teacher,
    UnitDone,
)
from enrollment.operations.import_school.courses import save_courses
from enrollment.operations.import_school.enrollments import save_enrollments
from enrollment.operations.import_school.lessons import save_lessons
from enrollment.operations.import_school.people import People
from enrollment.operations.import_school.progress import save_progress, save_units
from enrollment.queries import sheets


def known_tables() -> tuple[Table[Any], ...]:
    """In the order of what refers to what. Made anew for each import, whose people they remember."""
    people = People()
    return (
        Table(
            sheet=tables.TEACHERS,
            save=people.save_teachers,
            export=Export(model=Teacher, rows=sheets.teacher_rows, values=sheets.teacher_values),
        ),
        Table(
            sheet=tables.STUDENTS,
            save=people.save_students,
            export=Export(model=Student, rows=sheets.student_rows, values=sheets.student_values),
        ),
        Table(
            sheet=tables.COURSES,
            save=save_courses,
            export=Export(model=Course, rows=sheets.course_rows, values=sheets.course_values),
        ),
        Table(
            sheet=unit_tables.UNITS,
            save=save_units,
            export=Export(model=CourseUnit, rows=sheets.unit_rows, values=sheets.unit_values),
        ),
        Table(
            sheet=tables.ENROLLMENTS,
            save=save_enrollments,
            export=Export(
                model=Enrollment, rows=sheets.enrollment_rows, values=sheets.enrollment_values
            ),
        ),
        Table(
            sheet=tables.LESSONS,
            save=save_lessons,
            export=Export(model=Lesson, rows=sheets.lesson_rows, values=sheets.lesson_values),
        ),
        Table(
            sheet=unit_tables.PROGRESS,
            save=save_progress,
            export=Export(model=UnitDone, rows=sheets.progress_rows, values=sheets.progress_values),
        ),
        *registered(),
    )


def table_of(model: type[Model]) -> Table[Any]:
    """:raises LookupError: no table of this model can be exported."""
    for table in known_tables():
        if table.export and table.export.model is model:
            return table
    raise LookupError(model._meta.label)
