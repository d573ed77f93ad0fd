"""What everybody may read, whatever is broken: no session, no cookie, no user, and no database of their own.

Answered by the middleware `rollback.public.middleware.StatusPage`; as views they have names.
"""

from collections.abc import Callable
from hashlib import blake2b

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import translation
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import http_date

from rollback.public.status import kept, programs, shown

SECONDS = 15  # for which caches may answer for us
TYPES = {
    "html": "text/html; charset=utf-8",
    "rss": "application/rss+xml; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
    "json": "application/json; charset=utf-8",
}


def status(request: HttpRequest) -> HttpResponse:
    language = _language(request)
    return _answer(request, shown.page_name(language), kind="html", language=language)


def status_rss(request: HttpRequest) -> HttpResponse:
    return _feed(request, "rss")


def status_atom(request: HttpRequest) -> HttpResponse:
    return _feed(request, "atom")


def _feed(request: HttpRequest, kind: str) -> HttpResponse:
    language = _language(request)
    return _answer(request, shown.feed_name(kind, language), kind=kind, language=language)


def status_json(request: HttpRequest) -> HttpResponse:
    return _answer(request, shown.JSON, kind="json", language=settings.LANGUAGE_CODE)


# By the whole path, as `watch_urls` has it.
PAGES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/status/": status,
    "/status/feed.rss": status_rss,
    "/status/feed.atom": status_atom,
    "/status/index.json": status_json,
}


def _language(request: HttpRequest) -> str:
    asked = request.GET.get("lang", "")
    if asked in dict(settings.LANGUAGES):
        return asked
    return translation.get_language_from_request(request)


def _answer(request: HttpRequest, name: str, *, kind: str, language: str) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        return _not_to_be_sent()
    found = kept.get(name)
    with translation.override(language):
        text = _nothing(name) if found is None else _text(found, kind)
    tag = f'"{blake2b(text, digest_size=16).hexdigest()}"'
    made = HttpResponse(text if request.method == "GET" else b"", TYPES[kind])
    made.headers["ETag"], made.headers["Content-Length"] = tag, str(len(text))
    # By the tag alone: within one second a page may change from of now to stale.
    response = get_conditional_response(request, etag=tag, response=made) or made
    _put_headers(request, response, kind=kind)
    if found is not None:
        response.headers["Last-Modified"] = http_date(int(found.as_of))
    if kind != "json":
        response.headers["Content-Language"] = language
    return response


def _nothing(name: str) -> bytes:
    """None was ever made here, and there is no database."""
    return shown.texts(None, links=shown.our_links())[name].encode()


def _text(found: kept.Kept, kind: str) -> bytes:
    if kind == "html":
        words = shown.stale_words(found.at) if found.is_stale else ""
        return found.text.replace(shown.STALE_MARK.encode(), words.encode(), 1)
    if kind == "json" and found.is_stale:
        return found.text.replace(programs.IS_CURRENT.encode(), programs.IS_NOT.encode(), 1)
    return found.text


def _put_headers(request: HttpRequest, response: HttpResponseBase, *, kind: str) -> None:
    response.headers["Cache-Control"] = f"public, max-age={SECONDS}"
    response.headers["X-Frame-Options"] = "DENY"
    if kind != "html":  # whoever reads it from another site learns nothing but what is public
        response.headers["Access-Control-Allow-Origin"] = "*"
    if kind != "json" and request.GET.get("lang", "") not in dict(settings.LANGUAGES):
        patch_vary_headers(response, ("Accept-Language", "Cookie"))


def _not_to_be_sent() -> HttpResponse:
    return HttpResponse(
        "Only GET.\n", "text/plain; charset=utf-8", 405, headers={"Allow": "GET, HEAD"}
    )
