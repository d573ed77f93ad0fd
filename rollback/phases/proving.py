"""The rows before and after, table by table."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.utils.translation import gettext as _

from rollback.domain.phases import Phase, is_explained
from rollback.models import PhaseRun
from rollback.phases import homecoming, parents
from rollback.schema import catalog, ledger, reverse
from rollback.schema.digest import Beside, Digest, digest
from rollback.schema.ledger import Entry

# Rows and digest; the latter as text, for JSON has no numbers so long.
Counted = list[Any]


def digests(apps: Collection[str]) -> dict[str, Counted]:
    """Of the tables as they are now, each in a reading of its own."""
    found = {}
    for table in sorted(reverse.present(apps)):
        with connection.cursor() as cursor:
            found[table] = _counted(digest(cursor, catalog.PUBLIC, table))
    return found


def _counted(found: Digest) -> Counted:
    return [found.rows, str(found.total)]


def prove(run: PhaseRun) -> dict[str, Any]:
    """:returns: by table what was before and what is now, and whether both are equal."""
    if run.target == Phase.BACK:
        return homecoming.prove(run)
    entries = [one for one in _entries(run.proof["ledger"]) if not one.purged]
    after = {str(one): _sealed(one) for one in entries}
    whole = {
        one.table: _whole(one, [other for other in entries if _is_column_of(other, one)])
        for one in entries
        if not one.column
    }
    before, gone = run.proof["before"], parents.deleted(run.proof.get("parents") or {})
    compared = {
        table: {"before": before.get(table), "after": whole.get(table)}
        | parents.explains(table, gone)
        for table in sorted({*before, *whole})
    }
    different = [name for name, one in compared.items() if not is_explained(one)]
    told = {"compared": compared, "different": different, "equal": not different}
    return told | {"archived": after}


def _is_column_of(one: Entry, table: Entry) -> bool:
    return bool(one.column) and one.table == table.table


def _sealed(entry: Entry) -> Counted | None:
    """Whoever died after COMMIT has not counted it."""
    found = entry.digest or ledger.seal(entry.id)
    return None if found is None else _counted(found)


def _whole(entry: Entry, columns: Sequence[Entry]) -> Counted | None:
    """The table with those of its columns that lie beside it."""
    with connection.cursor() as cursor:
        beside = [
            Beside(
                schema=one.schema,
                name=one.name,
                column=one.column,
                key=_key(cursor, one),
            )
            for one in columns
        ]
        if not beside:
            return _sealed(entry)
        return _counted(digest(cursor, entry.schema, entry.name, beside=beside))


def _key(cursor: CursorWrapper, entry: Entry) -> str:
    columns = catalog.shape(cursor, entry.schema, entry.name).columns
    return next(name for name in columns if name != entry.column)


def _entries(ids: Sequence[int]) -> list[Entry]:
    with connection.cursor() as cursor:
        return [one for one in ledger.away(cursor) if one.id in ids]


def archived(apps: Collection[str]) -> dict[str, Counted]:
    """By table, what lies in the archive now, each with its columns that lie beside it."""
    with connection.cursor() as cursor:
        entries = [one for app in apps for one in ledger.away(cursor, app=app) if not one.purged]
    found = {
        one.table: _whole(one, [other for other in entries if _is_column_of(other, one)])
        for one in entries
        if not one.column
    }
    return {table: counted for table, counted in found.items() if counted}


def in_words(run: PhaseRun) -> str:
    words = _compared_in_words(run)
    if purged := run.proof.get("purged"):
        said = _("Deleted for good while in the archive, and empty now: %(names)s.")
        words = f"{words} {said % {'names': ', '.join(purged)}}"
    return words


def _compared_in_words(run: PhaseRun) -> str:
    compared = run.proof["compared"]
    if run.proof["equal"]:
        rows = sum(one["before"][0] for one in compared.values() if one["before"])
        words = _("%(tables)s tables, %(rows)s rows: every one is the same as before.")
        if aside := run.proof.get("orphans"):
            words = _(
                "%(tables)s tables, %(rows)s rows: as before, but for %(aside)s whose other half is gone."
            )
            return words % {"tables": len(compared), "rows": rows, "aside": aside}
        if any(one["before"] != one["after"] for one in compared.values()):
            words = _(
                "%(tables)s tables, %(rows)s rows: as before, but for %(gone)s that went with whoever was "
                "deleted on the ground floor meanwhile."
            )
            return words % {"tables": len(compared), "rows": rows, "gone": rows_gone(compared)}
        return words % {"tables": len(compared), "rows": rows}
    told = ", ".join(_row_words(table, compared[table]) for table in run.proof["different"])
    return _("Not the same as before: %(tables)s.") % {"tables": told}


def _row_words(table: str, one: Mapping[str, Any]) -> str:
    return _("%(table)s: %(before)s rows before, %(after)s after") % {
        "table": table,
        "before": (one["before"] or ["?"])[0],
        "after": (one["after"] or ["?"])[0],
    }


def rows_gone(compared: Mapping[str, Any]) -> int:
    return sum(
        one["before"][0] - one["after"][0]
        for one in compared.values()
        if one["before"] and one["after"]
    )
