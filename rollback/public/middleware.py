from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from rollback.public.pages import PAGES


class StatusPage:
    """Before whatever asks the database, a session or a host name; after what puts headers on every page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        page = PAGES.get(request.path_info)
        return self.get_response(request) if page is None else page(request)
