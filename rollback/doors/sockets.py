"""The door of the websockets, and the one socket that every page may open: what is on for me?"""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from django.utils import timezone

from rollback import registry, switchboard, watch
from rollback.domain.metrics import Metric
from rollback.domain.shares import Snapshot, Subject
from rollback.doors import counting

# RFC 6455's registry: Try Again Later.
SWITCHED_OFF_CODE = 1013
LOOK = 0.05  # seconds
END_SECONDS = 2.0
BEAT = 15.0

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Changes:
    """Wakes the sockets of a process when its snapshot is replaced: one look for all of them."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], Snapshot] = {}
        self._looking: asyncio.Task[None] | None = None

    async def since(self, seen: Snapshot) -> None:
        """Returns when the process answers from another snapshot than `seen`."""
        future = asyncio.get_running_loop().create_future()
        self._waiting[future] = seen
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            await future
        finally:
            self._waiting.pop(future, None)

    async def _look(self) -> None:
        while self._waiting:
            now = switchboard.board.snapshot()
            for future, seen in tuple(self._waiting.items()):
                if seen is not now and not future.done():
                    future.set_result(None)
            await asyncio.sleep(LOOK)


class SocketDoor:
    """A socket of a feature is refused while the feature is off, and closed when it goes off.

    `scope["user"]` and `scope["cookies"]` say who is there. Code 1013: come back later.
    """

    def __init__(self, inner: Application, changes: Changes) -> None:
        self.inner = inner
        self.changes = changes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The first question of a process may wait two seconds; not in the event loop.
        await asyncio.to_thread(switchboard.board.start)
        scope["subject"] = subject_of(scope)
        feature = registry.for_socket(scope["path"])
        if feature is None:
            await self.inner(scope, receive, send)
        elif switchboard.is_on(feature.flag, scope["subject"]):
            await self._until_off(feature.flag, scope, receive, send)
        else:
            counting.turned_away(feature=feature.flag, door="socket", now=timezone.now())
            await receive()
            await send({"type": "websocket.accept"})
            await _close(send)

    async def _until_off(self, flag: str, scope: Scope, receive: Receive, send: Send) -> None:
        inner = asyncio.ensure_future(self.inner(scope, receive, send))
        off = asyncio.create_task(self._off(flag, scope["subject"]))
        try:
            await asyncio.wait({inner, off}, return_when=asyncio.FIRST_COMPLETED)
            if not inner.done():
                await _close(send)
                # The server tells the inner application that its socket is gone; it may end in peace.
                await asyncio.wait({inner}, timeout=END_SECONDS)
        finally:
            off.cancel()
            inner.cancel()
        await _counted(inner, flag=flag)

    async def _off(self, flag: str, subject: Subject) -> None:
        while (seen := switchboard.board.snapshot()).is_on(flag, subject):
            await self.changes.since(seen)


async def _counted(inner: asyncio.Future[None], *, flag: str) -> None:
    """A socket is one request of its feature, whenever it ends."""
    try:
        with suppress(asyncio.CancelledError):
            await inner
    except OSError:
        raise  # the other side is gone
    except Exception:
        # The watch: counted, and raised again.
        watch.count(Metric.REQUESTS, feature=flag, bad=True)
        raise
    watch.count(Metric.REQUESTS, feature=flag)


async def _close(send: Send) -> None:
    await send(
        {"type": "websocket.close", "code": SWITCHED_OFF_CODE, "reason": "This feature is off."}
    )


class FeaturesSocket:
    """Tells its person which features are on, at once and whenever that changes. Never gated.

    Each message is JSON: {"on": ["calendar", …]}, names as in the site plan.
    """

    def __init__(self, changes: Changes) -> None:
        self.changes = changes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        telling = asyncio.create_task(self._tell(scope["subject"], send))
        try:
            while (await receive())["type"] != "websocket.disconnect":
                pass  # nothing is expected of the other side
        finally:
            telling.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await telling

    async def _tell(self, subject: Subject, send: Send) -> None:
        told = None
        while True:
            seen = switchboard.board.snapshot()
            on = [one.name for one in registry.features() if seen.is_on(one.flag, subject)]
            if on != told:
                await send({"type": "websocket.send", "text": json.dumps({"on": on})})
                told = on
            try:
                # Not wait_for: until Python 3.12 it may swallow the end of the task.
                async with asyncio.timeout(BEAT):
                    await self.changes.since(seen)
            except TimeoutError:
                told = None  # said again, so that the page knows it would be told


def subject_of(scope: Scope) -> Subject:
    cookie = scope.get("cookies", {}).get(switchboard.VISITOR_COOKIE)
    visitor = switchboard.visitor_from_cookie(cookie) or ""
    return switchboard.subject_of(SimpleNamespace(user=scope["user"], visitor=visitor))
