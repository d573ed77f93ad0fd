"""Enrollments. At most one live one for a student and course; past ones are told apart by day."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

from django.db.models import Count
from django.utils import timezone

from enrollment.domain.states import (
    ENROLLMENT_STEPS,
    LIVE_ENROLLMENT,
    StepNotAllowed,
    check_step,
)
from enrollment.domain.tables import EnrollmentRow
from enrollment.importing.desk import Counts, Desk
from enrollment.models import Enrollment
from enrollment.operations.import_school.locks import nobody_else_books
from enrollment.operations.import_school.merge import Merge

FILE = "enrollments.csv"


def save_enrollments(rows: Sequence[EnrollmentRow], desk: Desk) -> Counts:
    nobody_else_books()
    known = _known(rows, desk)
    merge = Merge(Enrollment)
    added: dict[str, list[EnrollmentRow]] = defaultdict(list)
    lines: dict[object, int] = {}
    for row in rows:
        wanted = _fields(row, desk)
        if wanted is None:
            desk.unread[FILE].add(f"{row.student} {row.course}")
            continue
        found = _match(row, known[wanted["student_id"], wanted["course_id"]])
        if found is None and not _is_first(row, lines, desk):
            continue
        if not _are_here(row, found, desk):
            continue
        if found is None:
            wanted |= _only_when_new(row, desk)
            if row.is_live:
                added[row.course].append(row)
        elif not _may_step(found, row, desk):
            continue
        elif found.status in LIVE_ENROLLMENT and row.record.has("status") and not row.is_live:
            # It ends by this import; how long the past ones have been over, their lessons say.
            found.ended_at = desk.now
            merge.fields.add("ended_at")
        merge.take(found, wanted, row.record)
    merge.write()
    _check_places(added, desk)
    return merge.counts


def _known(rows: Sequence[EnrollmentRow], desk: Desk) -> dict[tuple[int, int], list[Enrollment]]:
    """By the ids of student and course, oldest first."""
    named = {row.student for row in rows} & desk.students.keys()
    known: dict[tuple[int, int], list[Enrollment]] = defaultdict(list)
    found = Enrollment.objects.filter(student__in=[desk.students[one].pk for one in named])
    for enrollment in found.order_by("created_at", "pk"):
        known[enrollment.student_id, enrollment.course_id].append(enrollment)
    return known


def _match(row: EnrollmentRow, known: list[Enrollment]) -> Enrollment | None:
    """The enrollment a row means, taken out of `known`: no two rows mean the same one."""
    found = _meant(row, known)
    if found is not None:
        known.remove(found)
    return found


def _is_first(row: EnrollmentRow, lines: dict[object, int], desk: Desk) -> bool:
    """Of two equal past rows that the school does not have the second is a slip."""
    past = (row.student, row.course, row.status, row.enrolled_on)
    first = lines.setdefault(past, row.record.line)
    if first == row.record.line or row.is_live:
        return True
    desk.refuse(row.record, "student", f"already stands in line {first}; keep one of the two.")
    return False


def _meant(row: EnrollmentRow, known: Sequence[Enrollment]) -> Enrollment | None:
    """The live one for a live row, else that of the same day, the same status first; a past row
    without a day means the last one of its status, else the live one."""
    live = [one for one in known if one.status in LIVE_ENROLLMENT]
    same = [one for one in known if one.status == row.status]
    if row.is_live and live:
        return live[0]
    if row.enrolled_on is None:
        return None if row.is_live else next(iter(same[::-1] + live), None)
    return next((one for one in [*same, *known] if _day(one) == row.enrolled_on), None)


def _day(enrollment: Enrollment) -> date:
    return timezone.localdate(enrollment.created_at, timezone.get_default_timezone())


def _fields(row: EnrollmentRow, desk: Desk) -> dict[str, Any] | None:
    """None after reporting who or what is not known."""
    student, course = desk.student(row.record), desk.course(row.record)
    teacher = desk.teacher(row.record) if row.teacher else None
    if student is None or course is None or (row.teacher and teacher is None):
        return None
    return {
        "student_id": student.pk,
        "course_id": course.pk,
        "teacher_id": teacher.pk if teacher else None,
        "status": row.status,
        "wished_times": row.wished_times,
        "note": row.note,
        "office_note": row.office_note,
        "payment_reference": row.payment_reference,
    }


def _are_here(row: EnrollmentRow, found: Enrollment | None, desk: Desk) -> bool:
    """What the school has of somebody who was deleted stays."""
    student, teacher = desk.students[row.student], desk.teachers.get(row.teacher)
    if found is None and not desk.may_begin(row.record, "student", student):
        return False
    stays = found is not None and teacher is not None and found.teacher_id == teacher.pk
    return stays or desk.may_begin(row.record, "teacher", teacher)


def _only_when_new(row: EnrollmentRow, desk: Desk) -> dict[str, Any]:
    """Counts as told already: nobody is mailed about what the office has known all along."""
    school = timezone.get_default_timezone()
    day = row.enrolled_on
    created = datetime.combine(day, time(12), tzinfo=school) if day else desk.now
    return {
        "flow": Enrollment.Flow.OFFICE,
        "created_at": created,
        "confirmation_sent_at": created,
    }


def _may_step(found: Enrollment, row: EnrollmentRow, desk: Desk) -> bool:
    if not row.record.has("status"):
        return True
    try:
        check_step(ENROLLMENT_STEPS, before=found.status, after=row.status)
    except StepNotAllowed:
        hint = f"the school has it as {found.status}, and from there it cannot become this."
        desk.refuse(row.record, "status", hint)
        return False
    return True


def _check_places(added: dict[str, list[EnrollmentRow]], desk: Desk) -> None:
    """Reports the rows that brought a course above its places."""
    counted = (
        Enrollment.objects.filter(status__in=LIVE_ENROLLMENT, course__slug__in=list(added))
        .values_list("course__slug")
        .annotate(live=Count("pk"))
        .order_by()
    )
    live = Counter(dict(counted))
    for slug, rows in added.items():
        places = desk.courses[slug].capacity
        excess = max(0, live[slug] - places)
        for row in rows[len(rows) - excess :] if excess else []:
            hint = (
                f"the course has {places} places and they are taken; raise capacity or leave out."
            )
            desk.refuse(row.record, "course", hint)
