"""What rollback plugs into the ground floor: unfinished enrollments are kept there, and come back."""

import structlog
from django.db import transaction
from django.urls import reverse

from enrollment.models import Course, Enrollment, Student
from enrollment.sockets import Beginning
from rollback import drafts
from rollback.doors.words import TURNED_AWAY

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
                    notices=(str(TURNED_AWAY),) if draft.turned_away_at else (),
                    saved_at=draft.saved_at,
                    autosave_url=url,
                )
        except Exception:
            # The door: an unreadable draft must not keep anybody from the original form.
            log.exception("draft.unreadable", student=student.pk, course=course.pk)
            return Beginning()

    def finished(self, *, enrollment: Enrollment) -> None:
        try:
            with transaction.atomic():
                drafts.finish(enrollment=enrollment)
        except Exception:
            # The door: the enrollment is what counts; the draft is found again by its age.
            log.exception("draft.not_finished", enrollment=enrollment.pk)
