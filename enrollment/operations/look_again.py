"""What follows once lessons are changed: a search for conflicts, and whoever waits for a time is told.

Apart from the search, so that whoever writes lessons may ask."""

from django.db import connection, transaction
from django.utils import timezone

from enrollment import sockets
from enrollment.operations.mailing import ask_worker

TASK = "enrollment.tasks.find_conflicts"
# What is changed together is looked at together.
PAUSE = 2


def wake() -> None:
    """Never raises because of the queue; without one beat comes within two minutes."""
    ask_worker(TASK, countdown=PAUSE, kwargs={"asked_at": timezone.now().timestamp()})


def after_commit() -> None:
    """Called by whoever has changed lessons, inside the transaction."""
    if any(entry[1] is _changed for entry in connection.run_on_commit):
        return  # for what was written before in the same transaction
    # Robust: what was written is written, and a search is not worth an error page.
    transaction.on_commit(_changed, robust=True)


def _changed() -> None:
    wake()
    sockets.something_became_free()
