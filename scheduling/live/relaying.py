"""Many socket processes and one that LISTENs: the others hear from it, through Redis.

Whoever holds a lock in PostgreSQL relays; when that process dies another takes over. Its pulse carries
the transaction number from which on it passes everything on, so a process that hears a pulse knows
from where it knows all, and a pulse of somebody else says that something may have been lost between.
"""

import asyncio
import json
import time
from typing import Any
from uuid import uuid4

import psycopg
import structlog
from django.conf import settings
from redis.asyncio import Redis
from redis.exceptions import RedisError

from scheduling.live.hub import Hub
from scheduling.live.listening import CHANNEL, NEXT, PATIENCE, RETRY, Listener, connect

log = structlog.get_logger(__name__)

BEAT = 1.0  # seconds
LEAD = "SELECT pg_try_advisory_lock(7161113112553513330)"  # "calendar" in ASCII


class Relayed(Listener):
    def __init__(self, hub: Hub, url: str) -> None:
        super().__init__(hub)
        self._url = url
        # Several schools may share a Redis.
        self._channel = f"{CHANNEL}:{settings.DATABASES['default']['NAME']}"
        self._name = uuid4().hex
        self._heard_from = ""

    async def _listen(self) -> None:
        while True:
            try:
                await self._relay_and_follow()
            except* (psycopg.Error, RedisError, OSError) as errors:
                log.warning("calendar.lost", error=str(errors.exceptions[0]))
            self.hub.lose()
            await asyncio.sleep(RETRY)

    async def _relay_and_follow(self) -> None:
        redis = Redis.from_url(self._url, socket_connect_timeout=PATIENCE)
        async with redis, await connect() as database, asyncio.TaskGroup() as both:
            both.create_task(self._follow(redis))
            both.create_task(self._relay(database, redis))

    async def _relay(self, database: psycopg.AsyncConnection[Any], redis: Redis) -> None:
        while not await _one(database, LEAD):
            await asyncio.sleep(BEAT)
        log.info("calendar.relays")
        await database.execute(f"LISTEN {CHANNEL}")
        while True:
            # First the pulse, then what was told meanwhile: what ends after it is passed on after it.
            pulse = {"from": self._name, "complete_from": await _one(database, NEXT)}
            await redis.publish(self._channel, json.dumps(pulse))
            async for notice in database.notifies(timeout=BEAT):
                await redis.publish(self._channel, notice.payload)

    async def _follow(self, redis: Redis) -> None:
        async with redis.pubsub() as heard:
            await heard.subscribe(self._channel)
            async for message in heard.listen():
                if message["type"] == "message":
                    self._hear_relayed(message["data"])

    def _hear_relayed(self, data: bytes) -> None:
        try:
            payload = data.decode()
            said = json.loads(payload)
            pulse = (str(said["from"]), int(said["complete_from"])) if "from" in said else None
        except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
            log.warning("calendar.not_understood", error=str(error))
            return
        if pulse is None:
            self._tell(payload)
            return
        self.hub.heard_at = time.monotonic()
        name, complete_from = pulse
        if self.hub.ring is None or name != self._heard_from:
            self._heard_from = name
            self.hub.begin(complete_from)
            self._heard.set()


async def _one(database: psycopg.AsyncConnection[Any], query: Any) -> Any:
    row = await (await database.execute(query)).fetchone()
    return row[0] if row else None
