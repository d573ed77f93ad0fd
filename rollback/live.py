"""What an open page asks and tells by itself, whatever is on. Behind no door, and without a trace of who."""

import json
import time
from hashlib import blake2b

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_POST, require_safe

from enrollment.api.throttling import Nobody, counts
from rollback import registry, switchboard, timings, watch
from rollback.domain.timings import MOST_MILLISECONDS

MOST_VALUES = 5
MOST_A_MINUTE = 30  # from one address
# For the watch, which takes features away, each person is one load in so many seconds, whatever they
# send: with a slow telephone or a script one is one. The triggers ask for more bad ones than two people
# can make in all the time that is looked back on.
ONE_LOAD_IN = 300


@require_safe
def features_on(request: HttpRequest) -> HttpResponse:
    """What the features' socket tells, for a page that has none: {"on": ["calendar", …]}."""
    on = switchboard.flags_on(request)
    names = [feature.name for feature in registry.features() if feature.flag in on]
    body = json.dumps({"on": names}).encode()
    etag = f'"{blake2b(body, digest_size=8).hexdigest()}"'
    same = request.headers.get("If-None-Match") == etag
    response = HttpResponse(status=304) if same else HttpResponse(body, "application/json")
    response.headers["ETag"] = etag
    patch_cache_control(response, private=True, no_cache=True)
    return response


@require_POST
def take_timings(request: HttpRequest) -> HttpResponse:
    """How long a page of a feature took in a browser: `feature`, and `ms` as often as it measured.
    `load`: which of these was the whole page.

    Anybody may send anything here, so it is clipped, limited and never taken for more than it is.
    """
    feature = registry.by_name().get(request.POST.get("feature", ""))
    values = [_milliseconds(text) for text in request.POST.getlist("ms")]
    load = _milliseconds(request.POST.get("load", "0"))
    if feature is None or not values or None in (*values, load) or len(values) > MOST_VALUES:
        return HttpResponse(status=400)
    if _too_many(request):
        return HttpResponse(status=429)
    for value in values:
        if value is not None:
            timings.record(feature=feature.flag, kind=timings.BROWSER, milliseconds=value)
    if load and feature.browser_loads:
        _count_load(request, feature, milliseconds=load)
    return HttpResponse(status=204)


def _count_load(request: HttpRequest, feature: registry.Feature, *, milliseconds: float) -> None:
    """Only of people we know and who have the feature: nobody else can have seen the page."""
    if not request.user.is_authenticated or not switchboard.is_on(feature.flag, request):
        return
    name = f"loads-{feature.name}-{request.user.pk}"
    if _is_above(1, name, step=1, seconds=ONE_LOAD_IN):
        return
    for metric, limit in feature.browser_loads.items():
        watch.count(metric, feature=feature.flag, bad=milliseconds > limit)


def _too_many(request: HttpRequest) -> bool:
    who = Nobody().get_ident(request)  # type: ignore[arg-type]
    return _is_above(MOST_A_MINUTE, f"timings-{who}", step=MOST_A_MINUTE)


def _is_above(most: int, name: str, *, step: int, seconds: int = 60) -> bool:
    now = time.time()
    window = int(now // seconds)
    ends = float((window + 1) * seconds)
    return counts.one_more(f"{name}-{window}", step=step, ends=ends, now=now) > most


def _milliseconds(text: str) -> float | None:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        return None
    return float(min(int(text), MOST_MILLISECONDS))
