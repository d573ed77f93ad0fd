"""The door where the database is lost: a page that needs nothing but memory, and gives back what was sent.

No session, no user, no query; the language is the browser's. Pages that need no database go on as ever.
"""

import sys
from collections.abc import Callable, Iterator
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseBase, RawPostDataException
from django.http.multipartparser import MultiPartParserError
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from enrollment.api import problems
from rollback import trips
from rollback.database.base import answers_expected, is_lost
from rollback.domain.errors import without_rows
from rollback.doors import banner
from rollback.doors.addresses import shown_path

log = structlog.get_logger(__name__)

RETRY_AFTER = 10  # seconds
MOST_GIVEN_BACK = 1_000_000  # characters
Fields = list[tuple[str, str]]


class LostDatabase:
    """Stands outside of whatever asks the database: no page waits for one that hangs for long."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with answers_expected(trips.gives_up):
            return self.get_response(request)


def broken(request: HttpRequest) -> HttpResponseBase:
    """Django's handler500: it is asked about whatever a view or a middleware raised."""
    error = sys.exc_info()[1]
    if error is None or not any(map(is_lost, _chain(error))):
        return problems.broken(request)
    path = shown_path(request.path, request.resolver_match)
    log.warning("page.database_lost", path=path, error=without_rows(error))
    with translation.override(translation.get_language_from_request(request)):
        response = _page(request) if _is_for_people(request) else _problem(request)
    # Once for each page would bury the one line that says it: the switchboard's.
    response._has_been_logged = True  # type: ignore[attr-defined]
    response.headers["Retry-After"] = str(RETRY_AFTER)
    response.headers["Cache-Control"] = "no-store"
    patch_vary_headers(response, ("Accept", "Accept-Language", "Cookie"))
    return response


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """What it came of, too: somebody may have caught the loss and stumbled over what was missing."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _is_for_people(request: HttpRequest) -> bool:
    return not request.path.startswith(problems.API) and request.accepts("text/html")


def _problem(request: HttpRequest) -> HttpResponse:
    detail = _("The school's records cannot be reached at the moment. Please try again soon.")
    return problems.answer(status=HTTPStatus.SERVICE_UNAVAILABLE, detail=detail, path=request.path)


def _page(request: HttpRequest) -> HttpResponse:
    was_sent = request.method == "POST"
    fields = _sent(request) if was_sent else None
    told = {
        "was_sent": was_sent,
        "fields": fields,
        # The script of the form has filled it in when it put the text aside.
        "is_in_browser": bool(fields and dict(fields).get("save_page")),
        "action": request.get_full_path(),
        "back": _page_before(request) if was_sent else request.get_full_path(),
        "notices": banner.for_everybody(),
    }
    return HttpResponse(render_to_string("lost.html", told), status=HTTPStatus.SERVICE_UNAVAILABLE)


def _sent(request: HttpRequest) -> Fields | None:
    """:returns: what can be sent once more from the page itself.

    None: it cannot. A file cannot be given back, and a password is not for the source of a page.
    """
    try:
        posted, files = request.POST, request.FILES
    except (OSError, SuspiciousOperation, MultiPartParserError, RawPostDataException):
        return None
    fields = [(name, value) for name, values in posted.lists() for value in values]
    size = sum(len(name) + len(value) for name, value in fields)
    secret = any("password" in name for name in posted)
    if files or secret or size > MOST_GIVEN_BACK or "csrfmiddlewaretoken" not in posted:
        return None
    return fields


def _page_before(request: HttpRequest) -> str:
    """Where it was typed; an address that only takes what is sent is no page to go back to."""
    before = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(before, allowed_hosts={request.get_host()}):
        parts = urlsplit(before)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path
    return request.get_full_path()
