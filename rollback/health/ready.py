"""May this process be sent people? With the reasons why not."""

import math
import threading
import time
from collections.abc import Sequence
from functools import cache

from django.db.migrations.loader import MigrationLoader

from rollback import switchboard
from rollback.health.asking import Connection, NoAnswer, ask, rows
from rollback.schema import ledger

SECONDS = 2.0
KEPT = 1.0  # seconds
# For so many seconds an answer is better than none, while somebody else asks anew.
KNOWN = 60.0
NO_DATABASE = f"The database has not answered within {SECONDS:g} seconds."
BEING_ASKED = f"It is being asked now. Ask again in {SECONDS:g} seconds."
STALE = (
    f"This process has not read the flags for more than {switchboard.STALE:g} seconds; it treats all "
    "features as off."
)

Migration = tuple[str, str]

LEDGER: Migration = ("rollback", "0023_expand_archive")


class Answers:
    """One question at a time, and its answer for a moment to everybody: whoever asks all the time, and
    anybody may, neither keeps the database busy nor makes this process look as if it were not ready.

    Nobody waits for somebody else's question: while the database hangs, one thread is held and no more.
    """

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._known: dict[str, str] = {}
        self._asked_at = -math.inf

    def reasons(self) -> dict[str, str]:
        if not self._one_at_a_time.acquire(blocking=False):
            return self._known if self._is_known(for_seconds=KNOWN) else {"question": BEING_ASKED}
        try:
            if not self._is_known(for_seconds=KEPT):
                self._known = reasons()
                self._asked_at = time.monotonic()
            return self._known
        finally:
            self._one_at_a_time.release()

    def _is_known(self, *, for_seconds: float) -> bool:
        return time.monotonic() - self._asked_at <= for_seconds


def reasons() -> dict[str, str]:
    """What is asked → why it is not as it should be; empty when it is. Names nobody, and no address."""
    found: dict[str, str] = {}
    applied: set[Migration] = set()
    away: set[str] = set()

    def question(connection: Connection) -> None:
        applied.update(
            (app, name) for app, name in rows(connection, "SELECT app, name FROM django_migrations")
        )
        if LEDGER in applied:
            away.update(app for (app,) in rows(connection, ledger.APPS_AWAY))

    try:
        ask(question, who="ready", seconds=SECONDS)
    except NoAnswer:
        found["database"] = NO_DATABASE
    else:
        # Those were undone on purpose, and the school goes on without their tables.
        if missing := [one for one in unapplied(applied) if one[0] not in away]:
            found["migrations"] = in_words(missing)
    if not switchboard.board.is_fresh():
        found["switchboard"] = STALE
    return found


def unapplied(applied: set[Migration]) -> Sequence[Migration]:
    """Of those that this release has. More may be applied: a newer release was here first."""
    return sorted(
        migration
        for migration, replaced in wanted().items()
        if migration not in applied and not (replaced and applied.issuperset(replaced))
    )


@cache
def wanted() -> dict[Migration, frozenset[Migration]]:
    """Each with those it replaces. Read once: a running process does not change its release."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    return {
        key: frozenset(migration.replaces)
        for key, migration in loader.graph.nodes.items()
        if migration
    }


def in_words(missing: Sequence[Migration]) -> str:
    first = ".".join(missing[0])
    count = "1 migration is" if len(missing) == 1 else f"{len(missing)} migrations are"
    return f"{count} not applied, first {first}; run manage.py migrate."


answers = Answers()
