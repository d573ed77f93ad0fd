"""The calendar's websocket. A page says {"since": "<version>", "teachers": [3]}, and is told

{"changes": ["lesson", "hours", "closure"]} what changed there since, at once and from then on; nothing
in it: you have missed nothing, and would be told; {"resync": true}: look again, we do not know what
you have missed; {"deaf": true}: we hear nothing ourselves at the moment, look yourself. It may say
so again when it shows somebody else.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings

from enrollment.queries.people import student_of, teacher_of, teachers_here
from scheduling.domain.changes import Topic, of_student, of_teacher
from scheduling.live import hub
from scheduling.live.hub import NOTHING, Ear, Hub
from scheduling.live.listening import Listener
from scheduling.live.relaying import Relayed

MOST_LETTERS = 2_000
MOST_TEACHERS = 20
MOST_WORDS = 60  # messages that one page may send in all
MOST_OF_ONE = 20  # open pages of one person in one process
HELLO_SECONDS = 10.0
# RFC 6455's registry: Policy Violation, Message Too Big, Try Again Later; from 4000 on our own, as
# HTTP would say it.
POLICY, TOO_BIG, TRY_LATER = 1008, 1009, 1013
BAD, LOGIN, FORBIDDEN, SILENT = 4400, 4401, 4403, 4408

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Refused(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Hello:
    since: int | None
    teachers: frozenset[int]


class CalendarSocket:
    def __init__(self) -> None:
        self.hub = Hub()
        url = settings.CHANNEL_LAYER_URL
        self.listener = Relayed(self.hub, url) if url else Listener(self.hub)
        self._open: Counter[int] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            await self._serve(scope["user"], receive, send)
        except Refused as refused:
            await send({"type": "websocket.close", "code": refused.code, "reason": str(refused)})

    async def stop(self) -> None:
        await self.listener.stop()

    async def _serve(self, user: Any, receive: Receive, send: Send) -> None:
        own = await database_sync_to_async(_own_topics)(user)
        if settings.DATABASE_POOLED:
            raise Refused(TRY_LATER, "Nothing can be heard through a pooler.")
        if self._open[user.pk] >= MOST_OF_ONE:
            raise Refused(POLICY, "Too many open pages.")
        self._open[user.pk] += 1
        try:
            await self.listener.start()
            await self._talk(own, receive, send)
        finally:
            self._open[user.pk] -= 1
            if not self._open[user.pk]:
                del self._open[user.pk]

    async def _talk(self, own: frozenset[Topic], receive: Receive, send: Send) -> None:
        ear = Ear()
        telling: asyncio.Task[None] | None = None
        try:
            for _ in range(MOST_WORDS):
                patience = None if telling else HELLO_SECONDS
                message = await _within(patience, receive)
                if message["type"] == "websocket.disconnect":
                    return
                hello = read(message)
                watched = await database_sync_to_async(_checked)(hello.teachers)
                self.hub.join(ear, topics=own | watched, since=hello.since)
                telling = telling or asyncio.create_task(_tell(ear, send))
            raise Refused(POLICY, "Too many messages.")
        finally:
            self.hub.leave(ear)
            if telling:
                telling.cancel()
                with suppress(asyncio.CancelledError, OSError):
                    await telling


async def _tell(ear: Ear, send: Send) -> None:
    while True:
        message = await ear.next()
        await send({"type": "websocket.send", "text": json.dumps(message)})
        if message != NOTHING:
            await asyncio.sleep(hub.APART)


async def _within(seconds: float | None, receive: Receive) -> Message:
    try:
        async with asyncio.timeout(seconds):
            return await receive()
    except TimeoutError as error:
        raise Refused(SILENT, "Say what you show.") from error


def read(message: Message) -> Hello:
    """:raises Refused: with what is wrong about it."""
    text = message.get("text")
    if text is None:
        raise Refused(BAD, "Text, not bytes.")
    if len(text) > MOST_LETTERS:
        raise Refused(TOO_BIG, f"At most {MOST_LETTERS} letters of JSON.")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(BAD, "This is no JSON.") from error
    if not isinstance(said, dict) or not said.keys() <= {"since", "teachers"}:
        raise Refused(BAD, 'Say {"since": "1234", "teachers": [1, 2]}.')
    since, teachers = said.get("since"), said.get("teachers", [])
    if since is not None and not (
        isinstance(since, str) and since.isascii() and since.isdecimal() and len(since) < 20
    ):
        raise Refused(BAD, "“since” is the version that stood in the page.")
    if not isinstance(teachers, list) or not all(_is_id(one) for one in teachers):
        raise Refused(BAD, "“teachers” are numbers.")
    if len(teachers) > MOST_TEACHERS:
        raise Refused(BAD, f"At most {MOST_TEACHERS} teachers.")
    return Hello(since=None if since is None else int(since), teachers=frozenset(teachers))


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63


def _own_topics(user: Any) -> frozenset[Topic]:
    if not user.is_authenticated:
        raise Refused(LOGIN, "Log in first.")
    student, teacher = student_of(user), teacher_of(user)
    own = {of_student(student.pk)} if student else set()
    if teacher:
        own.add(of_teacher(teacher.pk))
    if not own:
        raise Refused(FORBIDDEN, "The calendar is for students and teachers.")
    return frozenset(own)


def _checked(wanted: frozenset[int]) -> frozenset[Topic]:
    """Whom students can choose, anybody may watch: nothing is told but that something changed."""
    if not wanted:
        return frozenset()
    found = frozenset(teachers_here().filter(pk__in=wanted).values_list("pk", flat=True))
    if found != wanted:
        raise Refused(FORBIDDEN, "There is no such teacher.")
    return frozenset(of_teacher(number) for number in found)
