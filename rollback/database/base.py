"""What every connection of Django passes: how long queries take, and whether the database is there.

Only psycopg's own connection can say that it was not made, and only whoever waits on its socket can stop
to wait; so this is a backend, and everything else in it is Django's. A server that hangs closes nothing:
its kernel takes what is sent, and no time limit of its own runs. Within `answers_expected` a wait is given
up when `gives_up` says so, and the connection with it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import psycopg
from django.db import OperationalError
from django.db.backends.postgresql import base
from psycopg.abc import RV, PQGen

from rollback import trips
from rollback.domain.metrics import Metric

SLOW = 0.1  # seconds
# Connection exceptions, and what a server says to those who are connected while it goes down.
LOST_CODES = ("08", "57P01", "57P02", "57P03")

GivesUp = Callable[[float], bool]
_gives_up: ContextVar[GivesUp | None] = ContextVar("gives_up", default=None)


def _not_yet(metric: str, *, bad: bool) -> None:
    """Models are made with a connection at hand; the watch, which is one, is plugged in after that."""


count: Callable[..., None] = _not_yet


def plug(counting: Callable[..., None]) -> None:
    global count
    count = counting


@contextmanager
def answers_expected(gives_up: GivesUp) -> Iterator[None]:
    """gives_up: told since when an answer is waited for (time.monotonic()), each tenth of a second."""
    token = _gives_up.set(gives_up)
    try:
        yield
    finally:
        _gives_up.reset(token)


class NoAnswer(psycopg.OperationalError):
    """The server took the question and says nothing."""


class Connection(psycopg.Connection[Any]):
    def wait(self, gen: PQGen[RV], *args: Any, **options: Any) -> RV:
        gives_up = _gives_up.get()
        if gives_up is None:
            return super().wait(gen, *args, **options)
        try:
            return super().wait(_while_hopeful(gen, gives_up), *args, **options)
        except NoAnswer:
            self.close()  # whatever comes later would be the answer to another question
            raise


def _while_hopeful(gen: PQGen[RV], gives_up: GivesUp) -> PQGen[RV]:
    """Psycopg sends something true when the socket is ready, and nothing ten times a second."""
    try:
        wanted = next(gen)
        since = time.monotonic()
        while True:
            ready = yield wanted
            if ready:
                since = time.monotonic()
            elif gives_up(since):
                raise NoAnswer("The database does not answer.")
            wanted = gen.send(ready)
    except StopIteration as done:
        answer: RV = done.value
        return answer


class DatabaseWrapper(base.DatabaseWrapper):
    # As Django asks it: psycopg, but for what makes a connection.
    Database = SimpleNamespace(  # type: ignore[assignment]
        **(vars(psycopg) | {"connect": Connection.connect})
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.execute_wrappers.append(watched)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if trips.is_lost():
            raise NoAnswer("The database was lost a moment ago, and is being looked for.")
        try:
            made = super().get_new_connection(conn_params)
        except psycopg.OperationalError:
            failed()
            raise
        count(Metric.CONNECTIONS, bad=False)
        trips.connected()
        return made


def watched(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
    """Around each statement; `Connection` above is around each wait, which may be one of many."""
    began = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    except OperationalError as error:
        if is_lost(error):
            failed()
        raise
    finally:
        count(Metric.QUERIES_100_MS, bad=time.perf_counter() - began > SLOW)


def failed(*, by_watch: bool = False) -> None:
    count(Metric.CONNECTIONS, bad=True)
    trips.failed(by_watch=by_watch)


def is_lost(error: BaseException) -> bool:
    """Whether `error`, Django's or psycopg's, means that there is no database, and not that it refused."""
    cause = error.__cause__ if isinstance(error, OperationalError) else error
    if not isinstance(cause, psycopg.OperationalError):
        return False
    code = cause.sqlstate
    return code is None or code.startswith(LOST_CODES)
