"""One evaluates at a time, whichever process it is."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.db import Error, connection

log = structlog.get_logger(__name__)

LOCK = int.from_bytes(b"triggers", "big")
HUNG_SECONDS = 30

TRY = "SELECT pg_try_advisory_lock(%s)"
LEAVE = "SELECT pg_advisory_unlock(%s)"
# Who evaluates asks something all the time; whose session has been silent for so long is frozen, and
# would keep everybody from evaluating until its machine is looked at.
END_HUNG = """
    SELECT pg_terminate_backend(a.pid, 1000) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid <> pg_backend_pid()
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND l.classid::bigint = %s AND l.objid::bigint = %s
       AND greatest(a.state_change, a.query_start) < clock_timestamp() - make_interval(secs => %s)
"""


@contextmanager
def alone() -> Iterator[bool]:
    """False: somebody else is at it. The lock is the session's: what is done under it are many
    transactions, and it is gone with whoever held it.
    """
    is_ours = _ask(TRY, LOCK) or (_end_hung() and _ask(TRY, LOCK))
    try:
        yield is_ours
    finally:
        if is_ours:
            _leave()


def _leave() -> None:
    try:
        _ask(LEAVE, LOCK)
    except Error as error:  # the session is lost, and the lock with it
        log.warning("evaluate.lock_lost", error=str(error))


def _end_hung() -> bool:
    ended = _ask(END_HUNG, LOCK >> 32, LOCK & 0xFFFFFFFF, HUNG_SECONDS)
    if ended:
        log.warning("evaluate.hung", seconds=HUNG_SECONDS)
    return ended


def _ask(question: str, *values: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(question, values)
        row = cursor.fetchone()
    return bool(row and row[0])
