"""Tables and columns into the archive: the statements, each inside the migration's transaction."""

from functools import partial
from hashlib import blake2b
from typing import Any

from django.db import transaction
from django.db.backends.utils import CursorWrapper
from django.utils.translation import gettext as _
from psycopg import sql

from rollback.schema import catalog, ledger
from rollback.schema.catalog import ARCHIVE, PUBLIC
from rollback.schema.ledger import Entry

LONGEST = 63  # bytes of a name


class ArchiveRefused(Exception):
    """Nothing was moved; the message says what to do."""


class TableIsUsed(ArchiveRefused):
    pass


class PlaceIsTaken(ArchiveRefused):
    """Something of that name is in the archive, of which the ledger does not know."""


class NotThere(ArchiveRefused):
    """The ledger knows of it, and it is not in the archive."""


class ShapeChanged(ArchiveRefused):
    """What is in the archive does not fit into the table as it is now."""


def put_away(cursor: CursorWrapper, *, app: str, table: str) -> None:
    """The table, with its indexes, checks, sequences and rows, into the archive: the work is the same for
    any number of rows. Its foreign keys are taken off, so that nothing on the ground floor waits for it.

    :raises TableIsUsed:
    :raises PlaceIsTaken:
    """
    _lock(cursor, table)
    _check_place(cursor, table)
    if users := catalog.used_by(cursor, PUBLIC, table):
        words = _(
            "%(table)s cannot be archived while it is used by %(users)s. Take that away first."
        )
        raise TableIsUsed(words % {"table": table, "users": ", ".join(users)})
    keys = catalog.foreign_keys(cursor, PUBLIC, table)
    shape = catalog.shape(cursor, PUBLIC, table)
    for key in keys:
        alter(cursor, PUBLIC, table, "DROP CONSTRAINT {}", sql.Identifier(key.name))
    make_archive(cursor)
    alter(cursor, PUBLIC, table, "SET SCHEMA {}", sql.Identifier(ARCHIVE))
    entry = ledger.add(
        cursor,
        app=app,
        table=table,
        archived_as=(ARCHIVE, table),
        shape=shape,
        foreign_keys=keys,
    )
    afterwards(cursor, partial(ledger.seal, entry))


def put_back(cursor: CursorWrapper, entry: Entry) -> None:
    """A table that somebody has taken out of the archive past its migrations: to where the ledger says."""
    for key in catalog.foreign_keys(cursor, PUBLIC, entry.table):
        alter(cursor, PUBLIC, entry.table, "DROP CONSTRAINT {}", sql.Identifier(key.name))
    alter(cursor, PUBLIC, entry.table, "SET SCHEMA {}", sql.Identifier(entry.schema))


def put_column_away(cursor: CursorWrapper, *, app: str, table: str, pk: str, column: str) -> None:
    """The column's values, each with its row's key, into a table of the archive. The column stays for now."""
    _lock(cursor, table)
    make_archive(cursor)
    name = column_archive(table, column)
    _check_place(cursor, name)
    cursor.execute(copy_of_column(table, pk, column))
    alter(cursor, ARCHIVE, name, "ADD PRIMARY KEY ({})", sql.Identifier(pk))
    entry = ledger.add(
        cursor,
        app=app,
        table=table,
        column=column,
        archived_as=(ARCHIVE, name),
        shape=catalog.shape(cursor, ARCHIVE, name),
    )
    afterwards(cursor, partial(ledger.seal, entry))


def copy_of_column(table: str, pk: str, column: str) -> str:
    return (
        sql.SQL("CREATE TABLE {} AS SELECT {}, {} FROM {}")
        .format(
            sql.Identifier(ARCHIVE, column_archive(table, column)),
            sql.Identifier(pk),
            sql.Identifier(column),
            sql.Identifier(PUBLIC, table),
        )
        .as_string(None)
    )


def _check_place(cursor: CursorWrapper, name: str) -> None:
    if catalog.exists(cursor, ARCHIVE, name):
        words = _(
            "There is a table %(name)s in the schema %(archive)s already, of which the ledger does not know. "
            "Look at it, and move or drop it first."
        )
        raise PlaceIsTaken(words % {"name": name, "archive": ARCHIVE})


def check_there(cursor: CursorWrapper, entry: Entry) -> None:
    if not catalog.exists(cursor, entry.schema, entry.name):
        words = _(
            "%(what)s is not in the archive any more, where it should be: %(place)s. Restore it there from a "
            "backup; or have it remembered as deleted for good: manage.py rollback archive purge"
        )
        raise NotThere(words % {"what": entry, "place": f"{entry.schema}.{entry.name}"})


def column_archive(table: str, column: str) -> str:
    """PostgreSQL would cut longer names, in silence, and two of them might become one."""
    name = f"{table}__{column}"
    if len(name.encode()) <= LONGEST:
        return name
    return f"{table[:20]}__{column[:20]}_{blake2b(name.encode(), digest_size=8).hexdigest()}"


def make_archive(cursor: CursorWrapper) -> None:
    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {ARCHIVE}")


def _lock(cursor: CursorWrapper, table: str) -> None:
    """Before it is looked at: a plain `migrate` has not locked it, and whoever writes after we have read and
    before we move would write for nothing.
    """
    name = sql.Identifier(PUBLIC, table)
    cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(name))


def alter(cursor: CursorWrapper, schema: str, table: str, what: str, name: sql.Identifier) -> None:
    cursor.execute(sql.SQL("ALTER TABLE {} " + what).format(sql.Identifier(schema, table), name))


def afterwards(cursor: CursorWrapper, do: Any) -> None:
    """After COMMIT, when nobody waits for the table any more. What goes wrong then is logged, for the tables
    have moved all the same; the doctor sees it, and `rollback finish` does it again.
    """
    using = cursor.db.alias

    def after_commit() -> None:
        # Django logs it by its name, which a partial has not.
        do(using=using)

    transaction.on_commit(after_commit, using=using, robust=True)
