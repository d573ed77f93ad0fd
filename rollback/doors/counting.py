"""Who was turned away, by day. Counted in memory and written every few seconds.

Right after a kill everybody meets here: a row that all of them wrote would make them queue, and a
locked one would make them hang. A process that is killed loses at most the last PAUSE seconds.
"""

import atexit
import os
import threading
from collections import Counter
from datetime import UTC, date, datetime

import structlog
from django.db import Error, connection

from rollback.domain.errors import without_rows
from rollback.domain.probing import is_probe

log = structlog.get_logger(__name__)

PAUSE = 5.0  # seconds

_counts: Counter[tuple[str, str, date]] = Counter()
_lock = threading.Lock()
_timer: threading.Timer | None = None


def turned_away(*, feature: str, door: str, now: datetime) -> None:
    """door: "page", "api", "admin" or "task"."""
    if is_probe():
        return
    log.info("door.turned_away", feature=feature, door=door)
    with _lock:
        _counts[feature, door, now.astimezone(UTC).date()] += 1
    _write_soon()


def _write_soon() -> None:
    global _timer
    with _lock:
        if _timer is None:
            _timer = threading.Timer(PAUSE, _write_and_close)
            _timer.daemon = True
            _timer.start()


def _write_and_close() -> None:
    global _timer
    with _lock:
        _timer = None
    try:
        write()
    finally:
        connection.close()  # this thread's own


def write() -> None:
    """What cannot be written now is counted with the next."""
    with _lock:
        counts = dict(_counts)
        _counts.clear()
    if not counts:
        return
    try:
        with connection.cursor() as cursor:
            cursor.executemany(
                """
                INSERT INTO rollback_doorcount AS c (feature, door, on_date, turned_away)
                VALUES (%s, %s, %s, %s)
                ON CONFLICT ON CONSTRAINT door_count_once
                DO UPDATE SET turned_away = c.turned_away + excluded.turned_away
                """,
                [(*key, count) for key, count in sorted(counts.items())],
            )
    except Error as error:
        log.warning("door.not_counted", error=without_rows(error))
        with _lock:
            _counts.update(counts)


def _after_fork() -> None:
    global _lock, _timer
    _lock, _timer = threading.Lock(), None
    _counts.clear()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(write)
