"""Nobody else writes while an import compares its rows with the school's and writes them."""

from django.db import connection

IMPORT = 0x73636831  # any number that no other advisory lock has


def one_import_at_a_time() -> None:
    """Two imports of people would otherwise wait for each other's rows, each holding some."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [IMPORT])


def nobody_else_books() -> None:
    """Reading stays possible. Without it, somebody who enrolls or books between our check and our
    writing would turn a clear sentence into a database error, or a deadlock. The order (courses
    are written before, enrollments before lessons) is that of an enrollment, on purpose."""
    with connection.cursor() as cursor:
        for model in ("enrollment_enrollment", "enrollment_lesson"):
            cursor.execute(f"LOCK TABLE {model} IN SHARE ROW EXCLUSIVE MODE")
