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
from typing import Any
from uuid import uuid4

import psycopg
import structlog

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
       (uuid, kind, host, pid, started_at, version, reached_at, seen_at)
VALUES (%(uuid)s, %(kind)s, %(host)s, %(pid)s,
        clock_timestamp() - %(age)s * interval '1 second', %(version)s,
        clock_timestamp() - %(reached)s * interval '1 second', clock_timestamp())
ON CONFLICT (uuid) DO UPDATE
   SET version = excluded.version, seen_at = excluded.seen_at,
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
        now = time.monotonic()
        if now < self._next_at and (version == self._said or self._said is None):
            return
        self._next_at = now + HEARTBEAT
        ages = {"age": now - self._began_at, "reached": now - reached_at, "version": version}
        with self._lock:
            if self._left:
                return
            try:
                _send(connection, SAY, self.who | ages)
            except psycopg.Error as error:
                self._not_said(connection, error)
            else:
                self._said, self._complained = version, False

    def _not_said(self, connection: psycopg.Connection[Any], error: psycopg.Error) -> None:
        """Told once, not with every heartbeat."""
        self._said = None
        if connection.broken:
            raise error
        if not self._complained:
            log.warning("switchboard.not_acknowledged", error=str(error))
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
