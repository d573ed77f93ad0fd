"""Which notices this browser has closed: in a cookie, so without an account and without a query."""

import re

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

COOKIE = "closed_notices"
VERSION = re.compile(r"[imb]\d{1,19}-[0-9a-f]{1,19}", re.ASCII)
# More than are ever shown; a cookie is sent with each request.
MOST = 20
KEPT = 60 * 60 * 24 * 30  # seconds; longer than any notice stands


def closed_by(request: HttpRequest) -> list[str]:
    """The oldest first; whatever else stands in the cookie is not believed."""
    told = request.COOKIES.get(COOKIE, "")[: MOST * 50].split(".")
    return [one for one in told if VERSION.fullmatch(one)][-MOST:]


@require_POST
@never_cache
def close(request: HttpRequest) -> HttpResponse:
    """By the form that stands in each notice; its script posts the same and stays on the page."""
    response = HttpResponseRedirect(_back(request))
    response.status_code = 303
    version = request.POST.get("notice", "")
    if VERSION.fullmatch(version):
        others = [one for one in closed_by(request) if one != version]
        response.set_cookie(
            COOKIE,
            ".".join([*others, version][-MOST:]),
            max_age=KEPT,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return response


def _back(request: HttpRequest) -> str:
    """To the page that it was closed on."""
    address = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return address if is_ours else "/"
