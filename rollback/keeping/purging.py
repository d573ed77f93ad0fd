"""Deleting for good what has been in the archive for long. Its ledger entry stays."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils.translation import gettext as _
from psycopg import sql

from rollback.audit import Actor, ChangeRefused
from rollback.keeping.shelf import Kept, shelf
from rollback.models import Incident, PhaseRun
from rollback.schema import catalog, ledger
from rollback.schema.digest import digest

KEPT_FOR = timedelta(days=30)
LOCK = "SELECT id FROM rollback_ledgerentry ORDER BY id FOR UPDATE"


class PurgeRefused(ChangeRefused):
    """Nothing was deleted; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Purged:
    """rows: of the table or copy. orphans: rows that had been set aside."""

    what: Kept
    rows: int
    orphans: int


def purge(
    *, confirmed: Collection[Kept], older_than: timedelta = KEPT_FOR, actor: Actor, reason: str
) -> list[Purged]:
    """All of it or nothing, and no more than that.

    confirmed: what a person was shown and said yes to; of `too_old`. older_than: in the archive; what is
    left of something that came back, since it came back.
    :raises PurgeRefused: also where what was confirmed is not as it was shown any more
    """
    _check(older_than, actor, reason)
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        # Nothing comes back, and nobody is erased, meanwhile.
        cursor.execute(LOCK)
        done = [_purge(cursor, one, actor, reason) for one in _as_confirmed(confirmed, older_than)]
        # Last: who opened an incident or asked for a phase in between needs what there is to bring back.
        _refuse_while_it_may_be_needed()
    return done


def _as_confirmed(confirmed: Collection[Kept], older_than: timedelta) -> list[Kept]:
    """What came to it since then was shown to nobody: it stays. :raises PurgeRefused:"""
    now = {one.entry: one for one in too_old(older_than)}
    changed = [
        str(one)
        for one in confirmed
        if one.entry not in now or _shown(now[one.entry]) != _shown(one)
    ]
    if changed:
        words = _(
            "Nothing was deleted: %(tables)s changed after it was shown. Look at it again: manage.py "
            "rollback archive list"
        )
        raise PurgeRefused(words % {"tables": ", ".join(changed)})
    return [now[one.entry] for one in confirmed]


def _shown(one: Kept) -> tuple[object, ...]:
    return one.schema, one.name, one.rows, one.orphans, one.is_back, one.is_purged


def too_old(older_than: timedelta) -> list[Kept]:
    return [one for one in shelf() if one.age >= older_than and (one.has_table or one.orphans)]


def _check(older_than: timedelta, actor: Actor, reason: str) -> None:
    if older_than < timedelta():
        raise PurgeRefused(_("Give an age that is not negative, like 30d."))
    if not reason.strip():
        raise PurgeRefused(
            _("A reason is needed: one sentence for whoever asks later where it is.")
        )
    if actor.automatic:
        raise PurgeRefused(_("Deleting for good needs a person."))
    _refuse_while_it_may_be_needed()


def _refuse_while_it_may_be_needed() -> None:
    opened = Incident.objects.filter(resolved_at=None).order_by("pk")
    if numbers := list(opened.values_list("pk", flat=True)):
        words = _(
            "Incident %(numbers)s is open, and what is in the archive may be needed for it. Resolve it "
            "first: manage.py rollback incident resolve"
        )
        raise PurgeRefused(words % {"numbers": ", ".join(map(str, numbers))})
    if (run := PhaseRun.objects.filter(status__in=PhaseRun.LIVE).first()) is not None:
        words = _(
            "Phase run %(number)s is not over, and it is about what is in the archive. Wait for its end, or "
            "cancel it: manage.py rollback phases %(number)s --cancel REASON"
        )
        raise PurgeRefused(words % {"number": run.pk})


def _purge(cursor: CursorWrapper, one: Kept, actor: Actor, reason: str) -> Purged:
    rows = _drop(cursor, one) if one.has_table else 0
    cursor.execute("DELETE FROM rollback_orphan WHERE entry_id = %s", [one.entry])
    cursor.execute(
        "UPDATE rollback_ledgerentry SET rows = CASE WHEN %(away)s THEN %(rows)s ELSE rows END,"
        " purged_at = statement_timestamp(), purged_by_id = %(user)s, purged_by_name = %(name)s,"
        " purged_because = %(reason)s WHERE id = %(entry)s",
        {
            "away": not one.is_back,
            "rows": rows,
            "user": actor.user.pk if actor.user is not None else None,
            "name": actor.name[:150],
            "reason": reason.strip(),
            "entry": one.entry,
        },
    )
    fact = {"rows": rows, "orphans": one.orphans}
    ledger.add_to_report(cursor, one.entry, **{"deleted for good": fact})
    return Purged(what=one, rows=rows, orphans=one.orphans)


def _drop(cursor: CursorWrapper, one: Kept) -> int:
    if not catalog.exists(cursor, one.schema, one.name):
        return 0  # somebody was quicker, by hand
    if users := catalog.used_by(cursor, one.schema, one.name):
        words = _("%(table)s of the archive is used by %(users)s. Take that away first.")
        raise PurgeRefused(words % {"table": one, "users": ", ".join(users)})
    rows = digest(cursor, one.schema, one.name).rows
    cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(one.schema, one.name)))
    if one.schema != catalog.ARCHIVE:
        cursor.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(one.schema)))
    return rows


def in_words(done: Sequence[Purged]) -> list[str]:
    return [
        _("%(what)s: %(rows)s rows and %(orphans)s rows set aside deleted for good.")
        % {"what": one.what, "rows": one.rows, "orphans": one.orphans}
        for one in done
    ]
