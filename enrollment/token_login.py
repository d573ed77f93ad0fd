"""Programs log in by a token. Before the doors are asked, so that they know whose program it is."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

from enrollment.models import ApiToken, User
from enrollment.operations.tokens import note_use

Found = tuple[User, ApiToken] | None


class TokenLogin:
    """Middleware, before the doors. Only API views: no token opens a page or the office."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> None:
        if not hasattr(getattr(view, "cls", None), "authentication_classes"):
            return
        try:
            found = ApiTokens().find(request)
        except AuthenticationFailed as refused:
            # Said by the view, if its door lets anybody through at all.
            request.found_token = refused  # type: ignore[attr-defined]
            return
        request.found_token = found  # type: ignore[attr-defined]
        if found is not None:
            # The second is what AuthenticationMiddleware would have left.
            request.user = request._cached_user = found[0]  # type: ignore[attr-defined]


class ApiTokens(TokenAuthentication):  # type: ignore[misc]
    """django-rest-knox's, with tokens that can be revoked; asked once for a request."""

    def authenticate(self, request: Any) -> Found:
        found = getattr(request._request, "found_token", None)
        if isinstance(found, AuthenticationFailed):
            raise found
        return found

    def find(self, request: HttpRequest) -> Found:
        """:raises AuthenticationFailed:"""
        found: Found = super().authenticate(request)
        if found is not None:
            note_use(token=found[1], now=timezone.now())
        return found

    def authenticate_credentials(self, token: bytes) -> Any:
        try:
            return super().authenticate_credentials(token)
        except UnicodeDecodeError as error:
            raise AuthenticationFailed from error

    def _cleanup_token(self, auth_token: ApiToken) -> bool:
        """knox deletes what has expired; here it stays as a row, and only does not count."""
        return not auth_token.is_live(now=timezone.now())
