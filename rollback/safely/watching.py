"""Every migration's transaction with time limits of its own, and with PostgreSQL's count of what it wrote."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, connections
from django.db.migrations.migration import Migration

from rollback.schema import locking

COUNTS = """
    SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables
     WHERE schemaname = 'public' AND n_tup_ins + n_tup_upd + n_tup_del > 0
"""
# Of one statement. A backfill is not in anybody's way; whatever else takes longer holds up requests.
STATEMENT, BACKFILL = 60, 900


class RowsWritten(Exception):
    """It was rolled back: rows of the school are changed by a backfill_, and by nothing else."""


@dataclass(kw_only=True)
class Watch:
    """written: table → rows that our transactions have inserted, updated or deleted. current: the
    migration that runs, and whether it is undone.
    """

    current: tuple[Migration, bool] | None = None
    written: Counter[str] = field(default_factory=Counter)

    @property
    def is_backfill(self) -> bool:
        return self.current is not None and "_backfill_" in self.current[0].name

    def started(self, action: str, migration: Migration | None = None, fake: bool = False) -> None:
        """What an executor tells about its progress."""
        if migration is not None and action in ("apply_start", "unapply_start"):
            self.current = (migration, action == "unapply_start")


@contextmanager
def watched(watch: Watch, *, keeps: Callable[[str], bool]) -> Iterator[None]:
    """keeps: whether only a backfill may write rows of this table."""
    plain: Any = connection.SchemaEditorClass

    class Editor(plain):  # type: ignore[misc]
        deferred_sql: list[Any]
        before: Counter[str]

        def __enter__(self) -> Any:
            entered = super().__enter__()
            if self.atomic_migration and not self.collect_sql:
                _limit(watch)
                self.before = _counts()
            return entered

        def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
            if kind is None and self.atomic_migration and not self.collect_sql:
                try:
                    for statement in self.deferred_sql:
                        self.execute(statement, None)
                    self.deferred_sql = []
                    _note(watch, _counts() - self.before, keeps)
                except BaseException as failed:
                    super().__exit__(type(failed), failed, failed.__traceback__)
                    raise
            super().__exit__(kind, error, trace)

    # Of the connection itself, not of the name under which everybody has it.
    own = vars(connections["default"])
    own["SchemaEditorClass"] = Editor
    try:
        yield
    finally:
        del own["SchemaEditorClass"]


def _limit(watch: Watch) -> None:
    """As `SET LOCAL` they also hold behind a pooler, and are gone with the transaction."""
    seconds = BACKFILL if watch.is_backfill else STATEMENT
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{locking.PATIENCE:g}s'")
        cursor.execute(f"SET LOCAL statement_timeout = '{seconds}s'")


def _counts() -> Counter[str]:
    """So far; what is not reported yet of transactions before is among it."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS)
        return Counter(dict(cursor.fetchall()))


def _note(watch: Watch, written: Counter[str], keeps: Callable[[str], bool]) -> None:
    kept = sorted(table for table in written if keeps(table))
    if kept and watch.current and not watch.is_backfill and not watch.current[1]:
        raise RowsWritten(
            f"{watch.current[0]} changes rows of {', '.join(kept)}; that is done by a migration of its "
            "own, backfill_…. It was rolled back."
        )
    watch.written += written
