"""Who opens a websocket: a person by the session's cookie, or a program by its token."""

from collections.abc import Sequence
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.security.websocket import OriginValidator, WebsocketDenier
from django.http import HttpRequest
from rest_framework.exceptions import AuthenticationFailed

from enrollment.token_login import ApiTokens, Found


class SocketLogin:
    """A browser sends its cookie with every site's request, so it must come from one of `origins`.

    A token is sent by nobody without wanting to: a program needs no origin.
    """

    def __init__(self, inner: Any, *, origins: Sequence[str]) -> None:
        self.inner = inner
        self.by_cookie = OriginValidator(AuthMiddlewareStack(inner), origins)
        self.denied = WebsocketDenier()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        token = dict(scope["headers"]).get(b"authorization")
        if token is None:
            return await self.by_cookie(scope, receive, send)
        found = await database_sync_to_async(_found)(token)
        if found is None:
            return await self.denied(scope, receive, send)
        return await self.inner({**scope, "user": found[0], "cookies": {}}, receive, send)


def _found(token: bytes) -> Found:
    request = HttpRequest()
    request.META["HTTP_AUTHORIZATION"] = token.decode("latin-1")
    try:
        return ApiTokens().find(request)
    except AuthenticationFailed:
        return None
