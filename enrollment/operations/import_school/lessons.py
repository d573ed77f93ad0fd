"""Lessons. The natural key is who teaches whom from when; the database's guard is checked first,
so that a clash is a sentence at its row and not a database error."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Q

from enrollment.domain.clashes import Span, clashes
from enrollment.domain.clock import NoSuchTime, instant
from enrollment.domain.states import (
    LESSON_STEPS,
    LessonStatus,
    StepNotAllowed,
    check_step,
)
from enrollment.domain.tables import LessonRow
from enrollment.importing.desk import Counts, Desk
from enrollment.models import Course, Lesson, Student, Teacher
from enrollment.models.lessons import MOST_BUFFER
from enrollment.operations.import_school.locks import nobody_else_books
from enrollment.operations.import_school.merge import BATCH, Merge
from enrollment.operations.lessons import delete_expired_holds
from enrollment.queries import sheets

Key = tuple[int, int, datetime]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A row with everything in it found: what the lesson shall be.

    buffers: minutes before and after, which only a known lesson has.
    """

    row: LessonRow
    teacher: Teacher
    student: Student
    course: Course
    enrollment_id: int
    starts_at: datetime
    ends_at: datetime
    status: str
    seats: int
    buffers: tuple[int, int] = (0, 0)

    @property
    def key(self) -> Key:
        return self.teacher.pk, self.student.pk, self.starts_at

    @property
    def line(self) -> int:
        return self.row.record.line


def save_lessons(rows: Sequence[LessonRow], desk: Desk) -> Counts:
    nobody_else_books()
    delete_expired_holds(now=desk.now)
    wanted = _resolve(rows, desk)
    if not wanted:
        return Counts()
    known = _known(wanted)
    matched = _match(wanted, known)
    wanted = [_as_agreed(one, matched.get(one.line)) for one in wanted]
    _report_clashes(wanted, _unmatched(known, matched), desk)
    merge = _merge(wanted, matched, desk)
    if not desk.problems:
        _write(merge, desk)
    return merge.counts


def _resolve(rows: Sequence[LessonRow], desk: Desk) -> list[Wanted]:
    enrollments = enrollments_by_pair()
    lines: dict[Key, int] = {}
    found = []
    for row in rows:
        one = _resolve_row(row, enrollments, desk)
        if one is None:
            continue
        # A cancelled lesson may stand beside the one that took its time.
        is_over = row.status == LessonStatus.CANCELLED
        if not is_over and (first := lines.setdefault(one.key, one.line)) != one.line:
            hint = f"already stands in line {first}; keep one of the two."
            desk.refuse(row.record, "time", hint)
        else:
            found.append(one)
    return found


def enrollments_by_pair() -> dict[tuple[int, int], int]:
    """By student and course."""
    found = sheets.meant_enrollments().values_list("student_id", "course_id", "pk")
    return {(student, course): pk for student, course, pk in found}


def _resolve_row(
    row: LessonRow, enrollments: dict[tuple[int, int], int], desk: Desk
) -> Wanted | None:
    """None after reporting all that is wrong with it."""
    teacher, student = desk.teacher(row.record), desk.student(row.record)
    course = desk.course(row.record)
    starts_at = _starts_at(row, teacher, desk)
    if teacher is None or student is None or course is None or starts_at is None:
        return None
    enrollment_id = enrollments.get((student.pk, course.pk))
    if enrollment_id is None:
        if not desk.may_be_unread("enrollments.csv", f"{row.student} {row.course}"):
            hint = f"is not enrolled in {row.course}; add a line to enrollments.csv."
            desk.refuse(row.record, "student", hint)
        return None
    return Wanted(
        row=row,
        teacher=teacher,
        student=student,
        course=course,
        enrollment_id=enrollment_id,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=row.minutes or course.lesson_minutes),
        status=row.status,
        seats=course.seats,
    )


def _starts_at(row: LessonRow, teacher: Teacher | None, desk: Desk) -> datetime | None:
    zone = row.zone or (teacher.zone if teacher else None)
    if zone is None:
        return None
    try:
        return instant(on=row.on, at=row.at, zone=zone)
    except NoSuchTime as error:
        desk.refuse(row.record, "time", f"does not exist on {row.on} in {zone}: {error}")
        return None


def _known(wanted: Sequence[Wanted]) -> list[Lesson]:
    """Every lesson of the people concerned from the first to the last row's time, and those whose
    buffers may reach into it."""
    buffer = timedelta(minutes=MOST_BUFFER)
    span = DateTimeTZRange(
        min(one.starts_at for one in wanted) - buffer, max(one.ends_at for one in wanted) + buffer
    )
    teachers = {one.teacher.pk for one in wanted}
    students = {one.student.pk for one in wanted}
    return list(
        Lesson.objects.filter(
            Q(teacher__in=teachers) | Q(student__in=students), period__overlap=span
        ).order_by("pk")
    )


def _match(wanted: Sequence[Wanted], known: Sequence[Lesson]) -> dict[int, Lesson]:
    """By line, which known lesson a row means: one of the same status first, then one that holds
    before one that was cancelled. No two rows mean the same one."""
    free: dict[Key, list[Lesson]] = defaultdict(list)
    for lesson in sorted(known, key=lambda one: one.status == LessonStatus.CANCELLED):
        if lesson.status != LessonStatus.HELD:
            free[lesson.teacher_id, lesson.student_id, lesson.starts_at].append(lesson)
    matched: dict[int, Lesson] = {}
    for one in wanted:
        found = next((it for it in free[one.key] if it.status == one.status), None)
        if found is not None:
            free[one.key].remove(found)
            matched[one.line] = found
    for one in wanted:
        if one.line not in matched and free[one.key]:
            matched[one.line] = free[one.key].pop(0)
    return matched


def _unmatched(known: Sequence[Lesson], matched: Mapping[int, Lesson]) -> list[Lesson]:
    meant = {lesson.pk for lesson in matched.values()}
    return [lesson for lesson in known if lesson.pk not in meant]


def _as_agreed(one: Wanted, lesson: Lesson | None) -> Wanted:
    """What the file does not say of a known lesson stays: its length, how it stands, for how many
    it is and what is kept free around it."""
    if lesson is None:
        return one
    keeps_length = one.row.minutes is None and one.course.pk == lesson.course_id
    return replace(
        one,
        ends_at=lesson.ends_at if keeps_length else one.ends_at,
        status=one.status if one.row.record.has("status") else lesson.status,
        seats=lesson.seats,
        buffers=(lesson.buffer_before, lesson.buffer_after),
    )


def _merge(wanted: Sequence[Wanted], matched: Mapping[int, Lesson], desk: Desk) -> Merge[Lesson]:
    merge = Merge(Lesson)
    for one in wanted:
        lesson = matched.get(one.line)
        if lesson is None and not _may_begin(one, desk):
            continue
        if lesson is None:
            made = Lesson(**_fields(one), enrollment_id=one.enrollment_id, seats=one.seats)
            merge.add(made, one.row.record)
        elif _may_step(lesson, one, desk):
            fields = _fields(one)
            if one.course.pk != lesson.course_id or lesson.enrollment_id is None:
                fields["enrollment_id"] = one.enrollment_id
            merge.change(lesson, fields, one.row.record)
    return merge


def _may_begin(one: Wanted, desk: Desk) -> bool:
    """What was is history; nothing is to come with somebody who was deleted."""
    record = one.row.record
    return one.status != LessonStatus.PLANNED or (
        desk.may_begin(record, "teacher", one.teacher)
        and desk.may_begin(record, "student", one.student)
    )


def _fields(one: Wanted) -> dict[str, Any]:
    return {
        "teacher_id": one.teacher.pk,
        "student_id": one.student.pk,
        "course_id": one.course.pk,
        "period": DateTimeTZRange(one.starts_at, one.ends_at),
        "local_on": one.row.on,
        "local_start": one.row.at,
        "zone": one.row.zone or one.teacher.zone,
        "status": one.status,
    }


def _may_step(lesson: Lesson, one: Wanted, desk: Desk) -> bool:
    try:
        check_step(LESSON_STEPS, before=lesson.status, after=one.status)
    except StepNotAllowed:
        hint = (
            f"the school has this lesson as {lesson.status}, and from there it cannot become this."
        )
        desk.refuse(one.row.record, "status", hint)
        return False
    return True


def _write(merge: Merge[Lesson], desk: Desk) -> None:
    """What ends comes before what begins in its place. Plain statements cannot deadlock here:
    the table is locked against other writers."""
    if "period" in merge.fields:
        # The guard looks after each row, not after the statement: out of its sight meanwhile.
        pks = [lesson.pk for lesson in merge.changed]
        Lesson.objects.filter(pk__in=pks).update(status=LessonStatus.CANCELLED)
        merge.fields.add("status")
    if merge.changed:
        Lesson.objects.bulk_update(merge.changed, sorted(merge.fields), batch_size=BATCH)
    # In order of teacher and time, or the guard's index takes thirty times as long.
    merge.new.sort(key=lambda lesson: (lesson.teacher_id, lesson.starts_at))
    for first in range(0, len(merge.new), BATCH):
        batch = merge.new[first : first + BATCH]
        Lesson.objects.bulk_create(batch)
        desk.tick(len(batch))


def _report_clashes(wanted: Sequence[Wanted], others: Sequence[Lesson], desk: Desk) -> None:
    standing: list[Wanted | Lesson] = [
        *(one for one in wanted if one.status != LessonStatus.CANCELLED),
        *(lesson for lesson in others if lesson.status != LessonStatus.CANCELLED),
    ]
    for one, other in clashes([span for item in standing for span in _spans(item)]):
        _report_clash(str(one.who).split()[0], one.what, other.what, desk)
    _report_full_groups(standing, desk)


def _spans(item: Wanted | Lesson) -> Iterator[Span[Wanted | Lesson]]:
    """The teacher's with the buffers, as the database guards it; and the student's."""
    if isinstance(item, Wanted):
        (before, after), teacher, student = item.buffers, item.teacher.pk, item.student.pk
    else:
        before, after = item.buffer_before, item.buffer_after
        teacher, student = item.teacher_id, item.student_id
    yield Span(
        who=f"teacher {teacher}",
        start=item.starts_at - timedelta(minutes=before),
        end=item.ends_at + timedelta(minutes=after),
        what=item,
        group=_group(item),
    )
    yield Span(who=f"student {student}", start=item.starts_at, end=item.ends_at, what=item)


def _group(item: Wanted | Lesson) -> tuple[int, int, datetime, datetime] | None:
    """What all who share one lesson have in common."""
    if item.seats == 1:
        return None
    if isinstance(item, Wanted):
        return item.teacher.pk, item.course.pk, item.starts_at, item.ends_at
    return item.teacher_id, item.course_id, item.starts_at, item.ends_at


def _report_full_groups(standing: Sequence[Wanted | Lesson], desk: Desk) -> None:
    """The database knows no "at most so many"."""
    groups: dict[object, list[Wanted | Lesson]] = defaultdict(list)
    for item in standing:
        if (group := _group(item)) is not None:
            groups[group].append(item)
    for items in groups.values():
        seats = max(item.seats for item in items)
        rows = sorted((one for one in items if isinstance(one, Wanted)), key=lambda one: one.line)
        for one in rows[len(rows) - max(0, len(items) - seats) :]:
            hint = f"the lesson is full: {seats} students take part; give it another time."
            desk.refuse(one.row.record, "time", hint)


def _report_clash(who: str, one: Wanted | Lesson, other: Wanted | Lesson, desk: Desk) -> None:
    """At the row of the file; of two rows at the later one."""
    pair = [one, other]
    rows = sorted(
        (item for item in pair if isinstance(item, Wanted)), key=lambda item: item.row.record.line
    )
    if not rows:
        return
    row = rows[-1]
    against = next(item for item in pair if item is not row)
    hint = f"the {who} has another lesson then: {_name(against)}; give one of them another time."
    desk.refuse(row.row.record, "time", hint)


def _name(item: Wanted | Lesson) -> str:
    if isinstance(item, Wanted):
        local = f"{item.row.on} {item.row.at:%H:%M} {item.row.zone or item.teacher.zone}"
        where = f"line {item.row.record.line}"
    else:
        local = f"{item.local_on} {item.local_start:%H:%M} {item.zone}"
        where = "already in the school" if item.status != LessonStatus.HELD else "held just now"
    return f"{item.course}, {local}, {item.student} with {item.teacher} ({where})"
