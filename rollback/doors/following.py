"""Who is enrolling, and how far they have come: seen at the door, by what the pages answer."""

from http import HTTPStatus

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from rollback import registry, sessions, switchboard
from rollback.domain.probing import is_probe
from rollback.doors.measuring import REFRESH

log = structlog.get_logger(__name__)

# The form was shown, for the first time or again. A redirect leads to a page that tells by itself.
SHOWN = (HTTPStatus.OK, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)
AUTOSAVE = "drafts:save"
SAVED = (HTTPStatus.OK, HTTPStatus.CONFLICT)


def answered(request: HttpRequest, response: HttpResponse) -> None:
    match = request.resolver_match
    if is_probe() or match is None or "course" not in match.kwargs or REFRESH in request.headers:
        return
    page = registry.flow_pages().get(match.view_name)
    is_step = page is not None and response.status_code in SHOWN
    is_change = match.view_name == AUTOSAVE and response.status_code in SAVED
    if not (is_step or is_change):
        return
    try:
        _follow(request, course=match.kwargs["course"], page=page)
    except Exception:
        # The watch: a page that has been answered must not become an error page by being counted.
        log.exception("sessions.not_followed", page=match.view_name)


def _follow(request: HttpRequest, *, course: str, page: registry.FlowPage | None) -> None:
    """Whom no page has asked for yet is not asked for here: that would be a query."""
    user = getattr(request, "_cached_user", None)
    if user is None or user.pk is None:
        return
    sessions.changed(
        user=user.pk,
        course=course,
        is_on=all(switchboard.is_on(flag, request) for flag in registry.flow_flags()),
        page=page,
        now=timezone.now(),
    )
