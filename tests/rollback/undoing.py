"""Migrations of the ground that rollback stands on, undone in a test and applied again."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import connection


@contextmanager
def undone(to: str) -> Iterator[None]:
    """Of rollback, back to this one. It takes the features' tables along, which are empty here, and then
    the ledger that says so: afterwards they are made anew.
    """
    try:
        call_command("migrate", "rollback", to, verbosity=0)
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA IF EXISTS archive CASCADE")
        call_command("migrate", verbosity=0)
