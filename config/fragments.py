"""Pages that htmx brings up to date in parts. Nothing here knows which: a view asks `request.htmx`."""

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django_htmx.middleware import HtmxMiddleware

PART = "HX-Request"
NO_CONTENT = 204


class Fragments(HtmxMiddleware):
    """Outside whatever may lead elsewhere: doors, logins, a slash that was forgotten.

    A redirect is the page's. The browser would follow it by itself, and the page it leads to would
    be put into the middle of the one that asked; told as HX-Redirect it is gone to.
    """

    async_capable = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = cast(HttpResponse, super().__call__(request))
        # Or the browser, going back, would show the part it keeps under the page's address.
        patch_vary_headers(response, (PART,))
        if request.headers.get(PART) == "true" and response.has_header("Location"):
            _lead_the_page(response)
        return response


def _lead_the_page(response: HttpResponse) -> None:
    """Changed, not replaced: the cookies with the messages for the next page stay on it."""
    response.headers["HX-Redirect"] = response.headers["Location"]
    del response.headers["Location"]
    response.status_code = NO_CONTENT
    response.content = b""
