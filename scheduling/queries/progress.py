"""How far a student has come on the way to an enrollment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from enrollment.models import Course, Lesson, Student, Teacher
from rollback import drafts
from scheduling.domain import choice


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What the draft holds, read as this flow understands it.

    teacher, starts_at: the chosen slot; None when nothing was chosen, or the teacher has left the
    course. hold: the live hold of exactly that slot. notices: sentences about the draft.
    """

    answers: Mapping[str, str]
    saved_at: datetime | None
    teacher: Teacher | None
    starts_at: datetime | None
    hold: Lesson | None
    notices: tuple[str, ...] = ()


NOTHING = Progress(answers={}, saved_at=None, teacher=None, starts_at=None, hold=None)


def progress(*, student: Student, course: Course, now: datetime) -> Progress:
    draft = drafts.open_draft(student=student, course=course)
    if draft is None:
        return NOTHING
    answers: dict[str, str] = dict(draft.answers)
    teacher = _teacher(answers.get("teacher", ""), course=course)
    starts_at = choice.from_text(answers.get("slot", "")) if teacher else None
    hold = None
    if teacher is not None and starts_at is not None:
        hold = live_hold(
            student=student, course=course, teacher=teacher, starts_at=starts_at, now=now
        )
    return Progress(
        answers=answers,
        saved_at=draft.saved_at,
        teacher=teacher,
        starts_at=starts_at,
        hold=hold,
        notices=drafts.notices(draft),
    )


def live_hold(
    *, student: Student, course: Course, teacher: Teacher, starts_at: datetime, now: datetime
) -> Lesson | None:
    """The student's hold of exactly this slot, if it has not run out and is not the office's."""
    return Lesson.objects.filter(
        student=student,
        course=course,
        teacher=teacher,
        period__startswith=starts_at,
        status=Lesson.Status.HELD,
        enrollment__isnull=True,
        expires_at__gt=now,
    ).first()


def _teacher(value: str, *, course: Course) -> Teacher | None:
    # Drafts hold text from anywhere: a number too long for the database is nobody's.
    if not (value.isascii() and value.isdecimal() and len(value) <= 18):
        return None
    return course.teachers.filter(pk=int(value)).first()
