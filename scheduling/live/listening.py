"""The one connection of a process that LISTENs, and what happens when it is lost."""

import asyncio
import time
from contextlib import suppress
from typing import Any

import psycopg
import structlog
from django.db import connections

from scheduling.domain import changes
from scheduling.live.hub import Hub

log = structlog.get_logger(__name__)

CHANNEL = "calendar_changes"
PULSE = 5.0  # seconds between two questions whether the database is still there
PATIENCE = 3.0  # how long it may take to answer
RETRY = 0.5
END_SECONDS = 2.0
# The first transaction number that nobody had ended when this was asked.
NEXT = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"


class Listener:
    """Begins with the first socket of a process and ends with the process."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._tasks: list[asyncio.Task[None]] = []
        self._heard = asyncio.Event()

    async def start(self) -> None:
        """Waits until something is heard, but not for long: a page can ask by itself meanwhile."""
        if not self._tasks:
            self._heard = asyncio.Event()
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._watch())]
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._heard.wait()

    async def stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            # One that waits for a frozen database does not end by being told to.
            await asyncio.wait(tasks, timeout=END_SECONDS)

    async def _listen(self) -> None:
        while True:
            try:
                async with await connect() as connection:
                    await self._hear(connection)
            except (psycopg.Error, OSError) as error:
                log.warning("calendar.lost", error=str(error))
            self.hub.lose()
            await asyncio.sleep(RETRY)

    async def _hear(self, connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute(f"LISTEN {CHANNEL}")
        while True:
            answer = await (await connection.execute(NEXT)).fetchone()
            self.hub.heard_at = time.monotonic()
            if self.hub.ring is None and answer:
                self.hub.begin(answer[0])
                self._heard.set()
            async for notice in connection.notifies(timeout=PULSE):
                self._tell(notice.payload)

    def _tell(self, payload: str) -> None:
        try:
            self.hub.tell(changes.read(payload))
        except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
            # Anybody who may log in to the database may say anything there.
            log.warning("calendar.not_understood", error=str(error))

    async def _watch(self) -> None:
        """A database that hangs tells nobody so: then we know nothing, and say that."""
        while True:
            await asyncio.sleep(PULSE / 2)
            if time.monotonic() - self.hub.heard_at > PULSE + PATIENCE:
                self.hub.lose()


async def connect() -> psycopg.AsyncConnection[Any]:
    """A connection of our own: autocommit, short timeouts, never the request's."""
    parameters = connections["default"].get_connection_params()
    for ours in ("cursor_factory", "context", "server_side_binding"):
        parameters.pop(ours, None)
    parameters |= {"connect_timeout": 2, "tcp_user_timeout": 3000, "autocommit": True}
    return await psycopg.AsyncConnection.connect(**parameters, application_name="calendar")
