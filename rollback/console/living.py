"""A page that brings itself up to date (`room.js`): asked again with the ETag of what it has, it answers with
what is different now, or that nothing is.
"""

from hashlib import blake2b

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.utils.formats import date_format
from django.utils.timezone import localtime


def answer(request: HttpRequest, live: str) -> HttpResponse:
    """304, if the page has it already; when that was known is told either way."""
    etag = etag_of(live)
    same = request.headers.get("If-None-Match") == etag
    response = HttpResponse(status=304) if same else HttpResponse(live)
    response.headers["ETag"] = etag
    response.headers["Room-Time"] = time_now()
    patch_cache_control(response, private=True, no_cache=True)
    return response


def etag_of(live: str) -> str:
    return f'"{blake2b(live.encode(), digest_size=12).hexdigest()}"'


def time_now() -> str:
    return date_format(localtime(), "H:i:s")
