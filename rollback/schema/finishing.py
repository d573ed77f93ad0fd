"""What follows a migration's COMMIT, for when it was cut off there: counting what went, checking what came
back, and putting back what somebody took out of the archive by hand. May be done at any time, and again.
"""

from django.db import connection, transaction
from django.utils.translation import gettext as _

from rollback.schema import archive, found, ledger, returning
from rollback.schema.found import Facts


def finish_all() -> list[str]:
    """:returns: a sentence for each thing that was done"""
    with connection.cursor() as cursor:
        facts = found.look(cursor)
    return [*_put_back(facts), *_believed(facts), *_counted(facts), *_checked(facts)]


def _counted(facts: Facts) -> list[str]:
    done = []
    for entry in facts.entries:
        if entry.digest is None and facts.lies(entry) and (digest := ledger.seal(entry.id)):
            words = _("%(name)s counted in the archive: %(rows)s rows.")
            done.append(words % {"name": entry, "rows": digest.rows})
    return done


def _checked(facts: Facts) -> list[str]:
    done = []
    for table in dict.fromkeys(table for table, _key in facts.unvalidated):
        with connection.cursor() as cursor:
            entry = ledger.newest_return(cursor, table)
        if entry:
            returning.finish(table, entry)
            done.append(_("The foreign keys of %(table)s are checked.") % {"table": table})
    return done


def _put_back(facts: Facts) -> list[str]:
    moved = [
        one
        for one in facts.entries
        if facts.moved_by_hand(one) and not facts.history(one.app).applied
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        for entry in moved:
            archive.put_back(cursor, entry)
    words = _("%(name)s is in the archive again.")
    return [words % {"name": entry} for entry in moved]


def _believed(facts: Facts) -> list[str]:
    """Columns that somebody has added and filled himself."""
    done = []
    for entry in facts.entries:
        if entry.column and not facts.lies(entry) and facts.is_home(entry):
            with connection.cursor() as cursor:
                ledger.came_back(cursor, entry, by_hand=True)
            done.append(_("The ledger knows now that %(name)s is back.") % {"name": entry})
    return done
