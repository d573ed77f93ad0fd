"""What is seen in the facts: each a sentence, and what to do about it. Changes nothing."""

from collections.abc import Callable, Iterator

from django.conf import settings
from django.db.backends.utils import CursorWrapper
from django.utils.text import get_text_list
from django.utils.translation import gettext as _

from rollback import registry
from rollback.doctor.findings import (
    AGAIN,
    BACKUP,
    BACKUPS,
    FINISH,
    KILL,
    MANAGE,
    REAPPLY,
    RESUME,
    Finding,
    State,
)
from rollback.schema.digest import digest
from rollback.schema.found import Facts, History
from rollback.schema.ledger import Entry


def empty(facts: Facts) -> Finding | None:
    if any(facts.recorded.values()):
        return None
    words = _("No migration is recorded: there is no school in this database.")
    return Finding(state=State.EMPTY, words=words, next=MANAGE + "setup")


def unknown(facts: Facts) -> Finding | None:
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
        words=words % {"names": listed([f"{a}.{n}" for a, n in strangers])},
        next=f"git log --all --oneline -- {app}/migrations/{name}.py",
    )


def out_of_order(facts: Facts) -> Finding | None:
    if not (pairs := facts.out_of_order):
        return None
    words = _(
        "%(names)s: recorded as applied, though what they build on is not. Such a history comes of another "
        "version or of migrate --fake. Nothing was changed; find out how it came about before anything else."
    )
    names = [f"{child} ({parent})" for child, parent in pairs]
    return Finding(
        state=State.UNKNOWN,
        words=words % {"names": listed(names)},
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


def _run_failed(facts: Facts) -> Finding | None:
    """One that has moved tables, or was to bring them back, and did not get to its end."""
    run = facts.run
    if run is None or run.status != "failed" or not run.moves or not facts.entries:
        return None
    words = _(
        "Phase run %(id)s failed (%(step)s), and tables are in the archive: %(names)s. Why stands in "
        "manage.py rollback phases. When that is put right, it goes on where it was."
    )
    values = {
        "id": run.id,
        "step": run.step or "–",
        "names": listed([str(one) for one in facts.entries]),
    }
    return Finding(state=State.STOPPED, words=words % values, next=RESUME)


def _unchecked(facts: Facts) -> Finding | None:
    if not facts.unvalidated:
        return None
    words = _(
        "Foreign keys that hold for new rows only, because those that came back were not looked at yet: "
        "%(keys)s."
    )
    keys = listed([f"{table}.{key}" for table, key in facts.unvalidated])
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
    return Finding(state=State.UNSEALED, words=words % {"names": listed(names)}, next=FINISH)


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
    return Finding(state=State.LOST, words=words % {"names": listed(names)}, next=BACKUPS)


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
    names = listed([str(one) for one in moved])
    return Finding(state=State.STRAY, words=words % {"names": names}, next=right)


def _strays(facts: Facts) -> Finding | None:
    if not (names := facts.strays):
        return None
    words = _(
        "In the archive, and the ledger knows nothing of it: %(names)s. No migration will bring it back; "
        "make a backup before anything else."
    )
    return Finding(state=State.STRAY, words=words % {"names": listed(names)}, next=BACKUP)


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
        words=words % {"here": listed(here), "away": listed(away)},
        next=REAPPLY,
    )


CHECKS: tuple[Callable[[Facts], Finding | None], ...] = (
    _phase_run,
    _run_failed,
    _gone,
    _moved_by_hand,
    _strays,
    _half,
    _unchecked,
    _unsealed,
)


def history(facts: Facts, history: History) -> Iterator[Finding]:
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


def ground(facts: Facts, history: History) -> Iterator[Finding]:
    """Of the floors that are never taken away: whether all is there, and up to date."""
    if facts.lacking(history):
        yield _missing(facts, history)
    if history.waiting:
        yield _waiting(history)


def _waiting(history: History) -> Finding:
    words = _("Not applied yet: %(names)s.")
    names = listed([f"{history.app}.{name}" for name in history.waiting])
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
        words=words % {"names": listed(lacking)},
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


def changed(cursor: CursorWrapper, facts: Facts) -> Finding | None:
    names = [str(one) for one in facts.entries if facts.lies(one) and _differs(cursor, one)]
    if not names:
        return None
    words = _("These rows of the archive are not as they were put there: %(names)s.")
    return Finding(
        state=State.CHANGED,
        words=words % {"names": listed(names)},
        next=MANAGE + "rollback archive list",
    )


def _differs(cursor: CursorWrapper, entry: Entry) -> bool:
    return bool(entry.digest) and digest(cursor, entry.schema, entry.name) != entry.digest


def listed(names: list[str]) -> str:
    return str(get_text_list(names, _("and")))
