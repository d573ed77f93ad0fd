"""What no feature knows of any more: copies left behind, rows set aside, values without their row."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from psycopg import sql

from enrollment import personal
from enrollment.models import Student, Teacher, User
from enrollment.personal import OutOfReach
from rollback.models import LedgerEntry, Orphan
from rollback.schema import catalog, ledger
from rollback.schema.catalog import ARCHIVE, PUBLIC
from rollback.schema.ledger import Entry

# As PostgreSQL writes it: FOREIGN KEY (teacher_id) REFERENCES enrollment_teacher(id) ON DELETE CASCADE …
KEY = re.compile(r'FOREIGN KEY \("?(\w+)"?\) REFERENCES (?:"?\w+"?\.)?"?(\w+)"?\(')
PEOPLE = (User, Student, Teacher)
TABLES = frozenset(model._meta.db_table for model in PEOPLE)
LEFT = (
    f"SELECT {ledger.WANTED} FROM rollback_ledgerentry"  # noqa: S608
    f" WHERE back_at IS NOT NULL AND purged_at IS NULL AND archived_as LIKE '{ARCHIVE}\\_kept\\_%%'"
    " ORDER BY id"
)
ASIDE = (
    f"SELECT {ledger.WANTED} FROM rollback_ledgerentry"  # noqa: S608
    " WHERE purged_at IS NULL AND (back_at IS NULL AND kind = 'column'"
    f" OR back_at IS NOT NULL AND archived_as LIKE '{ARCHIVE}\\_kept\\_%%') ORDER BY id"
)


class Person:
    """keys: the person's, by the table of people that they are keys of; asked for when something is there."""

    def __init__(self, user: User) -> None:
        self.user = user

    @cached_property
    def keys(self) -> Mapping[str, Sequence[int]]:
        roles = {
            model._meta.db_table: list(
                model._default_manager.filter(user=self.user).values_list("pk", flat=True)
            )
            for model in (Student, Teacher)
        }
        return {User._meta.db_table: [self.user.pk], **roles}


def links_to_people(definitions: Collection[str]) -> dict[str, str]:
    """Column → the table of people that it refers to. definitions: of foreign keys, in PostgreSQL's words."""
    found = (KEY.match(one) for one in definitions)
    return {match[1]: match[2] for match in found if match and match[2] in TABLES}


def key_of(entry: Entry) -> str:
    """Of a column that lies aside: by what its values are told apart."""
    (key,) = set(entry.columns) - {entry.column}
    return key


def erase_person(user: User) -> None:
    """What refers to them, of what was left behind and set aside. In what may come back they are erased
    by whoever put them there (`within_reach`).
    """
    person = Person(user)
    with connection.cursor() as cursor:
        for entry, links in _left(cursor):
            _delete(cursor, entry, links, person)
    for found, _links in _orphans(person):
        found.delete()
    LedgerEntry.objects.filter(purged_by=user).update(purged_by_name=f"person {user.pk}")


def copy_for(user: User, *, glancing: bool = False) -> dict[str, Any]:
    """:raises OutOfReach: something is lost, and not only glanced at"""
    person = Person(user)
    with connection.cursor() as cursor:
        left = [
            {"table": entry.table, **_said(row, links, person)}
            for entry, links in _left(cursor, glancing=glancing)
            for row in _rows(cursor, entry, links, person)
        ]
    purged = LedgerEntry.objects.filter(purged_by=user).order_by("pk")
    return {
        "set_aside": [
            {"table": orphan.entry.table, **_said(orphan.row, links, person)}
            for found, links in _orphans(person)
            for orphan in found.select_related("entry").order_by("pk")
        ],
        "left_behind": left,
        "purged": list(purged.values("table", "column", "purged_at", "purged_because")),
    }


def concerns(user: User) -> bool:
    return any(copy_for(user, glancing=True).values())


def forget_the_lost(cursor: CursorWrapper) -> None:
    """Values and copies of rows that are gone: whoever deletes a row does not know of them.

    :raises OutOfReach:
    """
    cursor.execute(ASIDE)
    for entry in [ledger.entry_of(row) for row in cursor.fetchall()]:
        place, home = _aside(cursor, entry), _home_of(cursor, entry.table)
        if place is None or home is None:
            continue
        keys = [key_of(entry)] if entry.column else _primary_key(cursor, entry)
        same = sql.SQL(" AND ").join(
            sql.SQL("t.{k} = a.{k}").format(k=sql.Identifier(key)) for key in keys
        )
        cursor.execute(
            sql.SQL("DELETE FROM {} a WHERE NOT EXISTS (SELECT FROM {} t WHERE {})").format(
                sql.Identifier(*place), sql.Identifier(*home), same
            )
        )
        if cursor.rowcount:
            ledger.add_to_report(
                cursor, entry.id, **{"rows of rows that are gone": cursor.rowcount}
            )


def _home_of(cursor: CursorWrapper, table: str) -> tuple[str, str] | None:
    """Where its rows are now."""
    if (away := ledger.waiting(cursor, table=table)) is not None:
        return None if away.purged else ledger.place_of(cursor, away)
    return (PUBLIC, table) if catalog.exists(cursor, PUBLIC, table) else None


def _primary_key(cursor: CursorWrapper, entry: Entry) -> list[str]:
    cursor.execute(
        """SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
            WHERE indrelid = %s::regclass AND indisprimary""",
        [catalog.qualified(entry.schema, entry.name)],
    )
    return [name for (name,) in cursor.fetchall()]


def _aside(cursor: CursorWrapper, entry: Entry) -> tuple[str, str] | None:
    """None of a column that somebody has put back by hand. :raises OutOfReach:"""
    if not is_kept(entry):
        return ledger.place_of(cursor, entry)
    check_kept(cursor, entry)
    return entry.schema, entry.name


def is_kept(entry: Entry) -> bool:
    """Left behind when it came back: under the same name there is another table now."""
    return entry.schema != ARCHIVE


def check_kept(cursor: CursorWrapper, entry: Entry) -> None:
    """:raises OutOfReach:"""
    if not catalog.exists(cursor, entry.schema, entry.name):
        raise lost([entry])


def lost(entries: Sequence[Entry]) -> OutOfReach:
    words = _(
        "Not where it should be: %(places)s. Until it is found nobody’s data can be copied or erased whole. "
        "This says what to do: manage.py rollback doctor"
    )
    places = ", ".join(f"{one.schema}.{one.name}" for one in entries)
    return OutOfReach(words % {"places": places})


def _left(cursor: CursorWrapper, *, glancing: bool = False) -> list[tuple[Entry, dict[str, str]]]:
    """Each with how its rows lead to people. A column that was left behind has only its row's key.

    :raises OutOfReach:
    """
    cursor.execute(LEFT)
    entries = [ledger.entry_of(row) for row in cursor.fetchall()]
    found = [(one, links_to_people(_definitions(cursor, one))) for one in entries]
    theirs = [(entry, links) for entry, links in found if links]
    if glancing:
        return [
            (one, links) for one, links in theirs if catalog.exists(cursor, one.schema, one.name)
        ]
    for entry, _links in theirs:
        check_kept(cursor, entry)
    return theirs


def _definitions(cursor: CursorWrapper, entry: Entry) -> list[str]:
    if not entry.column:
        return list(entry.foreign_keys.values())
    if catalog.exists(cursor, PUBLIC, entry.table):
        return [key.definition for key in catalog.foreign_keys(cursor, PUBLIC, entry.table)]
    away = ledger.waiting(cursor, table=entry.table)
    return list(away.foreign_keys.values()) if away else []


def _delete(cursor: CursorWrapper, entry: Entry, links: Mapping[str, str], person: Person) -> None:
    if (where := _where(cursor, entry, links, person)) is not None:
        cursor.execute(
            sql.SQL("DELETE FROM {} a WHERE ").format(sql.Identifier(entry.schema, entry.name))
            + where
        )


def _rows(
    cursor: CursorWrapper, entry: Entry, links: Mapping[str, str], person: Person
) -> list[dict[str, Any]]:
    if (where := _where(cursor, entry, links, person)) is None:
        return []
    cursor.execute(
        sql.SQL("SELECT a.* FROM {} a WHERE ").format(sql.Identifier(entry.schema, entry.name))
        + where
    )
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _where(
    cursor: CursorWrapper, entry: Entry, links: Mapping[str, str], person: Person
) -> sql.Composed | None:
    row = "t" if entry.column else "a"
    theirs = sql.SQL(" OR ").join(
        sql.SQL("{} = ANY ({})").format(
            sql.Identifier(row, column), sql.Literal(list(person.keys[table]))
        )
        for column, table in links.items()
    )
    if not entry.column:
        return sql.SQL("({})").format(theirs)
    if (home := _home_of(cursor, entry.table)) is None:
        return None
    key = sql.Identifier(key_of(entry))
    return sql.SQL("EXISTS (SELECT FROM {} t WHERE t.{} = a.{} AND ({}))").format(
        sql.Identifier(*home), key, key, theirs
    )


def _orphans(person: Person) -> Iterator[tuple[QuerySet[Orphan], dict[str, str]]]:
    """Theirs, by the table that the rows were of."""
    for entry in LedgerEntry.objects.filter(Exists(Orphan.objects.filter(entry=OuterRef("pk")))):
        links = links_to_people(entry.foreign_keys.values())
        theirs = Q(pk__in=[])
        for column, table in links.items():
            theirs |= Q(**{f"row__{column}__in": list(person.keys[table])})
        yield entry.orphans.filter(theirs), links


def unsaid() -> frozenset[str]:
    """Columns that are shown to nobody and are in no copy, wherever a row has come to lie."""
    return frozenset(column for part in personal.registered() for column in part.unsaid)


def _said(row: Mapping[str, Any], links: Mapping[str, str], person: Person) -> dict[str, Any]:
    """Without keys, and without who else is in it."""
    others = {c for c, table in links.items() if row.get(c) not in person.keys[table]}
    return {"row": {name: row[name] for name in row if name not in unsaid() | others}}
