"""How often a program may ask. Counted in fixed windows, for all processes together."""

import time
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock
from typing import TYPE_CHECKING, Any

from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

if TYPE_CHECKING:
    from rest_framework.views import APIView

# A process asks the shared count, which is a row in the database, once for so many requests.
STEPS = 20
# What a provider gives to one customer: whoever has one IPv6 address has all of these.
NETWORK = 64
KEPT = 10_000  # keys in memory, before those of past windows are thrown out


class Counts:
    """What this process knows: of each key the shared count, and what it has not told yet."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[str, tuple[int, int, float]] = {}

    def one_more(self, key: str, *, step: int, ends: float, now: float) -> int:
        """:returns: how many it is by now, less at most `step` for every other process."""
        with self._lock:
            self._forget(now)
            shared, own, _ends = self._known.get(key, (0, 0, ends))
            own += 1
            tell = own >= step
            self._known[key] = (shared, 0 if tell else own, ends)
        if not tell:
            return shared + own
        # Outside of the lock: nobody waits for another one's row.
        shared = add(key, own, seconds=ends - now)
        with self._lock:
            _shared, own, ends = self._known.get(key, (0, 0, ends))
            self._known[key] = (shared, own, ends)
        return shared + own

    def clear(self) -> None:
        with self._lock:
            self._known.clear()

    def _forget(self, now: float) -> None:
        if len(self._known) >= KEPT:
            self._known = {key: one for key, one in self._known.items() if one[2] > now}


def add(key: str, count: int, *, seconds: float) -> int:
    """Two processes at the same instant may lose one of their steps; a limit is no ledger."""
    if cache.add(key, count, timeout=seconds + 1):
        return count
    try:
        return cache.incr(key, count)
    except ValueError:  # thrown out in between
        return count


def one_sender(address: str | None) -> str:
    """An IPv4 address, or the network of an IPv6 one; what is no address, as it is."""
    try:
        found = ip_address((address or "").strip())
    except ValueError:
        return address or ""
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((int(found), NETWORK), strict=False))


counts = Counts()


class Throttle(SimpleRateThrottle):
    """REST framework's own keeps a list of times for everybody and writes it with every request."""

    def __init__(self) -> None:
        # The rate is known when the view is.
        self.wait_seconds = 0.0

    def allow_request(self, request: Request, view: "APIView") -> bool:
        return all(self._allow(scope, request) for scope in self.scopes(request, view))

    def scopes(self, request: Request, view: "APIView") -> list[str]:
        own = getattr(view, "throttle_scope", None)
        writes = request.method not in {"GET", "HEAD", "OPTIONS"}
        return ["user", own] if own and writes else ["user"]

    def wait(self) -> float:
        return self.wait_seconds

    def _allow(self, scope: str, request: Request) -> bool:
        self.scope = scope
        most, duration = self.parse_rate(self.get_rate())
        if most is None or duration is None:
            return True
        now = time.time()
        window = int(now // duration)
        ends = float((window + 1) * duration)
        key = f"api-{scope}-{self.who(request)}-{window}"
        count = counts.one_more(key, step=max(1, most // STEPS), ends=ends, now=now)
        self.wait_seconds = ends - now
        return count <= most

    def get_rate(self) -> str | None:
        # Not as it was when this module was read: a test may have its own.
        from rest_framework.settings import api_settings

        rates: dict[str, Any] = api_settings.DEFAULT_THROTTLE_RATES
        rate: str | None = rates.get(str(self.scope))
        return rate

    def who(self, request: Request) -> str:
        user = request.user
        return str(user.pk) if user and user.is_authenticated else self.get_ident(request)

    def get_ident(self, request: Request) -> str:
        return one_sender(super().get_ident(request))


class Nobody(Throttle):
    """Those who are told to log in; by where they come from."""

    def scopes(self, request: Request, view: "APIView") -> list[str]:
        return ["anon"]

    def who(self, request: Request) -> str:
        return self.get_ident(request)
