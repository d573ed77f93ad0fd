"""One line for each request and task, and its id in every line that is logged meanwhile.

Nobody is named: of a person only the hundredth of the school that the switch counts them among. An
address is told without what may be a key or somebody's name in it, and without what stands after its
question mark.
"""

import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from rollback import registry, switchboard
from rollback.domain.shares import Subject, bucket_of
from rollback.doors.addresses import shown_path
from rollback.doors.middleware import feature_behind, is_visitor

log = structlog.get_logger(__name__)
stdlib_log = logging.getLogger(__name__)

HEADER = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")


class RequestLog:
    """After what answers for files, before everything else of ours."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        number = id_of(request)
        started = time.perf_counter()
        with bound(request=number):
            response = self.get_response(request)
            taken = (time.perf_counter() - started) * 1000
            # Not asked of what is never written: the facts cost more than the rest.
            if stdlib_log.isEnabledFor(logging.INFO):
                log.info("request", **facts(request, response), ms=round(taken, 1))
        response.headers[HEADER] = number
        return response


@contextmanager
def bound(**known: Any) -> Iterator[None]:
    """For every line until the end of it; also what is bound meanwhile is gone then."""
    before = get_contextvars()
    bind_contextvars(**known)
    try:
        yield
    finally:
        clear_contextvars()
        if before:
            bind_contextvars(**before)


def id_of(request: HttpRequest) -> str:
    """The proxy's, so that its log and ours can be laid beside each other, if it looks like one."""
    given = request.headers.get(HEADER, "")
    return given if SANE.fullmatch(given) else os.urandom(16).hex()


def current_id() -> str | None:
    """Of the request, or of the request that sent the task, in which this is asked."""
    known = get_contextvars().get("request")
    return known if isinstance(known, str) else None


def facts(request: HttpRequest, response: HttpResponse) -> dict[str, Any]:
    """Only what is known by now: nothing is asked of the database for it."""
    match = request.resolver_match
    found: dict[str, Any] = {
        "method": request.method,
        "path": shown_path(request.path, match),
        "status": response.status_code,
    }
    snapshot = switchboard.board.snapshot()
    feature = feature_behind(request, match) if match else None
    if feature is not None:
        found["feature"] = feature.name
        if (state := snapshot.flags.get(feature.flag)) is not None:
            found["share"] = 0 if state.killed else state.share / 100
    if (subject := known_subject(request)) is not None and subject.key:
        found["on"] = [one.name for one in registry.features() if snapshot.is_on(one.flag, subject)]
        found["bucket"] = bucket_of(snapshot.salt, subject.key) // 100
    return found


def known_subject(request: HttpRequest) -> Subject | None:
    """Whoever has logged in is known once somebody has asked; nobody is asked for here."""
    kept: tuple[Any, Subject] | None = getattr(request, "_subject", None)
    if kept is not None:
        return kept[1]
    if hasattr(request, "_cached_user") or is_visitor(request):
        return switchboard.subject_of(request)
    return None
