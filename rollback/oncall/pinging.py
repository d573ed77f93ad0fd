"""Each minute somebody outside is told that the triggers are judged; who hears nothing any more, calls."""

import os
import threading
import time

import structlog
from django.conf import settings

from rollback.outbox import outward

log = structlog.get_logger(__name__)

EVERY = 60.0  # seconds, for each process that judges
_pinging = threading.Lock()
_next_at = 0.0


def soon() -> None:
    """Nobody waits for it: neither for an answer nor for the name to be looked up."""
    global _next_at
    if not settings.HEARTBEAT_URL or time.monotonic() < _next_at:
        return
    if not _pinging.acquire(blocking=False):
        return
    _next_at = time.monotonic() + EVERY
    try:
        threading.Thread(target=_ping, name="heartbeat-ping", daemon=True).start()
    except RuntimeError:  # the interpreter is ending
        _pinging.release()


def _ping() -> None:
    ours = _pinging
    try:
        answer = outward.ask(settings.HEARTBEAT_URL, method="GET")
        if not 200 <= answer.status < 300:
            log.warning("heartbeat.not_taken", status=answer.status)
    except (OSError, ValueError) as error:  # never its words: they may hold the address
        log.warning("heartbeat.no_answer", error=type(error).__name__)
    finally:
        ours.release()


def _after_fork() -> None:
    """A child has none of its parent's threads, so nobody there would release it."""
    global _pinging
    _pinging = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
