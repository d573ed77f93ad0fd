"""A page goes out from whatever process has written it: it waits for no worker, and nothing waits for it."""

import os
import threading

import structlog
from django.db import Error, connection

from rollback import outbox
from rollback.domain.errors import without_rows
from rollback.models import Notification

log = structlog.get_logger(__name__)

# A mail server that hangs takes its time beyond that, in a thread that nobody waits for.
SECONDS = 30.0
PAGE = Notification.Urgency.PAGE
_sending = threading.Lock()


def soon() -> None:
    """One thread of a process at a time; others, and the worker, may be at it as well."""
    if outbox.is_due(urgency=PAGE) and _sending.acquire(blocking=False):
        _in_a_thread()


def _in_a_thread() -> None:
    try:
        threading.Thread(target=_send, name="pages", daemon=True).start()
    except RuntimeError:  # the interpreter is ending; another process does it
        _sending.release()
        log.info("oncall.not_sent_here")


def _send() -> None:
    ours = _sending
    try:
        outbox.send_due(seconds=SECONDS, urgency=PAGE)
    except Error as error:  # the database is away: whoever sees it again sends
        log.warning("oncall.not_sent", error=without_rows(error))
    finally:
        connection.close()  # this thread's own
        ours.release()


def _after_fork() -> None:
    """A child has none of its parent's threads, so nobody there would release it."""
    global _sending
    _sending = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
