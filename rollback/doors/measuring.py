"""What the doors tell the watch, once a page has been answered. Nothing in here costs or breaks a page.

A request counts for the feature whose page it is; for each other feature that it used through the
gate, once, and as bad if that was broken; and, on a page of the ground floor that stands for a
feature (`Feature.control`), for each such feature that is off for this person: the control group.
5xx are bad, 4xx are not. Whom the door turned away, and who only asks whether we live, does not count.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from rollback import registry, switchboard, watch
from rollback.domain.metrics import Metric
from rollback.domain.probing import is_probe
from rollback.doors.addresses import shown_path
from rollback.registry import Feature

log = structlog.get_logger(__name__)

API = "/api/"
# Asked by machines, to know whether this one lives; and what open pages ask by themselves.
BY_MACHINES = ("/healthz", "/readyz", "/metrics", "/live/")
# Sent by calendar_live.js.
REFRESH = "X-Refresh"

Uses = dict[str, bool]  # flag -> broken
_uses: ContextVar[Uses | None] = ContextVar("uses", default=None)


@contextmanager
def noting_uses() -> Iterator[Uses]:
    """Of one request, or of one task."""
    uses: Uses = {}
    token = _uses.set(uses)
    try:
        yield uses
    finally:
        _uses.reset(token)


def used(flag: str, *, broken: bool) -> None:
    """One feature on behalf of another, or of the ground floor."""
    uses = _uses.get()
    if uses is None:
        watch.count(Metric.REQUESTS, feature=flag, bad=broken)
    else:
        uses[flag] = broken or uses.get(flag, False)


def count_uses(uses: Mapping[str, bool], *, apart_from: str = "") -> None:
    for flag, broken in uses.items():
        if flag != apart_from:
            watch.count(Metric.REQUESTS, feature=flag, bad=broken)


def answered(
    request: HttpRequest, response: HttpResponse, *, uses: Uses, milliseconds: float
) -> None:
    if is_probe():
        return
    try:
        _count(request, response, uses=uses, milliseconds=milliseconds)
    except Exception:
        # The watch: a page that has been answered must not become an error page by being counted.
        path = shown_path(request.path_info, request.resolver_match)
        log.exception("watch.not_counted", path=path)


def _count(
    request: HttpRequest, response: HttpResponse, *, uses: Uses, milliseconds: float
) -> None:
    bad = response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
    feature: Feature | None = getattr(request, "let_in_to", None)
    is_turned_away = getattr(request, "is_turned_away", False)
    if not is_turned_away and request.path_info.startswith(API):
        watch.count(Metric.API, bad=bad)
    count_uses(uses, apart_from=feature.flag if feature else "")
    if feature is not None:
        watch.count(Metric.REQUESTS, feature=feature.flag, bad=bad or uses.get(feature.flag, False))
        count_load(feature, request, response, on=True, milliseconds=milliseconds)
    elif not is_turned_away and not request.path_info.startswith(BY_MACHINES):
        watch.count(Metric.REQUESTS, bad=bad)
        _count_control(request, response, bad=bad, milliseconds=milliseconds)


def _count_control(
    request: HttpRequest, response: HttpResponse, *, bad: bool, milliseconds: float
) -> None:
    match = request.resolver_match
    standing_for = registry.by_ground_page().get(match.view_name, ()) if match else ()
    for feature in standing_for:
        if _is_known(request) and not switchboard.is_on(feature.flag, request):
            watch.count(Metric.REQUESTS, feature=feature.flag, on=False, bad=bad)
            count_load(feature, request, response, on=False, milliseconds=milliseconds)


def _is_known(request: HttpRequest) -> bool:
    """Who asks has been found out, or is nobody by name. What was broken before that, a lost database
    say, is of no group; and it is not asked again here."""
    return hasattr(request, "_cached_user") or settings.SESSION_COOKIE_NAME not in request.COOKIES


def count_load(
    feature: Feature,
    request: HttpRequest,
    response: HttpResponse,
    *,
    on: bool,
    milliseconds: float,
) -> None:
    if feature.loads and is_load(request, response):
        for metric, limit in feature.loads.items():
            watch.count(metric, feature=feature.flag, on=on, bad=milliseconds > limit)


def is_load(request: HttpRequest, response: HttpResponse) -> bool:
    """A whole page that a person went to; no part of one, no file, nothing that a page asks by itself."""
    return (
        request.method == "GET"
        and response.status_code == HTTPStatus.OK
        and "HX-Request" not in request.headers
        and REFRESH not in request.headers
        and response.headers.get("Content-Type", "").startswith("text/html")
    )
