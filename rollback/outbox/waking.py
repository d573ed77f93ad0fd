"""A worker is asked to look now. Without a queue beat finds the rows, or `manage.py rollback send`."""

from django.db import transaction

from enrollment.operations.mailing import ask_worker

TASK = "rollback.tasks.send_notifications"
# Seconds. Later than that beat has asked several times.
WORTH = 30


def wake() -> None:
    """Once it is committed that something waits; nothing of this reaches whoever committed it."""
    transaction.on_commit(lambda: ask_worker(TASK, expires=WORTH), robust=True)
