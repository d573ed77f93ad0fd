"""How long the pages of each feature take: on the server, and in the browsers that tell.

Counted in memory and written every few seconds, as the doors count whom they turn away: no page waits
for it. A process that is killed loses at most the last PAUSE seconds.
"""

import atexit
import os
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import structlog
from django.db import Error, connection, transaction

from rollback.domain.errors import without_rows
from rollback.domain.probing import is_probe
from rollback.domain.timings import CLASSES, Timings, class_of, summed
from rollback.models import TimingMinute

log = structlog.get_logger(__name__)

SERVER, BROWSER = TimingMinute.Kind.SERVER.value, TimingMinute.Kind.BROWSER.value
PAUSE = 5.0  # seconds
KEPT = timedelta(days=30)
Key = tuple[str, str, int]  # feature, kind, minutes since 1970

ADD = """
    INSERT INTO rollback_timingminute AS t (feature, kind, minute, counts, errors)
    VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT ON CONSTRAINT timing_once DO UPDATE SET
        counts = (SELECT array_agg(one + other ORDER BY place)
                    FROM unnest(t.counts, excluded.counts) WITH ORDINALITY AS u(one, other, place)),
        errors = t.errors + excluded.errors
"""
SUM = """
    SELECT place, sum(one)::bigint FROM rollback_timingminute AS t,
           unnest(t.counts) WITH ORDINALITY AS u(one, place)
     WHERE feature = %s AND kind = %s AND minute >= %s AND minute < %s AND one > 0
     GROUP BY place
"""

# The errors stand behind the last class.
SUM_ALL = """
    SELECT feature, kind, place, sum(one)::bigint FROM rollback_timingminute AS t,
           unnest(t.counts || t.errors) WITH ORDINALITY AS u(one, place)
     WHERE minute >= %s AND minute < %s AND one > 0
     GROUP BY feature, kind, place
"""
LOCK = "SET LOCAL lock_timeout = '200ms'"

_lock = threading.Lock()
_timer: threading.Timer | None = None
# The last number of each is how many of them were server errors.
_counts: dict[Key, list[int]] = {}


def record(*, feature: str, kind: str, milliseconds: float, error: bool = False) -> None:
    if is_probe():
        return
    key = (feature, kind, int(time.time() // 60))
    number = class_of(milliseconds)
    with _lock:
        counts = _counts.get(key)
        if counts is None:
            counts = _counts[key] = [0] * (CLASSES + 1)
        counts[number] += 1
        counts[CLASSES] += error
    if _timer is None:
        _write_soon()


def timings(*, feature: str, kind: str, since: datetime, until: datetime) -> Timings:
    """Of the minutes that begin in [since, until), as far as they are written. feature: its flag."""
    with connection.cursor() as cursor:
        cursor.execute(SUM, [feature, kind, since, until])
        found = dict(cursor.fetchall())
    errors = TimingMinute.objects.filter(
        feature=feature, kind=kind, minute__gte=since, minute__lt=until
    ).values_list("errors", flat=True)
    return summed([found.get(place, 0) for place in range(1, CLASSES + 1)], sum(errors))


def all_timings(*, since: datetime, until: datetime) -> Mapping[tuple[str, str], Timings]:
    """By feature and kind, in one query. Nothing where they cannot be read at once: the table may be
    locked, archived or not there yet, and the switchboard's page must not wait for it."""
    added: dict[tuple[str, str], list[int]] = {}
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(LOCK)
            cursor.execute(SUM_ALL, [since, until])
            for feature, kind, place, number in cursor.fetchall():
                added.setdefault((feature, kind), [0] * (CLASSES + 1))[place - 1] = number
    except Error as error:
        log.warning("timings.not_read", error=without_rows(error))
        return {}
    return {key: summed(counts[:-1], counts[-1]) for key, counts in added.items()}


def today(*, now: datetime) -> Mapping[tuple[str, str], Timings]:
    """Since midnight, UTC."""
    return all_timings(since=now.astimezone(UTC).replace(hour=0, minute=0, second=0), until=now)


def delete_old(*, now: datetime) -> int:
    """:returns: how many minutes."""
    deleted, _by_model = TimingMinute.objects.filter(minute__lt=now - KEPT).delete()
    return deleted


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
    """What cannot be written now is dropped: a measure that comes late would be of no use."""
    with _lock:
        counts = dict(_counts)
        _counts.clear()
    if not counts:
        return
    rows = [
        (feature, kind, datetime.fromtimestamp(minute * 60, UTC), found[:CLASSES], found[CLASSES])
        for (feature, kind, minute), found in sorted(counts.items())
    ]
    try:
        with connection.cursor() as cursor:
            cursor.executemany(ADD, rows)
    except Error as error:
        log.warning("timings.not_written", error=without_rows(error))


def _after_fork() -> None:
    global _lock, _timer
    _lock, _timer = threading.Lock(), None
    _counts.clear()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(write)
