"""A student's own unfinished enrollments, as the student reads about them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from enrollment.domain.states import LIVE_ENROLLMENT
from enrollment.models import Course, Enrollment, Student, Teacher
from enrollment.operations.lessons import give_back_hold, one_at_a_time
from rollback import drafts, quarantine
from rollback.domain.answers import SLOT_IS_IN_WORDS
from rollback.domain.reading import instant
from rollback.models import EnrollmentDraft, NoReminders
from rollback.quarantine import Drafts

# Steps are names that flows have given; of one that is not known here nothing is said.
FURTHEST = {
    "choose": _("You were choosing a time."),
    "details": _("You chose a time; next come the details."),
    "confirm": _("You told us everything; it is only to be confirmed."),
}


@dataclass(frozen=True, kw_only=True)
class Unfinished:
    """teacher: still teaching the course, or None. starts_at: of the chosen lesson."""

    course: Course
    saved_at: datetime
    how_far: str
    teacher: Teacher | None
    starts_at: datetime | None
    wished_times: str
    note: str
    notices: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.teacher or self.starts_at or self.wished_times or self.note)


def has_any(student: Student) -> bool:
    return _unfinished(student).exists()


def unfinished_of(student: Student) -> list[Unfinished]:
    """Newest first."""
    found = quarantine.read_all(
        _unfinished(student).select_related("course", "student__user").order_by("-saved_at")
    )
    teachers = _teachers(found)
    return [_in_words(draft, teachers) for draft in found]


def unfinished_in(course: Course, *, student: Student) -> EnrollmentDraft | None:
    """Without its answers."""
    return _unfinished(student).filter(course=course).first()


def _unfinished(student: Student) -> Drafts:
    """A draft left beside an enrollment is nothing to go on with."""
    enrolled = Enrollment.objects.filter(
        student=student, course=OuterRef("course"), status__in=LIVE_ENROLLMENT
    )
    return quarantine.live().filter(~Exists(enrolled), student=student)


def _in_words(draft: EnrollmentDraft, teachers: dict[tuple[int, str], Teacher]) -> Unfinished:
    answers: dict[str, str] = draft.answers
    slot = "" if SLOT_IS_IN_WORDS in answers else answers.get("slot", "")
    return Unfinished(
        course=draft.course,
        saved_at=draft.saved_at,
        how_far=str(FURTHEST.get(draft.step, "")),
        teacher=teachers.get((draft.course_id, answers.get("teacher", ""))),
        starts_at=instant(slot),
        wished_times=answers.get("wished_times", "").strip(),
        note=answers.get("note", "").strip(),
        notices=drafts.about_earlier(draft),
    )


def _teachers(found: Iterable[EnrollmentDraft]) -> dict[tuple[int, str], Teacher]:
    """Of all these courses at once, by course and by the id as drafts carry it."""
    links = Course.teachers.through.objects.filter(
        course_id__in=[draft.course_id for draft in found]
    ).select_related("teacher")
    return {(link.course_id, str(link.teacher_id)): link.teacher for link in links}


@transaction.atomic
def delete(*, student: Student, course: Course) -> None:
    """The draft with all that was typed, and the time that is held for it."""
    one_at_a_time(student=student)
    quarantine.live().filter(student=student, course=course).delete()
    give_back_hold(student=student, course=course)


# ---------------------------------------------------------------- reminders, wanted or not


def wants_reminders(student: Student) -> bool:
    return not NoReminders.objects.filter(student=student).exists()


def want_reminders(*, student: Student, wanted: bool, now: datetime) -> None:
    if wanted:
        NoReminders.objects.filter(student=student).delete()
    else:
        NoReminders.objects.get_or_create(student=student, defaults={"since": now})
