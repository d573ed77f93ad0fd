"""Many at once, each with a connection of its own, all let go at the same moment."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import sleep
from typing import TypeVar

import pytest
from django.db import connection

Answer = TypeVar("Answer")
MANY = 32


def at_once(*works: Callable[[], Answer]) -> list[Answer | BaseException]:
    """What each answered or raised, in order."""
    barrier = Barrier(len(works))

    def run(work: Callable[[], Answer]) -> Answer:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        running = [pool.submit(run, work) for work in works]
    return [one.exception() or one.result() for one in running]


@pytest.fixture
def no_deadlock() -> Iterator[None]:
    """The server's own count: a deadlock that ends as SlotTaken has cost everybody a second."""
    before = _deadlocks()
    yield
    assert _deadlocks() == before


def _deadlocks() -> int:
    # The threads' sessions hand in their figures when they have ended, a moment later.
    sleep(0.2)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])
