"""Asks every server process again and again, each on a connection of its own, and notes the answers."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

# Long enough that the asking leaves the two cores to those who are asked.
PAUSE = 0.004


@dataclass(frozen=True, slots=True)
class Answer:
    """Times as in time.monotonic(). process: its number, from 0."""

    process: int
    status: int
    sent_at: float
    came_at: float


@dataclass
class Poller:
    """A thread; `answers` only grows, so it may be read while it runs."""

    request: bytes
    connections: Sequence[socket.socket]
    answers: list[Answer] = field(default_factory=list)
    problem: BaseException | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Poller":
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def wait(self, fulfilled: Callable[[list[Answer]], bool], *, since: int, limit: float) -> bool:
        """Looks at the answers from number `since` on. :returns: False when `limit` ran out."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if self.problem is not None:
                raise self.problem
            if fulfilled(self.answers[since:]):
                return True
            time.sleep(0.002)
        return False

    def _run(self) -> None:
        try:
            asyncio.run(self._ask_all())
        except (OSError, ValueError, EOFError) as problem:
            self.problem = problem

    async def _ask_all(self) -> None:
        await asyncio.gather(
            *(self._ask(number, one) for number, one in enumerate(self.connections))
        )

    async def _ask(self, process: int, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        while not self._stop.is_set():
            sent_at = time.monotonic()
            writer.write(self.request)
            status = await _status(reader)
            self.answers.append(Answer(process, status, sent_at, time.monotonic()))
            await asyncio.sleep(PAUSE)
        writer.close()


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    return int(lines[0].split()[1])
