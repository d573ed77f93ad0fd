from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from rollback.health.views import PROBES


class Probes:
    """First in MIDDLEWARE: what machines ask passes none of the others.

    So it needs no host name (they ask by address), no TLS, no session; nobody is counted, logged,
    remembered or turned away; and nothing that is broken further in can make a process look dead.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = PROBES.get(request.path_info)
        return self.get_response(request) if probe is None else probe(request)
