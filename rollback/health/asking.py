"""A question to the database that nobody waits long for, whatever state the database is in.

A server that hangs leaves its client hanging with it: no timeout of a session helps where no answer
comes. So the question is asked on a thread and a connection of its own, and given up by whoever waits.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
import structlog
from django.db import connections

log = structlog.get_logger(__name__)

# Threads that may hang at once, for each who asks: what hangs for /metrics must not make /readyz accuse
# the database. More questions than this are answered with "no answer" at once.
MOST = {"metrics": 4, "ready": 2, "alive": 2}
# For one statement; behind a pooler too, for they end with the transaction.
STATEMENT, LOCK = "700ms", "200ms"

Connection = psycopg.Connection[Any]
_places = {who: threading.BoundedSemaphore(most) for who, most in MOST.items()}


class NoAnswer(Exception):
    """The database is away, or has not answered in time."""


def ask(question: Callable[[Connection], None], *, who: str, seconds: float) -> None:
    """What was answered is kept by the question itself, so that half an answer is not lost.

    :raises NoAnswer: it went wrong, or is not done after `seconds`
    """
    places = _places[who]
    if not places.acquire(blocking=False):
        raise NoAnswer
    parameters = _parameters()
    done, failed = threading.Event(), threading.Event()

    def on_its_own() -> None:
        try:
            with psycopg.connect(**parameters) as connection:
                question(connection)
        except psycopg.Error as error:
            failed.set()
            log.info("health.no_answer", error=type(error).__name__)
        finally:
            places.release()
            done.set()

    threading.Thread(target=on_its_own, name="health", daemon=True).start()
    if not done.wait(seconds) or failed.is_set():
        raise NoAnswer


def rows(
    connection: Connection, query: LiteralString, parameters: Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    """:raises psycopg.Error: also when somebody holds a lock, or it takes too long."""
    with limited(connection):
        return connection.execute(query, parameters).fetchall()


@contextmanager
def limited(connection: Connection) -> Iterator[None]:
    """One transaction, in which nothing waits for long."""
    with connection.transaction():
        connection.execute(
            "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)",
            [STATEMENT, LOCK],
        )
        yield


def _parameters() -> dict[str, Any]:
    """Not the request's: that one is counted by the watch, and may be in the middle of something."""
    parameters: dict[str, Any] = connections["default"].get_connection_params()
    for ours in ("cursor_factory", "context", "server_side_binding"):
        parameters.pop(ours, None)
    return parameters | {
        "connect_timeout": 2,
        "tcp_user_timeout": 3000,
        "prepare_threshold": None,
        "autocommit": True,
        "application_name": "health",
    }
