"""How new a page is, in transaction numbers, so that an open page can ask what it has missed.

Kept nowhere: PostgreSQL counts for us (decision 12).
"""

from django.db import connection


def version() -> str:
    """To be read before what the page shows. The oldest transaction that is still running: all older
    ones can be seen in what is read from now on, or never."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
        return str(cursor.fetchone()[0])
