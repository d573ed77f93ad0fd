"""One evaluates at a time, whichever process it is.

By a lease in the heartbeat's row, on the database's clock: it holds behind a pooler too, where a
session is nobody's own. Whoever acts asks for it again in the transaction that acts, so that one who
was frozen, and overtaken, does nothing when it wakes up.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from uuid import uuid4

import structlog
from django.db import Error, OperationalError, ProgrammingError, connection, transaction
from psycopg.errors import LockNotAvailable

from rollback import triggers
from rollback.domain.errors import without_rows
from rollback.limits import limited

log = structlog.get_logger(__name__)

HUNG_SECONDS = 30
# Longer between two transactions that hold it, and it is asked for by itself.
KEEP_EVERY = 10.0

TAKE = """
    INSERT INTO rollback_heartbeat AS t
           (name, beat_at, by, milliseconds, verdicts, lease_owner, lease_until)
    VALUES (%(name)s, 'epoch', '', 0, '{}', %(owner)s,
            clock_timestamp() + make_interval(secs => %(seconds)s))
    ON CONFLICT (name) DO UPDATE
       SET lease_owner = excluded.lease_owner, lease_until = excluded.lease_until
     WHERE t.lease_until IS NULL OR t.lease_until <= clock_timestamp()
"""
HOLD = """
    UPDATE rollback_heartbeat
       SET lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
     WHERE name = %(name)s AND lease_owner = %(owner)s AND lease_until > clock_timestamp()
"""
LEAVE = """
    UPDATE rollback_heartbeat SET lease_owner = '', lease_until = NULL
     WHERE name = %(name)s AND lease_owner = %(owner)s
"""
# Who evaluates asks something all the time; a session that holds the row and has been silent for so
# long is frozen, or somebody's forgotten BEGIN, and would keep everybody from evaluating.
HUNG = """
    SELECT DISTINCT a.pid, a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE l.relation = 'rollback_heartbeat'::regclass AND l.granted AND l.mode <> 'AccessShareLock'
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND l.pid <> pg_backend_pid() AND a.state LIKE 'idle in transaction%%'
       AND a.state_change < clock_timestamp() - make_interval(secs => %s)
"""


class LeaseLost(Exception):
    """Somebody else evaluates by now: nothing more is to be done."""


class Lease:
    """Of one evaluation."""

    def __init__(self) -> None:
        self._owner = uuid4().hex
        self._held_at = monotonic()

    def take(self) -> bool:
        return self._asked(TAKE)

    def hold(self) -> None:
        """The first statement of a transaction that acts: until its end nobody can overtake it.

        :raises LeaseLost:
        """
        if not self._asked(HOLD):
            raise LeaseLost
        self._held_at = monotonic()

    def keep(self) -> None:
        """Between those, where they are far apart. :raises LeaseLost:"""
        if monotonic() - self._held_at > KEEP_EVERY:
            with limited():
                self.hold()

    def leave(self) -> None:
        try:
            with limited():
                self._asked(LEAVE)
        except Error as error:  # then it is over in half a minute
            log.warning("evaluate.lease_not_left", error=without_rows(error))

    def _asked(self, words: str) -> bool:
        facts: dict[str, str | int] = {
            "name": triggers.HEARTBEAT,
            "owner": self._owner,
            "seconds": HUNG_SECONDS,
        }
        with connection.cursor() as cursor:
            cursor.execute(words, facts)
            return bool(cursor.rowcount == 1)


@contextmanager
def alone() -> Iterator[Lease | None]:
    """None: somebody else is at it. What is done meanwhile are many transactions."""
    lease = Lease()
    if not _taken(lease):
        yield None
        return
    try:
        yield lease
    finally:
        lease.leave()


def _taken(lease: Lease) -> bool:
    try:
        return _take(lease)
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
    # Somebody has the row in their hands: at work, or hung.
    try:
        return _end_hung() and _take(lease)
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        return False


def _take(lease: Lease) -> bool:
    with limited():
        return lease.take()


def _end_hung() -> bool:
    with limited(), connection.cursor() as cursor:
        cursor.execute(HUNG, [HUNG_SECONDS])
        hung = cursor.fetchall()
    for pid, application in hung:
        log.warning("evaluate.hung", pid=pid, application=application, ended=_end(pid))
    return bool(hung)


def _end(pid: int) -> bool:
    """False too where we may not: a superuser's session."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 1000)", [pid])
            return bool(cursor.fetchone()[0])
    except ProgrammingError:
        return False
