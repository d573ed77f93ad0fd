"""A lesson to put into one's own calendar."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from enrollment.domain.ics import CANCEL, MEDIA_TYPE, PUBLISH, as_file
from enrollment.queries.ics import events_of, lesson_of


@never_cache
@require_safe
@login_required
def lesson_file(request: HttpRequest, lesson: int) -> HttpResponse:
    """For whoever takes or gives it. A cancelled one is a file that takes it away again."""
    assert request.user.is_authenticated
    found = lesson_of(request.user, pk=lesson)
    if found is None:
        raise Http404
    events = events_of([found], user=request.user)
    method = CANCEL if events[0].cancelled else PUBLISH
    text = as_file(events, method=method, organizer=settings.DEFAULT_FROM_EMAIL, now=timezone.now())
    headers = {"Content-Disposition": f'attachment; filename="lesson-{found.pk}.ics"'}
    kind = f"{MEDIA_TYPE}; charset=utf-8; method={method}"
    return HttpResponse(text, content_type=kind, headers=headers)
