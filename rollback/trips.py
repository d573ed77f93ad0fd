"""This process's own kill bit: it has lost the database, so whatever is a feature is off in it.

A few failed connections in a row of seconds trip it, whoever made them: the switchboard's watch, which
tries all the time and so needs no traffic, or a page. Off at once; on again by the snapshot when the
database has answered for STEADY seconds without another failure. Each trip is a row (`LocalTrip`), written
on the watch's connection as soon as there is one again, and never twice.

Times are of time.monotonic(); to the database ages are told, for this machine's clock may be wrong.
"""

import math
import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog
from django.conf import settings

from rollback.domain.errors import without_rows

log = structlog.get_logger(__name__)

WITHIN = 10.0  # seconds, in which so many connections failed (DATABASE_FAILURES)
# Longer than the evaluator's tick: a rollback for everybody is decided before anybody has it again.
STEADY = 15.0
# After a failure of the watch pages need not try for themselves; it tries more often than that.
FAILING = 4.0
PATIENCE = 5.0  # for an answer, while nobody else in this process gets one either
LONGEST = 30.0  # the same where there is no watch, which would know
LOCK = "200ms"

TELL = """
SET LOCAL lock_timeout = %(lock)s;
INSERT INTO rollback_localtrip (uuid, number, kind, host, pid, failures, tripped_at, back_at)
VALUES (%(uuid)s, %(number)s, %(kind)s, %(host)s, %(pid)s, %(failures)s,
        clock_timestamp() - %(tripped)s * interval '1 second',
        clock_timestamp() - %(back)s * interval '1 second')
ON CONFLICT ON CONSTRAINT local_trip_once DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Trip:
    number: int
    failures: int
    tripped_at: float
    back_at: float


@dataclass(slots=True)
class _Now:
    """number: of the trips so far. failures: since it tripped, and those that did it."""

    failed_at: deque[float] = field(default_factory=deque)
    number: int = 0
    failures: int = 0
    tripped_at: float = 0.0
    back_at: float | None = None  # of this trip: the first connection after it
    steady_since: float | None = None
    watch_failed_at: float = -math.inf
    answered_at: float = -math.inf
    untold: list[Trip] = field(default_factory=list)
    has_complained: bool = False


# Read by every check of a flag: a plain name of the module, and no lock.
_tripped = False
_now = _Now()
_lock = threading.Lock()


def is_tripped() -> bool:
    return _tripped


def failed(*, by_watch: bool = False) -> None:
    """A connection could not be made, or was lost in use. by_watch: by the thread that tries on."""
    global _tripped
    at = time.monotonic()
    with _lock:
        if by_watch:
            _now.watch_failed_at = at
        _now.steady_since = None
        _now.failed_at.append(at)
        while at - _now.failed_at[0] > WITHIN:
            _now.failed_at.popleft()
        _now.failures += 1
        if _tripped or len(_now.failed_at) < settings.DATABASE_FAILURES:
            return
        _now.number += 1
        _now.failures, _now.tripped_at, _now.back_at = len(_now.failed_at), at, None
        _tripped = True
    log.error("trips.tripped", failures=_now.failures, number=_now.number)


def connected(*, by_watch: bool = False) -> None:
    """The database has answered. Called by the watch with each of its readings."""
    global _tripped
    at = time.monotonic()
    with _lock:
        if by_watch:
            _now.answered_at, _now.watch_failed_at = at, -math.inf
        if not _tripped:
            return
        if _now.back_at is None:
            _now.back_at = at
            _now.untold.append(Trip(_now.number, _now.failures, _now.tripped_at, at))
        if _now.steady_since is None:
            _now.steady_since = at
        if at - _now.steady_since < STEADY:
            return
        _now.failed_at.clear()
        _tripped = False
    log.warning("trips.back", number=_now.number)


def is_lost() -> bool:
    """Whoever wants a connection now would only wait: it has tripped, and the watch fails, too."""
    return _tripped and time.monotonic() - _now.watch_failed_at < FAILING


def gives_up(began_at: float) -> bool:
    """Whether somebody who waits for an answer since then waits in vain.

    A statement that only takes long is waited for as long as the watch gets answers meanwhile.
    """
    waited = time.monotonic() - began_at
    if _now.answered_at == -math.inf:
        return waited > LONGEST
    return waited > PATIENCE and _now.answered_at < began_at


def tell(connection: psycopg.Connection[Any], who: Mapping[str, Any]) -> None:
    """Write the trips down that nobody has written yet. who: this process, as it is listed.

    :raises psycopg.Error: only when the connection is lost.
    """
    for trip in list(_now.untold):
        at = time.monotonic()
        facts = {
            "number": trip.number,
            "failures": trip.failures,
            "tripped": at - trip.tripped_at,
            "back": at - trip.back_at,
        }
        try:
            psycopg.ClientCursor(connection).execute(TELL, {"lock": LOCK, **who, **facts})
        except psycopg.Error as error:
            _not_told(connection, error)
            return
        # Told twice, where two threads were at it, it is one row.
        with suppress(ValueError):
            _now.untold.remove(trip)
        _now.has_complained = False


def _not_told(connection: psycopg.Connection[Any], error: psycopg.Error) -> None:
    """Tried again with the next reading; said once."""
    if connection.broken:
        raise error
    if not _now.has_complained:
        log.warning("trips.not_told", error=without_rows(error))
    _now.has_complained = True


def forget() -> None:
    """A child has its own life, and may have copied the lock in the moment it was held."""
    global _tripped, _now, _lock
    _tripped, _now, _lock = False, _Now(), threading.Lock()


os.register_at_fork(after_in_child=forget)
