"""Addresses as they may be written down: without what may be a key or somebody's name.

Read by the logging before any model is: nothing here may import one.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from django.urls import Resolver404, ResolverMatch, resolve

# Texts in an address that name neither a person nor a key, by the name that urls.py gives them.
PLAIN = frozenset({"app_label", "code", "course"})
SLUG = re.compile(r"[A-Za-z0-9_-]{1,60}")
NUMBER_OR_DATE = re.compile(r"\d{1,18}|\d{4}-\d\d-\d\d")
FIRST_PART = re.compile(r"/([a-z][a-z-]{0,20})(/|$)")
PAGE_ELSEWHERE = re.compile(r"(https?://[^/\s]+)/\S*")
HIDDEN = "…"


def shown_path(path: str, match: ResolverMatch | None = None) -> str:
    """`path` without its texts, but for those that are known to be neither a key nor about a person.

    Of an address that leads nowhere only the first part is known to be ours: the rest may be a key
    with a letter too many.
    """
    if match is None:
        return f"/{first[1]}/{HIDDEN}" if (first := FIRST_PART.match(path)) else f"/{HIDDEN}"
    for name, value in _texts(match):
        plain = name in PLAIN and SLUG.fullmatch(value)
        if not plain and not NUMBER_OR_DATE.fullmatch(value):
            path = path.replace(value, HIDDEN)
    return path


def shown_address(path: str) -> str:
    """The same for an address that somebody names."""
    try:
        return shown_path(path, resolve(path))
    except Resolver404:
        return shown_path(path)


def _texts(match: ResolverMatch) -> Iterator[tuple[str, str]]:
    """The longest first: a short one may be part of it."""
    # As they stand in the address; Django's types do not know it yet.
    captured: Mapping[str, Any] = getattr(match, "captured_kwargs", None) or {}
    named = [(name, value) for name, value in captured.items() if isinstance(value, str) and value]
    unnamed = [("", value) for value in match.args if isinstance(value, str) and value]
    yield from sorted([*named, *unnamed], key=lambda one: -len(one[1]))


class WithoutKeys(logging.Filter):
    """On Django's own loggers of requests, which write the address as it was asked, and on the handler
    for whoever else names a request.

    Of `django.request` below 500 our own line says all of it already. Above, the traceback is wanted.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if not isinstance(request, HttpRequest):
            return True
        if record.name != "django.request":
            _hide(record, request)
            return True
        status = getattr(record, "status_code", HTTPStatus.INTERNAL_SERVER_ERROR)
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return False
        shown = shown_path(request.path, request.resolver_match)
        record.msg, record.args = f"{HTTPStatus(status).phrase}: {shown}", ()
        return True


def _hide(record: logging.LogRecord, request: HttpRequest) -> None:
    """The request's own address, and whatever follows the host in any other (a Referer, say)."""
    words = PAGE_ELSEWHERE.sub(rf"\1/{HIDDEN}", record.getMessage())
    shown = shown_path(request.path, request.resolver_match)
    for path in (request.path, request.path.encode("unicode_escape").decode("ascii")):
        if len(path) > 1:
            words = words.replace(path, shown)
    record.msg, record.args = words, ()
