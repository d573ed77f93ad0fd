"""The websockets, for any ASGI server: `uvicorn config.asgi:application`. Pages are WSGI's: faster."""

import asyncio
import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
get_asgi_application()  # sets Django up; what follows needs its models

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import path  # noqa: E402

from enrollment.socket_login import SocketLogin  # noqa: E402
from rollback import switchboard  # noqa: E402
from rollback.doors.sockets import Changes, FeaturesSocket, SocketDoor  # noqa: E402
from scheduling.live.application import CalendarSocket  # noqa: E402


async def say_goodbye(scope: Any, receive: Any, send: Any) -> None:
    """uvicorn ends by the signal that stopped it, past whatever Python does at its end."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await calendar.stop()
    await asyncio.to_thread(switchboard.board.leave)
    await send({"type": "lifespan.shutdown.complete"})


async def nothing_here(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"Only websockets are served here.\n"})


changes, calendar = Changes(), CalendarSocket()
routes: dict[str, Any] = {"ws/features/": FeaturesSocket(changes), "ws/calendar/": calendar}
sockets = URLRouter([path(route, one) for route, one in routes.items()])
application = ProtocolTypeRouter(
    {
        "websocket": SocketLogin(SocketDoor(sockets, changes), origins=[settings.SITE_URL]),
        "http": nothing_here,
        "lifespan": say_goodbye,
    }
)
