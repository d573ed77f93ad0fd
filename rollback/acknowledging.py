"""What this process says of itself in the table of processes: the version it runs, that it lives.

Said on the watch's connection, and always after the snapshot is in place. A word that cannot be
said (table locked, archived, not there yet; a standby that only reads) is left out, after LOCK of
waiting at most, and tried again with the next sign of life.
"""

import os
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import structlog

from rollback.domain.errors import without_rows
from rollback.domain.processes import kind_of

log = structlog.get_logger(__name__)

HEARTBEAT = 2.0  # seconds between two signs of life
LOCK = "20ms"
HUNG = 0.5  # how long leaving waits for a word that is just being said
FORGET = "10 minutes"  # for so long a process that went without a word is named

# Sent as one message and so one transaction, also behind a transaction pooler: the lock's time is
# short, for the next change of a flag waits on this connection.
SAY = """
SET LOCAL lock_timeout = %(lock)s;
INSERT INTO rollback_process AS p
       (uuid, kind, host, pid, started_at, version, reached_at, seen_at, busy)
VALUES (%(uuid)s, %(kind)s, %(host)s, %(pid)s,
        clock_timestamp() - %(age)s * interval '1 second', %(version)s,
        clock_timestamp() - %(reached)s * interval '1 second', clock_timestamp(), %(busy)s::text[])
ON CONFLICT (uuid) DO UPDATE
   SET version = excluded.version, seen_at = excluded.seen_at, busy = excluded.busy,
       reached_at = CASE WHEN p.version = excluded.version THEN p.reached_at
                         ELSE excluded.reached_at END;
DELETE FROM rollback_process WHERE uuid IN (
    SELECT uuid FROM rollback_process
     WHERE seen_at < clock_timestamp() - %(forget)s::interval FOR UPDATE SKIP LOCKED)
"""
LEAVE = """
SET LOCAL lock_timeout = %(lock)s;
DELETE FROM rollback_process WHERE uuid = %(uuid)s
"""


_busy: Counter[str] = Counter()
_counting = threading.Lock()


def begin(flag: str) -> None:
    """This process is in the middle of something of that feature, until `end`. To be called before the
    switch is asked: whoever reads of a process that runs the newest flags and is busy with none of them
    knows that nothing which was let in before goes on.
    """
    with _counting:
        _busy[flag] += 1


def end(flag: str) -> None:
    with _counting:
        _busy[flag] -= 1


@contextmanager
def busy(flag: str) -> Iterator[None]:
    begin(flag)
    try:
        yield
    finally:
        end(flag)


def _busy_with() -> list[str]:
    with _counting:
        return sorted(flag for flag, number in _busy.items() if number > 0)


def forget_busy() -> None:
    """In a child: what the parent was in the middle of is not its own, and the lock may be held."""
    global _counting
    _counting = threading.Lock()
    _busy.clear()


os.register_at_fork(after_in_child=forget_busy)


class Acknowledger:
    """One for each watch. Ages are sent and not times: this machine's clock may be wrong."""

    def __init__(self) -> None:
        self._began_at = time.monotonic()
        self.who = {
            "uuid": uuid4(),
            "kind": kind_of(sys.argv),
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        self._said: int | None = None
        self._said_busy: list[str] = []
        self._next_at = 0.0
        self._lock = threading.Lock()
        self._left = self._complained = False

    @property
    def is_listed(self) -> bool:
        return self._said is not None and not self._left

    def say(self, connection: psycopg.Connection[Any], *, version: int, reached_at: float) -> None:
        """reached_at: as in time.monotonic(). Nothing is sent when there is nothing new to say.

        :raises psycopg.Error: only when the connection is lost.
        """
        now, busy_with = time.monotonic(), _busy_with()
        is_news = version != self._said or busy_with != self._said_busy
        if now < self._next_at and (self._said is None or not is_news):
            return
        self._next_at = now + HEARTBEAT
        ages = {
            "age": now - self._began_at,
            "reached": now - reached_at,
            "version": version,
            "busy": busy_with,
        }
        with self._lock:
            if self._left:
                return
            try:
                _send(connection, SAY, self.who | ages)
            except psycopg.Error as error:
                self._not_said(connection, error)
            else:
                self._said, self._said_busy, self._complained = version, busy_with, False

    def _not_said(self, connection: psycopg.Connection[Any], error: psycopg.Error) -> None:
        """Told once, not with every heartbeat."""
        self._said = None
        if connection.broken:
            raise error
        if not self._complained:
            log.warning("switchboard.not_acknowledged", error=without_rows(error))
        self._complained = True

    def leave(self, connection: psycopg.Connection[Any]) -> None:
        """The row goes, and does not come back. :raises psycopg.Error:"""
        if not self._lock.acquire(timeout=HUNG):
            return
        try:
            self._left = True
            _send(connection, LEAVE, self.who)
        finally:
            self._lock.release()


def _send(connection: psycopg.Connection[Any], words: str, facts: dict[str, Any]) -> None:
    facts = {"lock": LOCK, "forget": FORGET, **facts}
    psycopg.ClientCursor(connection).execute(words, facts)
