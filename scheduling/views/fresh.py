"""Parts of a page that an open page asks for again: an ETag, a version, and 304 where nothing changed."""

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers, set_response_etag

# How new the answer is: what was announced as newer is not in there yet.
VERSION = "Calendar-Version"


def answered(request: HttpRequest, response: HttpResponse, *, version: str) -> HttpResponse:
    """version: as `enrollment.known.as_of` said before anything of `response` was read. What it holds
    must be the same each time: no CSRF token, no clock."""
    set_response_etag(response)
    found = get_conditional_response(request, etag=response["ETag"], response=response)
    answer = response if found is None else found
    answer.headers[VERSION] = version
    patch_vary_headers(answer, ["HX-Request"])
    return answer
