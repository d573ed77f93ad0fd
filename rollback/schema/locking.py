"""All tables at once or none, two seconds at a time at most: who waits for a lock makes others wait."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils.translation import gettext as _
from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable, QueryCanceled

log = structlog.get_logger(__name__)

# Longer than PostgreSQL's `deadlock_timeout` of a second, or the vacuum would never step aside.
PATIENCE = 2.0
# Within these many seconds it is tried again, with a pause in which everybody else gets on.
DEADLINE = 120.0
PAUSE = (0.5, 2.0)
# Whoever is frozen with everything locked loses the session, and so the locks.
LONGEST_SILENCE = "10s"


T = TypeVar("T")
# By its name where that is found, or with its schema.
Table = str | tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Whoever has a lock on one of the tables. seconds: since its transaction began."""

    pid: int
    user: str
    application: str
    seconds: float
    tables: tuple[str, ...]
    query: str


@dataclass(kw_only=True)
class Waiting:
    """What it took. blocked: seconds in which others may have waited for us, the longest time at once."""

    tries: int = 0
    waited: float = 0.0
    blocked: float = 0.0
    ended: float = 0.0  # as in time.monotonic(), when it was committed
    committed: bool = False


class TablesAreHeld(Exception):
    """Nothing was changed. holders: who had them at the last try."""

    def __init__(self, holders: Sequence[Holder]) -> None:
        self.holders = holders
        words = _("The tables are in use, and nothing was changed. Held by: %(holders)s.")
        super().__init__(words % {"holders": in_words(holders)})


def in_words(holders: Sequence[Holder]) -> str:
    return "; ".join(
        _("process %(pid)s of %(user)s (%(application)s, %(seconds).0f s)")
        % {
            "pid": one.pid,
            "user": one.user,
            "application": one.application or "?",
            "seconds": one.seconds,
        }
        for one in holders
    ) or _("nobody any more")


def held(
    tables: Callable[[], Sequence[Table]],
    do: Callable[[Waiting], T],
    *,
    deadline: float = DEADLINE,
    pause: Callable[[float], None] = time.sleep,
    first: Callable[[], None] = lambda: None,
    waits: Callable[[Sequence[Holder]], None] = lambda holders: None,
) -> tuple[T, Waiting]:
    """What is done in one transaction that has all of them for itself. tables: in the order in which they
    are locked, children before parents; asked anew each time.

    do: all of it again, where it waits too long for a lock of its own.
    first: rows that are locked in it before any table, or somebody could have them and wait for a table.
    waits: told after each try in vain, when nothing is locked.

    :raises TablesAreHeld:
    """
    waiting, began = Waiting(), time.monotonic()
    while True:
        waiting.tries += 1
        tried = time.monotonic()
        try:
            with transaction.atomic(durable=True):
                _lock(tables, first)
                waiting.waited = time.monotonic() - began
                # Registered before all others: what is counted after COMMIT blocks nobody.
                transaction.on_commit(partial(_committed, waiting, tried))
                found = do(waiting)
            return found, waiting
        except (OperationalError, _PatienceEnded) as error:
            # What follows COMMIT may fail as well, and is not to be done again from the beginning.
            if waiting.committed or not _is_held(error):
                raise
        _blocked(waiting, tried)
        holders = who_holds(tables())
        log.warning("schema.tables_are_held", tries=waiting.tries, by=in_words(holders))
        if time.monotonic() - began > deadline:
            raise TablesAreHeld(holders)
        waits(holders)
        pause(random.uniform(*PAUSE))  # noqa: S311


def _committed(waiting: Waiting, since: float) -> None:
    waiting.committed = True
    _blocked(waiting, since)


def _blocked(waiting: Waiting, since: float) -> None:
    waiting.ended = time.monotonic()
    waiting.blocked = max(waiting.blocked, waiting.ended - since)


def _lock(tables: Callable[[], Sequence[Table]], first: Callable[[], None]) -> None:
    patience = f"{PATIENCE * 1000:.0f}ms"
    with connection.cursor() as cursor:
        _set(cursor, lock_timeout=patience, idle_in_transaction_session_timeout=LONGEST_SILENCE)
        first()
        _set(cursor, lock_timeout=patience)  # whatever that may have set for itself
        if found := tables():
            _lock_tables(cursor, found, patience)


def _lock_tables(cursor: CursorWrapper, tables: Sequence[Table], patience: str) -> None:
    """All of them in so long: `lock_timeout` begins anew with each, and who waits for the last makes
    everybody who needs the others wait.

    :raises _PatienceEnded:
    """
    names = sql.SQL(", ").join(map(_identifier, tables))
    cursor.execute("SHOW statement_timeout")
    (before,) = cursor.fetchone()
    _set(cursor, statement_timeout=patience)
    began = time.monotonic()
    try:
        cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(names))
    except OperationalError as error:
        # Sooner than that it was somebody who wants us to stop.
        if isinstance(error.__cause__, QueryCanceled) and time.monotonic() - began > 0.9 * PATIENCE:
            raise _PatienceEnded from error
        raise
    _set(cursor, statement_timeout=before)


class _PatienceEnded(Exception):
    """For all tables together."""


def _set(cursor: CursorWrapper, **settings: str) -> None:
    """Until this transaction ends."""
    for name, value in settings.items():
        cursor.execute("SELECT set_config(%s, %s, true)", [name, value])


def _identifier(table: Table) -> sql.Identifier:
    return sql.Identifier(table) if isinstance(table, str) else sql.Identifier(*table)


def _is_held(error: Exception) -> bool:
    held = LockNotAvailable | DeadlockDetected
    return isinstance(error, _PatienceEnded) or isinstance(error.__cause__, held)


def who_holds(tables: Sequence[Table]) -> list[Holder]:
    """Now, and not ourselves."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a.pid, coalesce(a.usename, a.backend_type), coalesce(a.application_name, ''),
                   extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.backend_start)),
                   array_agg(DISTINCT c.relname::text), left(coalesce(a.query, ''), 200)
              FROM pg_locks l
              JOIN pg_stat_activity a USING (pid)
              JOIN pg_class c ON c.oid = l.relation
             WHERE l.granted AND c.relname = ANY (%s) AND a.pid <> pg_backend_pid()
               AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
             GROUP BY a.pid, 2, 3, 4, 6 ORDER BY 4 DESC
            """,
            [[one if isinstance(one, str) else one[1] for one in tables]],
        )
        return [
            Holder(
                pid=pid,
                user=user,
                application=application,
                seconds=float(seconds),
                tables=tuple(found),
                query=query,
            )
            for pid, user, application, seconds, found, query in cursor.fetchall()
        ]
