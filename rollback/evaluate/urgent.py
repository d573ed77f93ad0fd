"""Pages go out from wherever the triggers are evaluated: a dead broker, worker or beat keeps none of them."""

import os
import threading

import structlog
from django.db import Error, connection

from rollback import outbox
from rollback.domain.errors import without_rows
from rollback.models import Notification

log = structlog.get_logger(__name__)

# A mail server that hangs takes its time beyond that, in a thread that nobody waits for.
SECONDS = 5.0
PAGE = Notification.Urgency.PAGE

_sending = threading.Lock()


def send_elsewhere(*, by: str) -> None:
    """Plans and incidents, which follow from a tick too, do not wait for a mail server."""
    if outbox.is_due(urgency=PAGE) and _sending.acquire(blocking=False):
        ours = _sending
        try:
            threading.Thread(target=_send, args=[ours], name="pages", daemon=True).start()
        except RuntimeError:  # the interpreter is ending; another process does it
            ours.release()
            log.info("evaluate.pages_not_sent", by=by)


def _send(ours: threading.Lock) -> None:
    try:
        outbox.send_due(seconds=SECONDS, urgency=PAGE)
    except Error as error:  # the database is away: the rows are there when it is back
        log.warning("evaluate.no_database", error=without_rows(error))
    finally:
        connection.close()  # this thread's own
        ours.release()


def _after_fork() -> None:
    """A child has none of its parent's threads, so nobody there would release it."""
    global _sending
    _sending = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
