"""/healthz, /readyz, /watch/alive and /metrics. For machines: no login, no cookie, no language."""

import hmac
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from rollback.health import alive, exported, ready

Address = IPv4Address | IPv6Address
NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
PLAIN = "text/plain; charset=utf-8"


def healthz(request: HttpRequest) -> HttpResponse:
    """The process lives. Nothing else is asked: a database that is away is no reason to restart it."""
    return _only_reading(request) or HttpResponse("ok\n", PLAIN, headers=NO_STORE)


def readyz(request: HttpRequest) -> HttpResponse:
    """503 with the reasons, each with a sentence for whoever is on duty."""
    refused = _only_reading(request)
    if refused is not None:
        return refused
    reasons = ready.answers.reasons()
    said = {"ready": not reasons, "reasons": reasons}
    return JsonResponse(said, status=503 if reasons else 200, headers=NO_STORE)


def watch_alive(request: HttpRequest) -> HttpResponse:
    """For a dead man's switch outside: 200 while the triggers are judged, 503 when nobody does."""
    refused = _only_reading(request)
    if refused is not None:
        return refused
    words, is_alive = alive.answers.answer()
    return HttpResponse(f"{words}\n", PLAIN, status=200 if is_alive else 503, headers=NO_STORE)


def metrics(request: HttpRequest) -> HttpResponse:
    """404 where nobody was named who may read it, 403 for everybody else."""
    refused = _only_reading(request) or _not_for(request)
    return refused or HttpResponse(exported.text(), exported.CONTENT_TYPE, headers=NO_STORE)


# By the whole path, as `watch_urls` and the middleware have it.
PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/watch/alive": watch_alive,
    "/metrics": metrics,
}


def client_of(request: HttpRequest) -> Address | None:
    """Who asks, where PROXIES proxies of ours have each written down who asked them.

    Whatever stands further left was sent along by the asker, and counts for nothing. Without the
    header nobody of ours passed it on, as when Prometheus asks the process itself.
    """
    said = request.META.get("HTTP_X_FORWARDED_FOR")
    if not settings.PROXIES or said is None:
        return _address(request.META.get("REMOTE_ADDR", ""))
    passed_on = said.split(",")
    if len(passed_on) < settings.PROXIES:
        return None
    return _address(passed_on[-settings.PROXIES])


def _address(text: str) -> Address | None:
    try:
        found = ip_address(text.strip())
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _not_for(request: HttpRequest) -> HttpResponse | None:
    token, networks = settings.METRICS_TOKEN, settings.METRICS_ALLOW
    if not token and not networks:
        return _refusal(404, "Not found.")
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    # As bytes: what was sent may be anything. In the same time, however much of it is right.
    same = hmac.compare_digest(given.strip().encode(), token.encode())
    if token and scheme.lower() == "bearer" and same:
        return None
    address = client_of(request)
    if address is not None and any(address in network for network in networks):
        return None
    return _refusal(403, "Send the token, or ask from an address that may read this.")


def _only_reading(request: HttpRequest) -> HttpResponse | None:
    if request.method in ("GET", "HEAD"):
        return None
    return _refusal(405, "Only GET.", Allow="GET, HEAD")


def _refusal(status: int, words: str, **headers: str) -> HttpResponse:
    response = HttpResponse(f"{words}\n", PLAIN, status=status, headers={**NO_STORE, **headers})
    # Django would write a warning each time; whoever asks has the answer.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
