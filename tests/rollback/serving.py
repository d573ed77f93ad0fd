"""uvicorn in a thread of the test, and real websockets to it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import create_server
from typing import Any

import uvicorn
from channels.db import database_sync_to_async
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.db import connections
from django.test import Client
from django.urls import path
from websockets.sync.client import ClientConnection, connect

from enrollment.models import User
from enrollment.socket_login import SocketLogin
from rollback.doors.sockets import Changes, FeaturesSocket, SocketDoor


class LetGo:
    """The server's own connections would keep the test's database from being dropped."""

    def __init__(self, *stops: Callable[[], Any]) -> None:
        self.stops = stops

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for stop in self.stops:
            await stop()
        await database_sync_to_async(connections.close_all)()
        await send({"type": "lifespan.shutdown.complete"})


@contextmanager
def served(*stops: Callable[[], Any], **sockets: Any) -> Iterator[str]:
    """uvicorn with the doors as in config/asgi.py. sockets: by the rest of their path, `_` for `/`."""
    changes = Changes()
    routes = {f"ws/{name.replace('_', '/')}/": app for name, app in sockets.items()}
    routes["ws/features/"] = FeaturesSocket(changes)
    router = URLRouter([path(route, app) for route, app in routes.items()])
    inner = SocketLogin(SocketDoor(router, changes), origins=[settings.SITE_URL])
    app = ProtocolTypeRouter({"websocket": inner, "lifespan": LetGo(*stops)})
    serving = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="websockets-sansio"))
    # Bound by us, so that nobody takes the port in between.
    listening = create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serving.run, args=([listening],), daemon=True)
    thread.start()
    try:
        _until(lambda: serving.started)
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        serving.should_exit = True
        thread.join(10)


def _until(true: Callable[[], bool], within: float = 10) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def opened(url: str, user: User | None = None, **options: Any) -> Iterator[ClientConnection]:
    headers = {}
    if user is not None:
        client = Client()
        client.force_login(user)
        headers["Cookie"] = f"{settings.SESSION_COOKIE_NAME}={client.session.session_key}"
    options = {"origin": settings.SITE_URL, "additional_headers": headers, **options}
    with connect(url, proxy=None, **options) as socket:
        yield socket
