"""Keeping what a student has typed. The only room the feature apps may use."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import gettext as _

from enrollment.models import Course, Enrollment, Student, Teacher
from enrollment.operations.enroll import live_enrollment
from enrollment.operations.lessons import one_at_a_time
from rollback import quarantine
from rollback.domain import answers as pure
from rollback.models import EnrollmentDraft

PAGES = 8
# Not whether a reminder was sent: that is being written meanwhile, without the student's lock.
SAVED = ("answers", "answers_version", "heard", "step", "turned_away_at", "saved_at")


class DraftRefused(Exception):
    """Nothing was saved; the message is a sentence for the student."""


class DraftTooLarge(DraftRefused):
    """More than the 64 KB that are kept."""


@dataclass(frozen=True, kw_only=True)
class Saving:
    """Which save of which page this is: they may arrive in another order than they were sent."""

    page: str
    count: int


@transaction.atomic
def save(
    *,
    student: Student,
    course: Course,
    answers: Mapping[str, str],
    now: datetime,
    step: str = "",
    turned_away: bool = False,
    saving: Saving | None = None,
) -> EnrollmentDraft:
    """Merge `answers` into the student's live draft for the course.

    A save that a later one of the same page has overtaken changes nothing.

    :raises DraftRefused:
    """
    # enroll() takes this lock first, too: either the enrollment is seen here, or the draft there.
    # And two tabs that save at once merge one after the other.
    one_at_a_time(student=student)
    if live_enrollment(student=student, course=course):
        raise DraftRefused(_("You are enrolled in this course; there is nothing to be saved."))
    draft = quarantine.open_or_new(student=student, course=course, now=now)
    if saving is not None and not _is_newest(draft, saving):
        return draft
    try:
        draft.answers = pure.merge(draft.answers, pure.from_post(answers))
    except pure.AnswersTooLarge as error:
        raise DraftTooLarge(
            _("This is too long to be saved: at most 64 KB in all. Please shorten the text.")
        ) from error
    draft.answers_version = pure.VERSION
    draft.saved_at = now
    if step:
        # Saved by the new flow itself: it is on again, and the sentence about the update is over.
        draft.step, draft.turned_away_at = step, None
    if turned_away:
        draft.turned_away_at = now
    draft.save(update_fields=SAVED)
    return draft


def _is_newest(draft: EnrollmentDraft, saving: Saving) -> bool:
    """Also notes it. Of the pages that are open at once, the last few are remembered."""
    if saving.count <= draft.heard.get(saving.page, 0):
        return False
    heard = {page: count for page, count in draft.heard.items() if page != saving.page}
    draft.heard = dict([*heard.items(), (saving.page, saving.count)][-PAGES:])
    return True


def open_draft(*, student: Student, course: Course) -> EnrollmentDraft | None:
    """The live draft, read: its answers are text by name, whatever stood in the database."""
    return quarantine.open_draft(student=student, course=course)


def notices(draft: EnrollmentDraft) -> tuple[str, ...]:
    """Sentences for the student on every page that shows the draft."""
    return (str(quarantine.SET_ASIDE),) if draft.follows_unreadable else ()


def finish(*, enrollment: Enrollment) -> None:
    """Called in the transaction that made the enrollment, whichever flow did."""
    quarantine.live().filter(student=enrollment.student, course=enrollment.course).update(
        finished_at=enrollment.created_at, enrollment=enrollment
    )


def for_original_form(draft: EnrollmentDraft) -> dict[str, str]:
    """The draft as initial values of the original form; the slot becomes words."""
    answers: dict[str, str] = dict(draft.answers)
    teacher = _teacher(answers.get("teacher", ""), course=draft.course)
    slot = answers.get("slot", "")
    words = slot_in_words(slot, teacher=teacher, course=draft.course) if slot else ""
    return {
        "teacher": str(teacher.pk) if teacher else "",
        "wished_times": pure.wished_times(answers, words),
        "note": answers.get("note", ""),
    }


def slot_in_words(slot: str, *, teacher: Teacher | None, course: Course) -> str:
    """On the teacher's clock, or the school's; a slot that cannot be read stays as it was typed."""
    zone = ZoneInfo(teacher.zone) if teacher else timezone.get_default_timezone()
    try:
        start = datetime.fromisoformat(slot)
        start.astimezone(zone) + timedelta(days=1)  # the last days of year 9999 have no such
    except (ValueError, OverflowError):
        return slot
    if start.tzinfo is None:
        return slot
    start, end = (
        moment.astimezone(UTC).astimezone(zone)
        for moment in (start, start.astimezone(UTC) + timedelta(minutes=course.lesson_minutes))
    )
    day = date_format(start, "l j F Y")
    times = f"{time_format(start, 'H:i')}–{time_format(end, 'H:i')}"
    with_teacher = f" {_('with')} {teacher}" if teacher else ""
    return f"{day}, {times} ({zone.key}){with_teacher}"


def zone_of(student: Student) -> ZoneInfo:
    return ZoneInfo(student.zone)


def _teacher(value: str, *, course: Course) -> Teacher | None:
    if not value.isdecimal() or len(value) > 18:
        return None
    return course.teachers.filter(pk=int(value)).first()
