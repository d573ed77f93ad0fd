"""All tables at once or none, two seconds at a time at most: who waits for a lock makes others wait."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import structlog
from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext as _
from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable

log = structlog.get_logger(__name__)

# Longer than PostgreSQL's `deadlock_timeout` of a second, or the vacuum would never step aside.
PATIENCE = 2.0
# Within these many seconds it is tried again, with a pause in which everybody else gets on.
DEADLINE = 120.0
PAUSE = (0.5, 2.0)
# Whoever is frozen with everything locked loses the session, and so the locks.
LONGEST_SILENCE = "10s"


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


@contextmanager
def held(
    tables: Callable[[], Sequence[str]],
    *,
    deadline: float = DEADLINE,
    pause: Callable[[float], None] = time.sleep,
    first: Callable[[], None] = lambda: None,
    waits: Callable[[Sequence[Holder]], None] = lambda holders: None,
) -> Iterator[Waiting]:
    """One transaction that has all of them for itself. tables: in the order in which they are locked,
    children before parents; asked anew each time.

    first: rows that are locked in it before any table, or somebody could have them and wait for a table.
    waits: told after each try in vain, when nothing is locked.

    :raises TablesAreHeld:
    """
    waiting, began = Waiting(), time.monotonic()
    while True:
        waiting.tries += 1
        tried = time.monotonic()
        with transaction.atomic(durable=True):
            if _lock(tables(), first):
                waiting.waited = time.monotonic() - began
                # Registered before all others: what is counted after COMMIT blocks nobody.
                transaction.on_commit(partial(_blocked, waiting, tried))
                yield waiting
                return
        _blocked(waiting, tried)
        holders = who_holds(tables())
        log.warning("schema.tables_are_held", tries=waiting.tries, by=in_words(holders))
        if time.monotonic() - began > deadline:
            raise TablesAreHeld(holders)
        waits(holders)
        pause(random.uniform(*PAUSE))  # noqa: S311


def _blocked(waiting: Waiting, since: float) -> None:
    waiting.ended = time.monotonic()
    waiting.blocked = max(waiting.blocked, waiting.ended - since)


def _lock(tables: Sequence[str], first: Callable[[], None]) -> bool:
    names = sql.SQL(", ").join(sql.Identifier(table) for table in tables)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE:g}s'")
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{LONGEST_SILENCE}'")
            first()
            if tables:
                cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(names))
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
            return False
        raise
    return True


def who_holds(tables: Sequence[str]) -> list[Holder]:
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
            [list(tables)],
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
