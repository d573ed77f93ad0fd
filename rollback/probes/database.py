"""Whether the database still holds what it promises: constraints, indexes, and no row without its parent."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.apps import apps
from django.db import connection
from django.db.models import ForeignKey
from django.utils.translation import gettext as _

from rollback.domain.verification import Found, ProbeFailed
from rollback.probes.plan import plan

UNPROVED = """
    SELECT c.conrelid::regclass::text, c.conname FROM pg_constraint c
      JOIN pg_class t ON t.oid = c.conrelid
     WHERE NOT c.convalidated AND t.relnamespace = current_schema()::regnamespace
     UNION ALL
    SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text FROM pg_index i
      JOIN pg_class t ON t.oid = i.indrelid
     WHERE NOT (i.indisvalid AND i.indisready) AND t.relnamespace = current_schema()::regnamespace
     ORDER BY 1, 2
"""
# By table: what stands in the catalog, whatever it is called there.
FOREIGN_KEYS = """
    SELECT t.relname, a.attname, r.relname FROM pg_constraint c
      JOIN pg_class t ON t.oid = c.conrelid
      JOIN pg_class r ON r.oid = c.confrelid
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
     WHERE c.contype = 'f' AND cardinality(c.conkey) = 1
       AND t.relnamespace = current_schema()::regnamespace
"""
NAMED = """
    SELECT t.relname, c.conname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
     WHERE t.relnamespace = current_schema()::regnamespace
     UNION
    SELECT t.relname, x.relname FROM pg_index i
      JOIN pg_class t ON t.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
     WHERE t.relnamespace = current_schema()::regnamespace
"""
NAMED_AT_MOST = 5


class Link(NamedTuple):
    """A foreign key as the models say it."""

    table: str
    column: str
    parent: str
    parent_column: str


def constraints() -> Found:
    """:raises ProbeFailed:"""
    with connection.cursor() as cursor:
        cursor.execute(UNPROVED)
        unproved = [f"{table}: {name}" for table, name in cursor.fetchall()]
        cursor.execute(FOREIGN_KEYS)
        keys = {tuple(row) for row in cursor.fetchall()}
        cursor.execute(NAMED)
        named = {tuple(row) for row in cursor.fetchall()}
    links, wanted = list(_links()), set(_named())
    missing = [
        f"{link.table}: {link.column} → {link.parent}"
        for link in links
        if (link.table, link.column, link.parent) not in keys
    ]
    missing += [f"{table}: {name}" for table, name in sorted(wanted - named)]
    if unproved or missing:
        raise ProbeFailed(
            " ".join(_what_is_wrong(unproved, missing)), unproved=unproved, missing=missing
        )
    words = _("%(keys)s foreign keys and %(others)s constraints and indexes are there and proved.")
    counts = {"keys": len(links), "others": len(wanted)}
    return Found(words=words % counts, facts=counts)


def _what_is_wrong(unproved: list[str], missing: list[str]) -> Iterator[str]:
    if unproved:
        words = _("Not proved for the rows that are there, or not usable: %(names)s.")
        yield words % {"names": listed(unproved)}
    if missing:
        yield _("Missing in the database: %(names)s.") % {"names": listed(missing)}


def orphans() -> Found:
    """One statement asks every foreign key of the ground floor. :raises ProbeFailed:"""
    links = list(_links())
    quote = connection.ops.quote_name
    asked = [
        f"SELECT '{link.table}.{link.column}', count(*) FROM {quote(link.table)} child "  # noqa: S608 - names of our own models
        f"WHERE {quote(link.column)} IS NOT NULL AND NOT EXISTS (SELECT FROM {quote(link.parent)} parent "
        f"WHERE parent.{quote(link.parent_column)} = child.{quote(link.column)})"
        for link in links
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(asked))
        found = {name: count for name, count in cursor.fetchall() if count}
    if found:
        names = listed([f"{name}: {count}" for name, count in sorted(found.items())])
        words = _("Rows whose other half is gone: %(names)s.") % {"names": names}
        raise ProbeFailed(words, orphans=found)
    words = _("No row has lost its other half; %(number)s foreign keys were followed.")
    return Found(words=words % {"number": len(links)}, facts={"keys": len(links)})


def _models() -> Iterator[Any]:
    for label in plan().apps:
        for model in apps.get_app_config(label).get_models(include_auto_created=True):
            if model._meta.managed and not model._meta.proxy:
                yield model


def _links() -> Iterator[Link]:
    for model in _models():
        for field in model._meta.local_concrete_fields:
            if isinstance(field, ForeignKey) and getattr(field, "db_constraint", True):
                parent = field.target_field
                yield Link(
                    model._meta.db_table, field.column,
                    parent.model._meta.db_table, str(parent.column),
                )  # fmt: skip


def _named() -> Iterator[tuple[str, str]]:
    for model in _models():
        for one in (*model._meta.constraints, *model._meta.indexes):
            yield model._meta.db_table, one.name


def listed(names: list[str]) -> str:
    shown = ", ".join(names[:NAMED_AT_MOST])
    more = len(names) - NAMED_AT_MOST
    return _("%(names)s and %(more)s more") % {"names": shown, "more": more} if more > 0 else shown
