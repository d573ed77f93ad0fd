"""Who watches the watch: every web process looks whether the triggers are still judged by anybody.

A process takes over from a silent evaluator after half a minute (`evaluate.take_over`); where none of them
can, people are called.
"""

import os
import socket
import time
from datetime import timedelta

import structlog
from django.db import Error, connection

from rollback import triggers
from rollback.domain.errors import without_rows
from rollback.limits import limited
from rollback.models import Heartbeat
from rollback.oncall import paging
from rollback.oncall.policy import clock

log = structlog.get_logger(__name__)

SILENT = timedelta(minutes=2)
# So long this process has to have seen it: after a night with everything stopped it is silent at first.
SEEN = 30.0  # seconds
_seen_since: float | None = None


def notice() -> None:
    """Called by the thread that writes the samples, after it has tried to take over."""
    global _seen_since
    try:
        if not _is_silent():
            _seen_since = None
            return
        _seen_since = time.monotonic() if _seen_since is None else _seen_since
        if time.monotonic() - _seen_since >= SEEN:
            _call()
    except Error as error:  # the database is away: nobody can be called by it
        log.warning("oncall.no_database", error=without_rows(error))
    finally:
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def _is_silent() -> bool:
    """Also where nobody has ever judged."""
    with limited():
        alive = Heartbeat.objects.filter(
            name=triggers.HEARTBEAT, beat_at__gt=clock() - SILENT
        ).exists()
    return not alive


def _call() -> None:
    """Whoever else has to be called is not called by the evaluator either."""
    now = clock()
    if paging.open_silent(now=now):
        log.error("oncall.watch_is_silent")
    paging.look(by=f"web, {socket.gethostname()}, {os.getpid()}", now=now)
