"""Units and progress. A unit is known by its course and title, progress by enrollment and unit."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, time
from difflib import get_close_matches
from typing import Any

from django.db import connection
from django.utils import timezone

from enrollment.domain.cells import as_read
from enrollment.domain.progress import GIVEN_UP
from enrollment.domain.unit_tables import ProgressRow, UnitRow
from enrollment.importing.desk import Counts, Desk
from enrollment.models import CourseUnit, Enrollment, UnitDone
from enrollment.operations.import_school.lessons import enrollments_by_pair
from enrollment.operations.import_school.merge import Merge

FILE = "units.csv"
# (course id, title)
Units = dict[tuple[int, str], CourseUnit]


def save_units(rows: Sequence[UnitRow], desk: Desk) -> Counts:
    _let_nobody_else_write("enrollment_courseunit")
    units, merge = _units(), Merge(CourseUnit)
    last = _last_positions(units)
    for row in rows:
        course = desk.course(row.record)
        if course is None:
            desk.unread[FILE].add(_raw_key(row.course, row.title))
            continue
        found = units.get((course.pk, row.title))
        wanted: dict[str, Any] = {"course_id": course.pk, "title": row.title}
        if row.position is not None or found is None:
            wanted["position"] = row.position or last[course.pk] + 1
            last[course.pk] = max(last[course.pk], wanted["position"])
        merge.take(found, wanted, row.record)
    merge.write()
    return merge.counts


def save_progress(rows: Sequence[ProgressRow], desk: Desk) -> Counts:
    _let_nobody_else_write("enrollment_unitdone")
    enrollments, units = enrollments_by_pair(), _units()
    known = {(one.enrollment_id, one.unit_id): one for one in UnitDone.objects.all()}
    over = set(Enrollment.objects.filter(status__in=GIVEN_UP).values_list("pk", flat=True))
    merge = Merge(UnitDone)
    for row in rows:
        wanted = _wanted(row, enrollments, units, desk)
        if wanted is None:
            continue
        found = known.get((wanted["enrollment_id"], wanted["unit_id"]))
        if found is None and wanted["enrollment_id"] in over:
            hint = "this enrollment was declined or cancelled; nothing is added to it."
            desk.refuse(row.record, "student", hint)
            continue
        if found is None:
            merge.add(UnitDone(**wanted), row.record)
        else:
            merge.change(found, _as_known(found, wanted, row, desk), row.record)
    merge.write()
    return merge.counts


def _let_nobody_else_write(table: str) -> None:
    """Reading stays possible. A tick between our look and our writing would be a database error."""
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")


def _units() -> Units:
    """By the title as a file would have it: somebody may have typed two blanks into a page."""
    units = CourseUnit.objects.all()
    return {(unit.course_id, as_read(unit.title)[0]): unit for unit in units}


def _last_positions(units: Units) -> Counter[int]:
    last = Counter[int]()
    for unit in units.values():
        last[unit.course_id] = max(last[unit.course_id], unit.position)
    return last


def _wanted(
    row: ProgressRow, enrollments: dict[tuple[int, int], int], units: Units, desk: Desk
) -> dict[str, Any] | None:
    """None after reporting all that is not known."""
    student, course = desk.student(row.record), desk.course(row.record)
    teacher = desk.teacher(row.record) if row.teacher else None
    if student is None or course is None or (row.teacher and teacher is None):
        return None
    enrollment = enrollments.get((student.pk, course.pk))
    unit = units.get((course.pk, row.unit))
    if enrollment is None and not desk.may_be_unread(
        "enrollments.csv", f"{row.student} {row.course}"
    ):
        hint = f"is not enrolled in {row.course}; add a line to enrollments.csv."
        desk.refuse(row.record, "student", hint)
    if unit is None and not desk.may_be_unread(FILE, _raw_key(row.course, row.unit)):
        desk.refuse(row.record, "unit", _no_such_unit(row, course.pk, units))
    if enrollment is None or unit is None:
        return None
    return {
        "enrollment_id": enrollment,
        "unit_id": unit.pk,
        "done_at": _noon(row.done_on),
        "by_id": teacher.user_id if teacher else None,
    }


def _no_such_unit(row: ProgressRow, course: int, units: Units) -> str:
    titles = [title for known, title in units if known == course]
    close = get_close_matches(row.unit, titles, n=1)
    guess = f" Did you mean {close[0]}?" if close else ""
    return f"is no unit of {row.course}, neither in units.csv nor in the school.{guess}"


def _as_known(
    found: UnitDone, wanted: dict[str, Any], row: ProgressRow, desk: Desk
) -> dict[str, Any]:
    """The file knows days and teachers: a known tick of that day keeps its hour, and whoever of the
    office noted it, whom no file could name, is not taken away by an empty cell."""
    school = timezone.get_default_timezone()
    if timezone.localdate(found.done_at, school) == row.done_on:
        wanted["done_at"] = found.done_at
    is_of_office = found.by_id not in {teacher.user_id for teacher in desk.teachers.values()}
    if not row.record.has("teacher") or (is_of_office and not row.teacher):
        wanted["by_id"] = found.by_id
    return wanted


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), tzinfo=timezone.get_default_timezone())


def _raw_key(course: str, title: str) -> str:
    return f"{course} {title}"
