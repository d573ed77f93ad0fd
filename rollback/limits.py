"""Transactions of whoever looks after things by themselves: none of them waits for long."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

READ = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
SET = "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)"


@contextmanager
def limited(*, lock: str = "1s", statement: str = "5s") -> Iterator[None]:
    """One transaction, in which PostgreSQL waits so long for a lock, and for a statement.

    A forgotten `BEGIN; UPDATE …` at some terminal would else hold a thread for as long as it is open.
    """
    goes_on = connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if goes_on:
            cursor.execute(READ)
            before = cursor.fetchone()
        cursor.execute(SET, [lock, statement])
        yield
        if goes_on:  # undone by itself where it ends with an error
            cursor.execute(SET, before)
