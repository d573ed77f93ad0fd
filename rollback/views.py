"""The autosave endpoint. It belongs to no feature, so it answers in both flows and in any phase."""

import structlog
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from enrollment.models import Course
from enrollment.queries.people import student_of
from rollback import drafts
from rollback.domain.answers import MOST_BYTES

log = structlog.get_logger(__name__)


@require_POST
def save_draft(request: HttpRequest, course: str) -> JsonResponse:
    """Answers JSON: {"saved": "14:02"} or {"error": "a sentence"} with 4xx."""
    student = student_of(request.user)
    if student is None:
        return JsonResponse({"error": _("Log in again to have this saved.")}, status=401)
    if int(request.headers.get("Content-Length") or 0) > 4 * MOST_BYTES:
        return JsonResponse({"error": _("This is too long to be saved.")}, status=413)
    found = get_object_or_404(Course, slug=course)
    try:
        draft = drafts.save(
            student=student,
            course=found,
            answers=request.POST.dict(),
            now=timezone.now(),
            saving=_saving(request),
        )
    except drafts.DraftTooLarge as refused:
        return JsonResponse({"error": str(refused)}, status=413)
    except drafts.DraftRefused as refused:
        return JsonResponse({"error": str(refused)}, status=409)
    saved = timezone.localtime(draft.saved_at, drafts.zone_of(student))
    return JsonResponse({"saved": time_format(saved, "H:i")})


def _saving(request: HttpRequest) -> drafts.Saving | None:
    page, count = request.POST.get("save_page", ""), request.POST.get("save_count", "")
    if not page or not count.isdecimal() or len(count) > 9:
        return None
    return drafts.Saving(page=page[:40], count=int(count))
