"""How far a student has come on the way to an enrollment."""

from dataclasses import dataclass
from datetime import datetime

from enrollment.models import Course, Lesson, Student, Teacher
from rollback import drafts
from rollback.drafts import EnrollmentDraft
from scheduling.domain import choice
from scheduling.queries.availability import free_slots


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What the draft holds, read as this flow understands it.

    teacher, starts_at: the chosen slot; None when nothing was chosen, or the teacher has left the
    course. hold: the live hold of exactly that slot. left: the chosen teacher, who has left; lost:
    the time that was chosen with them.
    """

    draft: EnrollmentDraft | None = None
    teacher: Teacher | None = None
    starts_at: datetime | None = None
    hold: Lesson | None = None
    left: Teacher | None = None
    lost: datetime | None = None

    @property
    def answers(self) -> dict[str, str]:
        return dict(self.draft.answers) if self.draft else {}

    @property
    def saved_at(self) -> datetime | None:
        return self.draft.saved_at if self.draft else None

    @property
    def step(self) -> str:
        return self.draft.step if self.draft else ""

    @property
    def notices(self) -> tuple[str, ...]:
        return drafts.about_earlier(self.draft) if self.draft else ()

    @property
    def waits(self) -> bool:
        """The student has to choose between two texts first."""
        return self.draft is not None and drafts.waits(self.draft)


def progress(*, student: Student, course: Course, now: datetime) -> Progress:
    draft = drafts.open_draft(student=student, course=course)
    if draft is None:
        return Progress()
    chosen = _teacher(draft.answers.get("teacher", ""))
    starts_at = choice.from_text(draft.answers.get("slot", ""))
    if chosen is None or starts_at is None:
        return Progress(draft=draft, teacher=_of(course, chosen))
    if _of(course, chosen) is None:
        return Progress(draft=draft, left=chosen, lost=starts_at)
    hold = live_hold(student=student, course=course, teacher=chosen, starts_at=starts_at, now=now)
    return Progress(draft=draft, teacher=chosen, starts_at=starts_at, hold=hold)


def _of(course: Course, teacher: Teacher | None) -> Teacher | None:
    return teacher if teacher is not None and course.teachers.contains(teacher) else None


def slot_is_free(known: Progress, *, student: Student, course: Course, now: datetime) -> bool:
    """Whether the chosen slot is held for the student, or could still be."""
    if known.teacher is None or known.starts_at is None:
        return False
    return known.hold is not None or bool(
        free_slots(
            teacher=known.teacher,
            course=course,
            now=now,
            student=student,
            only=known.starts_at,
        )
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


def _teacher(value: str) -> Teacher | None:
    # Drafts hold text from anywhere: a number too long for the database is nobody's.
    if not (value.isascii() and value.isdecimal() and len(value) <= 18):
        return None
    return Teacher.objects.filter(pk=int(value)).first()
