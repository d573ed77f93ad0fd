"""Courses and who teaches them. A course's natural key is its slug."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from enrollment.domain.tables import CourseRow
from enrollment.importing.desk import Counts, Desk, Touched
from enrollment.models import Course
from enrollment.operations.import_school.merge import Merge, counted

FILE = "courses.csv"


def save_courses(rows: Sequence[CourseRow], desk: Desk) -> Counts:
    found = {course.slug: course for course in Course.objects.all()}
    merge = Merge(Course)
    taken = {}
    for row in rows:
        wanted = _fields(row)
        if _check(row, wanted, found.get(row.key), desk):
            taken[row.key] = merge.take(found.get(row.key), wanted, row.record), row
        else:
            desk.unread[FILE].add(row.key)
    merge.write()
    return _with_teachers(merge, list(taken.values()), desk)


def _fields(row: CourseRow) -> dict[str, Any]:
    """An empty cell of a number means the usual, and leaves a known course as it is."""
    names = ("lesson_minutes", "seats", "capacity")
    numbers = {name: getattr(row, name) for name in names}
    return {
        "title": row.title,
        "slug": row.key,
        "description": row.description,
        "opens_on": row.opens_on,
        "closes_on": row.closes_on,
    } | {name: number for name, number in numbers.items() if number is not None}


def _check(row: CourseRow, wanted: dict[str, Any], found: Course | None, desk: Desk) -> bool:
    if not row.key:
        hint = "no address name can be made of this title; add a column slug."
        desk.refuse(row.record, "title", hint)
        return False
    opens, closes = (
        wanted[name] if found is None or row.record.has(name) else getattr(found, name)
        for name in ("opens_on", "closes_on")
    )
    if opens and closes and closes < opens:
        hint = f"lies before the first day, {opens}; it must be that day or later."
        desk.refuse(row.record, "closes_on", hint)
        return False
    return True


def _with_teachers(
    merge: Merge[Course], taken: Sequence[tuple[Course, CourseRow]], desk: Desk
) -> Counts:
    """Makes the courses' teachers those of the file; a row counts as changed by them too."""
    link = Course.teachers.through
    known: dict[int, dict[int, int]] = defaultdict(dict)
    for pk, course_id, teacher_id in link.objects.values_list("pk", "course_id", "teacher_id"):
        known[course_id][teacher_id] = pk
    new, gone = [], []
    changed = {course.pk for course in merge.changed}
    created = {course.pk for course in merge.new}
    for course, row in taken:
        if row.record.has("teachers"):
            wanted = _teachers(row, desk)
            before = known[course.pk]
            new += [link(course_id=course.pk, teacher_id=pk) for pk in wanted if pk not in before]
            gone += [before[pk] for pk in before if pk not in wanted]
            changed |= {course.pk} if set(wanted) != set(before) else set()
    link.objects.filter(pk__in=gone).delete()
    link.objects.bulk_create(new)
    touched = [
        Touched(line=row.record.line, pk=course.pk, is_new=course.pk in created)
        for course, row in taken
        if course.pk in created | changed
    ]
    return counted(touched, of=len(taken))


def _teachers(row: CourseRow, desk: Desk) -> list[int]:
    """Their ids, in the file's order; each unknown one is reported."""
    found = []
    for address in row.teachers:
        teacher = desk.teachers.get(address)
        if teacher is not None and desk.may_begin(row.record, "teachers", teacher):
            found.append(teacher.pk)
        elif teacher is None and not desk.may_be_unread("teachers.csv", address):
            hint = f"{address} is neither in teachers.csv nor in the school; add or correct it."
            desk.refuse(row.record, "teachers", hint)
    return found
