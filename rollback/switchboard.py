"""Is this feature on for this person? Answered from memory, the same in every process.

Each process holds one immutable snapshot of all flags. A thread with a connection of its own
replaces it: woken by NOTIFY within milliseconds, and reading everything again every POLL seconds in
case a notification is lost, a trigger was disabled or the database comes from a backup. A snapshot
whose reading began more than STALE seconds ago, an unknown flag, a lost database: off.
"""

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.util import Finalize
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.core import signing
from django.db import connections, transaction
from django.http import HttpRequest
from django.utils.functional import LazyObject

from rollback import registry, trips
from rollback.acknowledging import Acknowledger
from rollback.database.base import Connection, answers_expected, failed, is_lost
from rollback.domain.errors import without_rows
from rollback.domain.shares import NOBODY, OFF, FlagState, Snapshot, Subject, share_from_percent
from rollback.models import Flag

log = structlog.get_logger(__name__)

CHANNEL = "rollback_flags"
POLL = 1.0
STALE = 5.0
PATIENCE = 2.0  # how long the first question in a process waits for the first reading
RETRY = 0.25
HUNG = 3.0  # longer than the server would let a reading take
# Read by the same thread, on the same connection, after the flags. They raise nothing.
also_read: list[Callable[[psycopg.Connection[Any]], None]] = []
VISITOR_COOKIE = "visitor"
VISITOR_SALT = "rollback.visitor"

# One statement, so that version and flags belong together whatever is written meanwhile. Whose time
# is over drains no more, by the database's clock and without anybody taking the row away: so it ends
# with the next reading, or with a snapshot too old to count.
READ = """
    SELECT s.version, s.salt, f.name, f.percent, f.everyone, f.requires_id, m.name,
           f.staff, f.superusers,
           coalesce(array_agg(u.user_id) FILTER (WHERE u.user_id IS NOT NULL), '{}'),
           ARRAY(SELECT d.user_id FROM rollback_draining d
                  WHERE d.flag_name = f.name AND d.until > statement_timestamp()),
           ARRAY(SELECT DISTINCT app FROM rollback_ledgerentry WHERE back_at IS NULL)
      FROM rollback_switchboard s
      LEFT JOIN rollback_flag f ON true
      LEFT JOIN rollback_flag m ON m.id = f.requires_id
      LEFT JOIN rollback_flag_users u ON u.flag_id = f.id
     GROUP BY s.version, s.salt, f.id, m.name
"""


@dataclass(frozen=True, slots=True)
class _Known:
    """One reading; times as in time.monotonic(), which runs on while a process is frozen.

    Its age counts from the question: a process that slept between the database's answer and
    its own next line must not take the answer for fresh.
    """

    snapshot: Snapshot = OFF
    asked_at: float = -math.inf
    answered_at: float = -math.inf

    def is_overtaken_by(self, other: "_Known") -> bool:
        """Who asked after our answer has seen all that we saw, also when the database was restored
        and its version went back. Of two that asked at once the higher version is the later one.
        """
        if other.asked_at > self.answered_at:
            return True
        return other.snapshot.version >= self.snapshot.version


class Switchboard:
    """One for each process. Reading takes no lock: `_known` is replaced whole."""

    def __init__(self) -> None:
        self._known = _Known()
        self._reached = (0, 0.0)  # the version that was reached last, and when
        self._pinned: Snapshot | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._first = threading.Event()
        self._acknowledger = Acknowledger()

    def snapshot(self) -> Snapshot:
        if self._pinned is not None:
            return self._pinned
        if self._thread is None:
            self.start()
        if trips.is_tripped():
            return OFF
        known = self._known
        if time.monotonic() - known.asked_at > STALE:
            return OFF
        return known.snapshot

    def is_fresh(self) -> bool:
        """Whether the answers are the database's, and not "off" for want of any."""
        self.snapshot()
        return self._pinned is not None or time.monotonic() - self._known.asked_at <= STALE

    def start(self) -> None:
        """A cold process waits for its first reading, but not for ever: then it begins with off."""
        with self._starting:
            if self._thread is not None:
                return
            self._stop, self._first = threading.Event(), threading.Event()
            self._acknowledger = Acknowledger()
            self._thread = threading.Thread(
                target=self._watch,
                args=(self._stop, self._acknowledger),
                name="switchboard",
                daemon=True,
            )
            self._thread.start()
            # Runs where atexit does, and also at the end of a child of multiprocessing.
            Finalize(None, self.leave, exitpriority=0)
            self._first.wait(PATIENCE)

    def stop(self) -> None:
        """Forget everything; the next question starts anew."""
        self._stop.set()
        self._thread = None
        self._known = _Known()
        trips.forget()

    def leave(self) -> None:
        """The process ends: no more in the table of processes, if the database still answers."""
        self._stop.set()
        fresh = time.monotonic() - self._known.asked_at <= STALE
        if not (fresh and self._acknowledger.is_listed):
            return
        try:
            with self._connect() as connection, answers_expected(_hangs):
                self._acknowledger.leave(connection)
        except psycopg.Error as error:
            log.info("switchboard.left_without_a_word", error=without_rows(error))

    def after_fork(self) -> None:
        """A child has no thread, and may have copied a lock in the moment it was held."""
        pinned = self._pinned
        self.__init__()  # type: ignore[misc]
        self._pinned = pinned

    def refresh(self) -> None:
        """Read now: who changed a flag sees the change in the next line."""
        if self._thread is None:
            return
        try:
            with self._connect() as connection:
                self._take(connection)
        except psycopg.Error as error:
            log.warning("switchboard.refresh_failed", error=without_rows(error))

    def wait_for(self, version: int, timeout: float) -> bool:
        """:returns: whether this process reached `version` within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._known.snapshot.version >= version, timeout=timeout
            )

    @contextmanager
    def pinned(self, snapshot: Snapshot) -> Iterator[None]:
        """Answer from `snapshot` alone, whatever the database says. For tests and benchmarks."""
        before, self._pinned = self._pinned, snapshot
        try:
            yield
        finally:
            self._pinned = before

    def _take(self, connection: psycopg.Connection[Any]) -> None:
        asked_at = time.monotonic()
        with answers_expected(_hangs):
            snapshot = read(connection)
        trips.connected(by_watch=True)
        self._accept(_Known(snapshot, asked_at, time.monotonic()))

    def _accept(self, reading: _Known) -> None:
        """A later reading is never replaced by an earlier one, whichever thread was slower."""
        with self._changed:
            if self._known.is_overtaken_by(reading):
                version = reading.snapshot.version
                if version < self._known.snapshot.version:
                    log.warning("switchboard.version_went_back", version=version)
                if version != self._reached[0]:
                    self._reached = (version, reading.answered_at)
                self._known = reading
                self._changed.notify_all()
        self._first.set()

    def _lose(self) -> None:
        """The database is gone. Off now; the version is forgotten, for it may come back older."""
        with self._changed:
            self._known = _Known()
            self._changed.notify_all()
        self._first.set()

    def _watch(self, stop: threading.Event, acknowledger: Acknowledger) -> None:
        while not stop.is_set():
            try:
                with self._connect() as connection:
                    self._listen(connection, stop, acknowledger)
            except psycopg.Error as error:
                if not stop.is_set():
                    log.warning("switchboard.lost", error=without_rows(error))
                    if is_lost(error):
                        failed(by_watch=True)
                    self._lose()
            except Exception:
                # The watch: a thread that dies in silence would freeze every answer at its last
                # value. Off, said aloud, and tried again.
                log.exception("switchboard.broken")
                self._lose()
            stop.wait(RETRY)

    def _listen(
        self, connection: psycopg.Connection[Any], stop: threading.Event, acknowledger: Acknowledger
    ) -> None:
        """Reads with every notification, several at once if they came together, and every POLL."""
        if not settings.DATABASE_POOLED:
            connection.execute(f"LISTEN {CHANNEL}")
        while not stop.is_set():
            self._take(connection)
            version, reached_at = self._reached
            with answers_expected(_hangs):
                acknowledger.say(connection, version=version, reached_at=reached_at)
                trips.tell(connection, acknowledger.who)
                for each in also_read:
                    each(connection)
            for _ in connection.notifies(timeout=POLL, stop_after=1):
                pass
        if acknowledger.is_listed:
            acknowledger.leave(connection)

    def _connect(self) -> psycopg.Connection[Any]:
        """A connection of our own: autocommit, short timeouts, never the request's."""
        parameters = connections["default"].get_connection_params()
        for ours in ("cursor_factory", "context", "server_side_binding"):
            parameters.pop(ours, None)
        parameters |= {"connect_timeout": 2, "tcp_user_timeout": 3000, "autocommit": True}
        connection = Connection.connect(**parameters, application_name="switchboard")
        if not settings.DATABASE_POOLED:  # a pooler would hand these on to somebody else
            # Whoever locks the flags' tables must not make every new process wait.
            with answers_expected(_hangs):
                connection.execute("SET statement_timeout = '2s'")
                connection.execute("SET lock_timeout = '1s'")
        return connection


def _hangs(since: float) -> bool:
    return time.monotonic() - since > HUNG


def read(connection: psycopg.Connection[Any]) -> Snapshot:
    """All flags as they stand in the database now."""
    return _snapshot(connection.execute(READ).fetchall())


def read_here() -> Snapshot:
    """As this transaction sees it, with what it has changed. For whoever works out a change."""
    with connections["default"].cursor() as cursor:
        cursor.execute(READ)
        return _snapshot(cursor.fetchall())


def _snapshot(rows: list[Any]) -> Snapshot:
    if not rows:
        return OFF
    version, salt = rows[0][0], rows[0][1]
    flags = {
        name: FlagState(
            name=name,
            share=share_from_percent(percent),
            killed=everyone is False,
            requires=master or _missing_master(name, master_id),
            staff=staff,
            superusers=superusers,
            users=frozenset(users),
            draining=frozenset(draining),
            archived=registry.is_built_on(name, archived),
        )
        for (
            _,
            _,
            name,
            percent,
            everyone,
            master_id,
            master,
            staff,
            superusers,
            users,
            draining,
            archived,
        ) in rows
        if name is not None
    }
    return Snapshot(version=version, salt=salt.bytes, flags=flags)


def _missing_master(flag: str, master_id: int | None) -> str | None:
    """For a row that was written by hand without its master, or whose master's row was deleted:
    the site plan's word counts; and a master that nobody knows is a flag that is off.
    """
    feature = registry.get(flag)
    if feature is not None and feature.master:
        return feature.master
    return None if master_id is None else f"row {master_id}"


board = Switchboard()
os.register_at_fork(after_in_child=board.after_fork)


def is_on(flag: str, who: Any) -> bool:
    """`who`: a request, a user, a Subject, or None for nobody in particular (then: off)."""
    return board.snapshot().is_on(flag, subject_of(who))


def is_on_for_anyone(flag: str) -> bool:
    """For work that belongs to no one user: the flag and its masters have a share, or
    somebody who drains, and no kill.
    """
    chain = board.snapshot().chains.get(flag, ())
    return bool(chain) and all(state.reaches_somebody() for state in chain)


def is_archived(flag: str) -> bool:
    """Tables of it, or columns, are in the archive: there is nothing that even its neighbors could read."""
    state = board.snapshot().flags.get(flag)
    return state is not None and state.archived


def subject_of(who: Any) -> Subject:
    if isinstance(who, HttpRequest):
        return _subject_of_request(who)
    if who is None:
        return NOBODY
    if isinstance(who, Subject):
        return who
    return _subject(getattr(who, "user", who), getattr(who, "visitor", ""))


def _subject_of_request(request: HttpRequest) -> Subject:
    """Kept on the request for as long as it has the same user object: login and logout set a new
    one. Nobody is not kept, for the visitor's id may still come.
    """
    user = getattr(request, "user", None)
    kept: tuple[Any, Subject] | None = getattr(request, "_subject", None)
    if kept is not None and kept[0] is user:
        return kept[1]
    subject = _subject(user, getattr(request, "visitor", ""))
    if subject is not NOBODY:
        request._subject = (user, subject)  # type: ignore[attr-defined]
    return subject


def _subject(user: Any, visitor: str) -> Subject:
    if not getattr(user, "is_authenticated", False):
        return Subject(key=f"a:{visitor}") if visitor else NOBODY
    if isinstance(user, LazyObject):
        user = user._wrapped  # asked for by now; through the wrapper each attribute costs 2 µs
    pk = user.pk
    return Subject(f"u:{pk}", pk, user.is_staff, user.is_superuser)


def visitor_from_cookie(cookie: str | None) -> str | None:
    """:returns: the visitor's id, or None when there is no cookie or it is not one of ours."""
    if not cookie:
        return None
    try:
        return signing.Signer(salt=VISITOR_SALT).unsign(cookie)
    except signing.BadSignature:
        return None


def visitor_cookie(visitor: str) -> str:
    return signing.Signer(salt=VISITOR_SALT).sign(visitor)


def after_commit() -> None:
    transaction.on_commit(board.refresh)


def flags_on(who: Any) -> frozenset[str]:
    """The flags of all features that are on for `who`, from one snapshot."""
    snapshot, subject = board.snapshot(), subject_of(who)
    return frozenset(
        feature.flag for feature in registry.features() if snapshot.is_on(feature.flag, subject)
    )


def plug_waffle() -> None:
    """waffle's own API and template tags answer from the switchboard too."""
    Flag.answer = staticmethod(is_on)
