"""What rollback plugs into the ground floor: unfinished enrollments are kept there, and come back."""

from collections.abc import Mapping

import structlog
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from enrollment.models import Course, Enrollment, Student
from enrollment.sockets import Beginning
from rollback import drafts, registry, switchboard
from rollback.doors.words import TURNED_AWAY
from rollback.models import EnrollmentDraft

log = structlog.get_logger(__name__)


class DraftKeeper:
    """The original flow goes on whatever happens in here."""

    def begin(self, *, student: Student, course: Course) -> Beginning:
        try:
            with transaction.atomic():
                draft = drafts.open_draft(student=student, course=course)
                url = reverse("drafts:save", args=[course.slug])
                if draft is None:
                    return Beginning(autosave_url=url)
                return Beginning(
                    answers=drafts.for_original_form(draft),
                    notices=(*_update(draft), *drafts.notices(draft)),
                    saved_at=draft.saved_at,
                    autosave_url=url,
                )
        except Exception:
            # The door: an unreadable draft must not keep anybody from the original form.
            log.exception("draft.unreadable", student=student.pk, course=course.pk)
            return Beginning()

    def keep(self, *, student: Student, course: Course, answers: Mapping[str, str]) -> None:
        try:
            drafts.save(student=student, course=course, answers=answers, now=timezone.now())
        except drafts.DraftRefused:
            return
        except Exception:
            # The door: the form is shown again with everything in it; that it is not saved as
            # well must not turn it into an error page.
            log.exception("draft.not_kept", student=student.pk, course=course.pk)

    def finished(self, *, enrollment: Enrollment) -> None:
        try:
            with transaction.atomic():
                drafts.finish(enrollment=enrollment)
        except Exception:
            # The door: the enrollment is what counts, and it refuses every later save.
            log.exception("draft.not_finished", enrollment=enrollment.pk)


def _update(draft: EnrollmentDraft) -> tuple[str, ...]:
    return (str(TURNED_AWAY),) if is_turned_away(draft) else ()


def is_turned_away(draft: EnrollmentDraft) -> bool:
    """Once turned away, and the flow with the slots is still off for this student."""
    return draft.turned_away_at is not None and not any(
        switchboard.is_on(feature.flag, draft.student.user)
        for feature in registry.features()
        if feature.fallback.to_draft
    )
