"""Who was deleted on the ground floor while the tables moved, and which tables' rows that explains."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django.apps import apps as installed
from django.db import connection
from django.db.models import Model
from psycopg import sql

from rollback.schema import catalog, reverse

# By table: how many rows, and the highest key.
Counted = dict[str, list[Any]]


def counted(apps: Collection[str]) -> Counted:
    """Of what the features' rows belong to. Before they are counted themselves: whoever goes in between is
    missed by nobody.
    """
    found = {}
    for table in reverse.ground(apps):
        query = sql.SQL("SELECT count(*), max({key}) FROM {table}")
        found[table] = list(_one(query, table=table))
    return found


def deleted(before: Counted) -> dict[str, int]:
    """How many of those are gone: keys only grow, so that whoever came later is not among them."""
    found = {}
    for table, (rows, highest) in before.items():
        query = sql.SQL("SELECT count(*) FROM {table} WHERE {key} <= %s")
        (left,) = _one(query, highest, table=table)
        if left < rows:
            found[table] = rows - left
    return found


def explains(table: str, gone: Mapping[str, int]) -> dict[str, Any]:
    """deleted: how many of those whose rows go with them. nulled: a row of this table may have lost its
    reference to one, and stays.
    """
    if not gone or table not in _by_table():
        return {}
    nulled = any(refers_to in gone for refers_to, may_lack in _keys(table) if may_lack)
    above = _above(table, set())
    return {"deleted": sum(gone[one] for one in above if one in gone), "nulled": nulled}


def _above(table: str, seen: set[str]) -> set[str]:
    """Whatever may take the table's rows along, directly or through another table."""
    for refers_to, _may_lack in _keys(table):
        if refers_to not in seen:
            seen.add(refers_to)
            _above(refers_to, seen)
    return seen


def _keys(table: str) -> Iterator[tuple[str, bool]]:
    for field in _by_table()[table]._meta.local_concrete_fields:
        if field.remote_field:
            yield field.remote_field.model._meta.db_table, bool(field.null)


def _by_table() -> dict[str, type[Model]]:
    models = installed.get_models(include_auto_created=True)
    return {model._meta.db_table: model for model in models}


def _one(query: sql.SQL, *values: Any, table: str) -> tuple[Any, ...]:
    key = str(_by_table()[table]._meta.pk.column)
    named = query.format(key=sql.Identifier(key), table=sql.Identifier(catalog.PUBLIC, table))
    with connection.cursor() as cursor:
        cursor.execute(named, values or None)
        row: tuple[Any, ...] = cursor.fetchone()
    return row
