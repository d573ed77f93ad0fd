"""What state the schema is in, and the one safe next action. Reads, changes nothing, and needs no table of
ours: what it looks at may be half there.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.conf import settings
from django.db import OperationalError, ProgrammingError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import TextChoices
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from psycopg.errors import LockNotAvailable

from rollback import registry
from rollback.domain.errors import without_rows
from rollback.schema import found
from rollback.schema.digest import digest
from rollback.schema.found import GROUND, Facts, History
from rollback.schema.ledger import Entry


class State(TextChoices):
    """From the worst to the best: where there are several, the first is the diagnosis."""

    EMPTY = "empty", gettext_lazy("nothing there yet")
    UNKNOWN = "unknown", gettext_lazy("made by another version")
    UNDER_WAY = "under_way", gettext_lazy("being changed right now")
    STOPPED = "stopped", gettext_lazy("stopped in the middle")
    FAKED = "faked", gettext_lazy("recorded otherwise than it is")
    LOST = "lost", gettext_lazy("tables missing")
    STRAY = "stray", gettext_lazy("archive and ledger disagree")
    HALF = "half", gettext_lazy("half of it away")
    DRIFT = "drift", gettext_lazy("tables changed by hand")
    WAITING = "waiting", gettext_lazy("migrations not applied")
    UNCHECKED = "unchecked", gettext_lazy("foreign keys not checked")
    UNSEALED = "unsealed", gettext_lazy("archive not counted")
    CHANGED = "changed", gettext_lazy("archived rows changed")
    ARCHIVED = "archived", gettext_lazy("archived")
    IN_PLACE = "in_place", gettext_lazy("in place")


SOUND = (State.IN_PLACE, State.ARCHIVED)
# After these nothing else can be told.
LAST_WORD = (State.EMPTY, State.UNKNOWN)

MANAGE = "python manage.py "
AGAIN = MANAGE + "rollback doctor"
BACKUP = MANAGE + "backup"
BACKUPS = MANAGE + "backup list"
FINISH = MANAGE + "rollback finish"
REAPPLY = MANAGE + 'rollback reapply --reason "they are needed again"'
RESUME = MANAGE + "rollback resume"
KILL = MANAGE + 'rollback kill --reason "tables are missing"'


@dataclass(frozen=True, kw_only=True)
class Finding:
    """next: a command; empty where there is nothing to do."""

    state: State
    words: str
    next: str


@dataclass(frozen=True, kw_only=True)
class Diagnosis(Finding):
    """also: what else was seen, to be looked at when the first is mended."""

    also: tuple[str, ...] = field(default=())

    @property
    def sound(self) -> bool:
        return self.state in SOUND


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
    return _unknown(facts) or _out_of_order(facts)


@contextmanager
def _reading() -> Iterator[CursorWrapper]:
    begins = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if begins:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        yield cursor


def _seen(cursor: CursorWrapper, facts: Facts, *, thorough: bool) -> Iterator[Finding]:
    for first in (_empty, _unknown, _out_of_order):
        if finding := first(facts):
            yield finding
            return
    for check in CHECKS:
        if finding := check(facts):
            yield finding
    for history in facts.histories:
        yield from _history(facts, history)
    for history in map(facts.history, GROUND):
        yield from _ground(facts, history)
    if thorough and (finding := _changed(cursor, facts)):
        yield finding


def _empty(facts: Facts) -> Finding | None:
    if any(facts.recorded.values()):
        return None
    words = _("No migration is recorded: there is no school in this database.")
    return Finding(state=State.EMPTY, words=words, next=MANAGE + "setup")


def _unknown(facts: Facts) -> Finding | None:
    if not (strangers := facts.strangers):
        return None
    app, name = strangers[0]
    words = _(
        "Another version of the school made this database: it has the migrations %(names)s, which are "
        "not in this code. Nothing was changed. Find the version that has them and work with that one; "
        "on a desk without anything to keep, make clean begins anew and removes all data in var/."
    )
    return Finding(
        state=State.UNKNOWN,
        words=words % {"names": _listed([f"{a}.{n}" for a, n in strangers])},
        next=f"git log --all --oneline -- {app}/migrations/{name}.py",
    )


def _out_of_order(facts: Facts) -> Finding | None:
    if not (pairs := facts.out_of_order):
        return None
    words = _(
        "%(names)s: recorded as applied, though what they build on is not. Such a history comes of another "
        "version or of migrate --fake. Nothing was changed; find out how it came about before anything else."
    )
    names = [f"{child} ({parent})" for child, parent in pairs]
    return Finding(
        state=State.UNKNOWN,
        words=words % {"names": _listed(names)},
        next=MANAGE + "showmigrations --plan",
    )


def _phase_run(facts: Facts) -> Finding | None:
    run = facts.run
    if run is None or run.status != "running":
        return None
    values = {"id": run.id, "step": run.step or "–", "who": run.owner or "–"}
    if run.held:
        words = _("Phase run %(id)s is under way (%(step)s), in the hands of %(who)s. Wait.")
        return Finding(state=State.UNDER_WAY, words=words % values, next=AGAIN)
    words = _(
        "Phase run %(id)s stopped in the middle (%(step)s), and %(who)s has let go of it. "
        "It goes on where it was."
    )
    return Finding(state=State.STOPPED, words=words % values, next=RESUME)


def _unchecked(facts: Facts) -> Finding | None:
    if not facts.unvalidated:
        return None
    words = _(
        "Foreign keys that hold for new rows only, because those that came back were not looked at yet: "
        "%(keys)s."
    )
    keys = _listed([f"{table}.{key}" for table, key in facts.unvalidated])
    return Finding(state=State.UNCHECKED, words=words % {"keys": keys}, next=FINISH)


def _unsealed(facts: Facts) -> Finding | None:
    names = [
        str(one)
        for one in facts.entries
        if one.digest is None and not one.purged and facts.lies(one)
    ]
    if not names:
        return None
    words = _("In the archive, but not counted yet: %(names)s.")
    return Finding(state=State.UNSEALED, words=words % {"names": _listed(names)}, next=FINISH)


def _gone(facts: Facts) -> Finding | None:
    """What the ledger says lies in the archive is neither there nor in its place."""
    names = [
        str(one)
        for one in facts.entries
        if not one.purged and not facts.lies(one) and not facts.is_home(one)
    ]
    if not names:
        return None
    words = _(
        "The ledger says that these are in the archive, and they are not: %(names)s. "
        "Their rows are only in backups."
    )
    return Finding(state=State.LOST, words=words % {"names": _listed(names)}, next=BACKUPS)


def _moved_by_hand(facts: Facts) -> Finding | None:
    """Without the foreign keys and triggers that their migrations would give them."""
    moved = [one for one in facts.entries if facts.moved_by_hand(one)]
    if not moved:
        return None
    words = _(
        "Moved out of the archive by hand, without what belongs to them: %(names)s. They are put back there, "
        "from where their migrations bring them home as they were."
    )
    recorded = [one.app for one in moved if facts.history(one.app).applied]
    right = f"{MANAGE}migrate --fake {recorded[0]} zero" if recorded else FINISH
    names = _listed([str(one) for one in moved])
    return Finding(state=State.STRAY, words=words % {"names": names}, next=right)


def _strays(facts: Facts) -> Finding | None:
    if not (names := facts.strays):
        return None
    words = _(
        "In the archive, and the ledger knows nothing of it: %(names)s. No migration will bring it back; "
        "make a backup before anything else."
    )
    return Finding(state=State.STRAY, words=words % {"names": _listed(names)}, next=BACKUP)


def _half(facts: Facts) -> Finding | None:
    """Some of the features' migrations undone with what is in the archive, others not."""
    if not facts.entries or not any(one.applied for one in facts.histories):
        return None
    words = _(
        "Half of it is away: applied are %(here)s; in the archive are %(away)s. Nothing is lost."
    )
    here = [f"{one.app} ({one.at})" for one in facts.histories if one.applied]
    away = [str(one) for one in facts.entries]
    return Finding(
        state=State.HALF,
        words=words % {"here": _listed(here), "away": _listed(away)},
        next=REAPPLY,
    )


CHECKS: tuple[Callable[[Facts], Finding | None], ...] = (
    _phase_run,
    _gone,
    _moved_by_hand,
    _strays,
    _half,
    _unchecked,
    _unsealed,
)


def _history(facts: Facts, history: History) -> Iterator[Finding]:
    """What is recorded of an app's migrations beside the tables and columns that are there."""
    if any(map(facts.moved_by_hand, facts.away_of(history.app))):
        return
    if facts.fits(history, history.applied):
        # What was archived waits for its own word.
        if history.waiting and not facts.away_of(history.app):
            yield _waiting(history)
        return
    really = facts.really(history)
    if really is None:
        yield _missing(facts, history)
    else:
        yield _faked(facts, history, really)


def _ground(facts: Facts, history: History) -> Iterator[Finding]:
    """Of the floors that are never taken away: whether all is there, and up to date."""
    if facts.lacking(history):
        yield _missing(facts, history)
    if history.waiting:
        yield _waiting(history)


def _waiting(history: History) -> Finding:
    words = _("Not applied yet: %(names)s.")
    names = _listed([f"{history.app}.{name}" for name in history.waiting])
    return Finding(
        state=State.WAITING,
        words=words % {"names": names},
        next=MANAGE + ("safe_migrate" if settings.PRODUCTION else "setup"),
    )


def _faked(facts: Facts, history: History, really: int) -> Finding:
    there = history.names[really - 1] if really else "zero"
    words = _(
        "%(app)s is recorded as at %(recorded)s, but its tables are as at %(there)s: migrate --fake, or "
        "tables made or taken away by hand. The record is put right without touching a table."
    )
    values = {"app": history.app, "recorded": history.at, "there": there}
    right = f"{MANAGE}migrate --fake {history.app} {there}"
    burning = _flags_on(facts, history.app) if really < history.applied else []
    return Finding(state=State.FAKED, words=words % values, next=KILL if burning else right)


def _missing(facts: Facts, history: History) -> Finding:
    lacking = facts.lacking(history)
    if not lacking:
        words = _(
            "The tables of %(app)s are those of no migration of it. See what was changed by hand."
        )
        return Finding(state=State.DRIFT, words=words % {"app": history.app}, next=BACKUP)
    words = _(
        "Missing, and not in the archive: %(names)s. No migration will bring the rows back; backups may."
    )
    burning = _flags_on(facts, history.app)
    return Finding(
        state=State.LOST,
        words=words % {"names": _listed(lacking)},
        next=KILL if burning else BACKUPS,
    )


def _flags_on(facts: Facts, app: str) -> list[str]:
    """Of features that are on though their tables are not there, and the ledger does not say so."""
    away = {one.app for one in facts.entries}
    return [
        flag
        for flag in facts.flags
        if registry.is_built_on(flag, [app]) and not registry.is_built_on(flag, away)
    ]


def _changed(cursor: CursorWrapper, facts: Facts) -> Finding | None:
    names = [str(one) for one in facts.entries if facts.lies(one) and _differs(cursor, one)]
    if not names:
        return None
    words = _("These rows of the archive are not as they were put there: %(names)s.")
    return Finding(
        state=State.CHANGED,
        words=words % {"names": _listed(names)},
        next=MANAGE + "rollback archive list",
    )


def _differs(cursor: CursorWrapper, entry: Entry) -> bool:
    return bool(entry.digest) and digest(cursor, entry.schema, entry.name) != entry.digest


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
    names = _listed([str(one) for one in facts.entries])
    return Finding(
        state=State.ARCHIVED,
        words=words % {"names": names, "purged": _listed(purged)},
        next=REAPPLY,
    )


def _listed(names: list[str]) -> str:
    return str(get_text_list(names, _("and")))
