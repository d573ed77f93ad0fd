"""What state the schema is in, and the one safe next action. Reads, changes nothing, and needs no table of
ours: what it looks at may be half there.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, ProgrammingError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils.translation import gettext as _
from psycopg.errors import LockNotAvailable

from rollback.doctor import checks
from rollback.doctor.findings import (
    AGAIN,
    BACKUP,
    BACKUPS,
    FINISH,
    KILL,
    LAST_WORD,
    REAPPLY,
    RESUME,
    SOUND,
    Diagnosis,
    Finding,
    State,
)
from rollback.domain.errors import without_rows
from rollback.schema import found
from rollback.schema.found import GROUND, Facts

__all__ = [
    "AGAIN",
    "BACKUP",
    "BACKUPS",
    "FINISH",
    "KILL",
    "REAPPLY",
    "RESUME",
    "SOUND",
    "Diagnosis",
    "Finding",
    "State",
    "examine",
    "older",
]


def examine(*, thorough: bool = False) -> Diagnosis:
    """thorough: also whether what lies in the archive is as it was put there, which reads all of it."""
    try:
        with _reading() as cursor:
            facts = found.look(cursor)
            seen = list(_seen(cursor, facts, thorough=thorough))
        if not any(one.state in LAST_WORD for one in seen):
            seen += _drift(facts)
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        seen = [_held()]
    worst, *others = sorted(seen, key=lambda one: list(State).index(one.state)) or [_sound(facts)]
    return Diagnosis(
        state=worst.state,
        words=worst.words,
        next=worst.next,
        also=tuple(one.words for one in others),
    )


def older() -> Finding | None:
    """The cheap part, for a start: a database that this code's migrations would only break."""
    with _reading() as cursor:
        facts = found.look(cursor)
    return checks.unknown(facts) or checks.out_of_order(facts)


@contextmanager
def _reading() -> Iterator[CursorWrapper]:
    begins = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if begins:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        yield cursor


def _seen(cursor: CursorWrapper, facts: Facts, *, thorough: bool) -> Iterator[Finding]:
    for first in (checks.empty, checks.unknown, checks.out_of_order):
        if finding := first(facts):
            yield finding
            return
    for check in checks.CHECKS:
        if finding := check(facts):
            yield finding
    for history in facts.histories:
        yield from checks.history(facts, history)
    for history in map(facts.history, GROUND):
        yield from checks.ground(facts, history)
    if thorough and (finding := checks.changed(cursor, facts)):
        yield finding


def _drift(facts: Facts) -> Iterator[Finding]:
    try:
        tables = found.drifted(facts)
    except ProgrammingError as error:
        # Somebody who may read only, or a server that only follows another.
        words = _("Whether tables were changed by hand could not be seen: %(error)s")
        yield Finding(state=State.DRIFT, words=words % {"error": without_rows(error)}, next=AGAIN)
        return
    if tables:
        words = _(
            "Not as the migrations make it: %(tables)s. Back up first, then put it right by hand."
        )
        listed = "; ".join(f"{name}: {', '.join(what)}" for name, what in tables.items())
        yield Finding(state=State.DRIFT, words=words % {"tables": listed}, next=BACKUP)


def _held() -> Finding:
    words = _("Somebody holds the tables for himself, as a migration does. Wait for it to end.")
    return Finding(state=State.UNDER_WAY, words=words, next=AGAIN)


def _sound(facts: Facts) -> Finding:
    if not facts.entries:
        words = _("All tables are in place, as the migrations make them.")
        return Finding(state=State.IN_PLACE, words=words, next="")
    words = _("The features' tables are in the archive: %(names)s.")
    purged = [str(one) for one in facts.entries if one.purged]
    if purged:
        words += " " + _("Of these, purged: %(purged)s.")
    names = checks.listed([str(one) for one in facts.entries])
    return Finding(
        state=State.ARCHIVED,
        words=words % {"names": names, "purged": checks.listed(purged)},
        next=REAPPLY,
    )
