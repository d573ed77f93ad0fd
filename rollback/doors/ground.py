"""What rollback plugs into the ground floor: unfinished enrollments are kept there, and come back; what a
student reads of a lesson is said in the words that the office may have changed."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import structlog
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from enrollment.models import Course, Enrollment, Student
from enrollment.sockets import Beginning, Pair
from rollback import drafts, registry, sessions, switchboard, words
from rollback.doors.why import words_because
from rollback.doors.words import TURNED_AWAY
from rollback.models import EnrollmentDraft
from rollback.outbox.values import school

log = structlog.get_logger(__name__)

# Of the original form.
FIELDS = ("teacher", "wished_times", "note")


class DraftKeeper:
    """The original flow goes on whatever happens in here."""

    def begin(
        self, *, student: Student, course: Course, posted: Mapping[str, str] | None = None
    ) -> Beginning:
        try:
            with transaction.atomic():
                draft = drafts.open_draft(student=student, course=course)
                beginning = _with_draft(draft, posted=posted) if draft else Beginning()
                answers = {**dict.fromkeys(FIELDS, ""), **beginning.answers}
                return replace(
                    beginning,
                    autosave_url=reverse("drafts:save", args=[course.slug]),
                    stamps=drafts.stamps(draft, shown=answers, posted=posted),
                )
        except Exception:
            # The door: an unreadable draft must not keep anybody from the original form.
            log.exception("draft.unreadable", student=student.pk, course=course.pk)
            return Beginning()

    def settle(
        self, *, student: Student, course: Course, posted: Mapping[str, str]
    ) -> Mapping[str, str]:
        try:
            with transaction.atomic():
                return drafts.settle(
                    student=student, course=course, posted=posted, now=timezone.now()
                )
        except drafts.DraftRefused:
            return posted
        except Exception:
            # The door: what was posted can still be enrolled with, as it is.
            log.exception("draft.not_settled", student=student.pk, course=course.pk)
            return posted

    def is_stale(self, *, student: Student, course: Course, posted: Mapping[str, str]) -> bool:
        try:
            with transaction.atomic():
                return drafts.is_stale(student=student, course=course, posted=posted)
        except Exception:
            # The door: an unreadable draft must not keep anybody from enrolling.
            log.exception("draft.unreadable", student=student.pk, course=course.pk)
            return False

    def keep(
        self, *, student: Student, course: Course, answers: Mapping[str, str]
    ) -> Mapping[str, str]:
        try:
            draft = drafts.save(student=student, course=course, answers=answers, now=timezone.now())
            return drafts.refreshed(draft, answers, shown=drafts.for_original_form(draft))
        except drafts.DraftRefused:
            return answers
        except Exception:
            # The door: the form is shown again with everything in it; that it is not saved as
            # well must not turn it into an error page.
            log.exception("draft.not_kept", student=student.pk, course=course.pk)
            return answers

    def finished(self, *, enrollment: Enrollment) -> None:
        try:
            with transaction.atomic():
                drafts.finish(enrollment=enrollment)
        except Exception:
            # The door: the enrollment is what counts, and it refuses every later save.
            log.exception("draft.not_finished", enrollment=enrollment.pk)
        try:
            sessions.finish(enrollment=enrollment)
        except Exception:
            # The watch: the enrollment counts, whether or not it is counted.
            log.exception("session.not_finished", enrollment=enrollment.pk)

    def drafted(self, *, pairs: Collection[Pair]) -> Collection[Pair] | None:
        try:
            with transaction.atomic():
                return drafts.drafted(pairs=pairs)
        except Exception:
            # The door: who cannot be asked says nothing about anybody's hold.
            log.exception("drafts.not_asked")
            return None


def _with_draft(draft: EnrollmentDraft, *, posted: Mapping[str, str] | None) -> Beginning:
    now = timezone.now()
    turned_away = _why_turned_away(draft)
    doubts = drafts.doubts(draft, names=FIELDS, now=now, posted=posted)
    if not any(doubt.name == "wished_times" for doubt in doubts):
        doubts += drafts.slots_as_doubts(draft, now=now)
    return Beginning(
        answers=drafts.for_original_form(draft),
        notices=(*turned_away, *drafts.about_earlier(draft), *drafts.notices(draft, now=now)),
        saved_at=draft.saved_at,
        doubts=doubts,
    )


def _why_turned_away(draft: EnrollmentDraft) -> tuple[str, ...]:
    """Once turned away, and part of the flow with the slots is still off for this student."""
    if draft.turned_away_at is None:
        return ()
    off = [
        feature
        for feature in registry.features()
        if feature.fallback.to_draft and not switchboard.is_on(feature.flag, draft.student.user)
    ]
    # What the last one needs is off as well: its reason is the nearest.
    return (str(words_because(off[-1]) or TURNED_AWAY),) if off else ()


def wording(*, letter: str, language: str, values: Mapping[str, str]) -> str | None:
    """As the letter stands that the office can edit; None: the ground floor is to say it by itself."""
    try:
        with transaction.atomic():
            given = {"school": school(), **values}
            return words.render(letter, language=language, values=given).body
    except Exception:
        # The door: whatever became of the letters, a student is told of their lesson.
        log.exception("letter.not_rendered", letter=letter, language=language)
        return None
