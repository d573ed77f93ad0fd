"""The address that calendar programs read. Its token is all they have; no session, no cookie.

Whose it is the door has found out before it asked the switch (`Feature.bearers`).
"""

import time
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from rest_framework.request import Request

from enrollment.api.throttling import STEPS, Nobody, counts
from enrollment.domain.ics import MEDIA_TYPE, as_feed
from scheduling.models import CalendarFeed
from scheduling.operations.feeds import note_reading
from scheduling.queries.feeds import contents_of

HOUR = 3600
# Several devices share an address, and some look every five minutes.
MOST_READINGS = 240
PLAIN = "text/plain; charset=utf-8"


@require_safe
def show(request: HttpRequest, token: str) -> HttpResponse:
    feed: CalendarFeed | None = getattr(request, "bearer", None)
    wait = _must_wait(request, feed)
    if wait:
        words = _("Too many requests. Please try again later.")
        return _refused(HTTPStatus.TOO_MANY_REQUESTS, words, {"Retry-After": str(wait)})
    if feed is None:
        return _refused(HTTPStatus.NOT_FOUND, _("There is no calendar at this address (any more)."))
    with translation.override(feed.language):
        response = _answer(request, feed)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _answer(request: HttpRequest, feed: CalendarFeed) -> HttpResponse:
    now = timezone.now()
    note_reading(feed=feed, now=now)
    contents = contents_of(feed.user, now=now)
    # Weak: the same events, though perhaps not the same moment of writing.
    etag = f'W/"{contents.version}-{feed.language}"'
    response = get_conditional_response(request, etag=etag)
    if not isinstance(response, HttpResponse):
        text = as_feed(contents.events, name=_("Lessons"), zone=contents.zone, now=now)
        response = HttpResponse(text, content_type=f"{MEDIA_TYPE}; charset=utf-8")
        response.headers["Content-Disposition"] = 'inline; filename="lessons.ics"'
    response.headers["ETag"] = etag
    return response


def _must_wait(request: HttpRequest, feed: CalendarFeed | None) -> int:
    """:returns: seconds; 0: it may read. A feed is counted by itself, guesses by where they come from."""
    who = str(feed.pk) if feed else f"unknown-{Nobody().get_ident(Request(request))}"
    now = time.time()
    window = int(now // HOUR)
    ends = float((window + 1) * HOUR)
    key = f"feed-{who}-{window}"
    count = counts.one_more(key, step=MOST_READINGS // STEPS, ends=ends, now=now)
    return max(1, int(ends - now)) if count > MOST_READINGS else 0


def _refused(status: int, words: str, headers: dict[str, str] | None = None) -> HttpResponse:
    response = HttpResponse(words, status=status, content_type=PLAIN, headers=headers or {})
    response.headers["Cache-Control"] = "no-store"
    # Django's log would name the address, and with it the token.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
