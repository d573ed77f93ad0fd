"""The autosave endpoint. It belongs to no feature, so it answers in both flows and in any phase."""

from dataclasses import asdict

from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from enrollment.models import Course, Student
from enrollment.queries.people import student_of
from enrollment.sockets import Doubt
from rollback import drafts
from rollback.domain.answers import KEPT, MOST_BYTES, read
from rollback.models import EnrollmentDraft


@require_POST
def save_draft(request: HttpRequest, course: str) -> JsonResponse:
    """Answers JSON: {"saved": "14:02", …}, or {"error": "a sentence"} with 4xx.

    With 409 both texts are there for each answer that was changed elsewhere, too: as `conflicts`
    and, ready to be shown, as `html`. The other answers are saved then.
    """
    student = student_of(request.user)
    if student is None:
        return JsonResponse({"error": _("Log in again to have this saved.")}, status=401)
    if int(request.headers.get("Content-Length") or 0) > 4 * MOST_BYTES:
        return JsonResponse({"error": _("This is too long to be saved.")}, status=413)
    found = get_object_or_404(Course, slug=course)
    posted = request.POST.dict()
    try:
        draft = drafts.save(student=student, course=found, answers=posted, now=timezone.now())
    except drafts.DraftTooLarge as refused:
        return JsonResponse({"error": str(refused)}, status=413)
    except drafts.DraftRefused as refused:
        # What a browser had kept until after the enrollment is of no use any more, and no error.
        return JsonResponse({"error": str(refused)}, status=200 if KEPT in posted else 409)
    return _saved(draft, student=student, posted=posted)


def _saved(draft: EnrollmentDraft, *, student: Student, posted: dict[str, str]) -> JsonResponse:
    at = timezone.localtime(draft.saved_at, drafts.zone_of(student))
    answer = {"saved": time_format(at, "H:i"), "version": draft.version}
    if (arrival := draft.arrival) is None:
        # A beacon was faster, or a newer save: only that one's texts are there.
        gone = [
            name for name, text in read(posted).answers.items() if draft.answers.get(name) != text
        ]
        return JsonResponse({**answer, "overtaken": True, "not_taken": gone})
    if not arrival.decided and not arrival.refused and not arrival.left_out:
        return JsonResponse(answer)
    doubts = _doubts(draft, posted)
    body = {
        **answer,
        "not_taken": [*arrival.refused, *arrival.left_out],
        "decided": {name: draft.answers[name] for name in arrival.decided},
        "conflicts": [asdict(doubt) for doubt in doubts],
        "html": render_to_string("includes/doubts.html", {"doubts": doubts}) if doubts else "",
    }
    if not arrival.refused:
        return JsonResponse(body)
    sentence = _("You changed this on another page or device as well. Choose which text is right.")
    return JsonResponse({**body, "error": sentence}, status=409)


def _doubts(draft: EnrollmentDraft, posted: dict[str, str]) -> tuple[Doubt, ...]:
    """For the form that this was typed in, or for the one that was filled from the draft since."""
    typed = read(posted)
    return drafts.doubts(
        draft,
        names=dict.fromkeys([*typed.seen, *typed.answers]),
        now=timezone.now(),
        posted=None if KEPT in posted else posted,
    )
