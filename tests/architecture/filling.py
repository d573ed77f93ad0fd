"""Rows for every table that some state of the migrations has: from its columns' types, its choices and keys,
and by trying again until its constraints are content.
"""

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.apps.registry import Apps
from django.db import IntegrityError, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Field, Model

ROWS = 3
TRIES, EVERYWHERE, SOMETIMES = 3000, 100, 0.4
BASE = datetime(2027, 3, 1, 9, tzinfo=UTC)
# What nobody fills by hand: Django and its neighbors keep their own.
NOT_OURS = ("django_", "auth_permission", "knox_")

Make = Callable[[random.Random, int], Any]
MAKE: dict[str, Make] = {
    "bigint": lambda dice, number: dice.randrange(1, 90),
    "integer": lambda dice, number: dice.randrange(1, 90),
    "smallint": lambda dice, number: dice.choice((0, 1, 2, 5, 30, 45, 60)),
    "boolean": lambda dice, number: dice.random() < 0.5,
    "double precision": lambda dice, number: dice.random(),
    "numeric": lambda dice, number: Decimal(dice.randrange(0, 99)),
    "date": lambda dice, number: date(2027, 1, 1) + timedelta(days=dice.randrange(900)),
    "time without time zone": lambda dice, number: time(dice.randrange(24), dice.choice((0, 30))),
    "timestamp with time zone": lambda dice, number: _moment(dice, number),
    "interval": lambda dice, number: timedelta(minutes=dice.randrange(1, 900)),
    "jsonb": lambda dice, number: json.dumps({"n": number, "ä": [1.50, None, dice.random()]}),
    "uuid": lambda dice, number: UUID(int=dice.getrandbits(128)),
    "bytea": lambda dice, number: dice.randbytes(9),
    "inet": lambda dice, number: f"10.0.0.{number % 250}",
}
# What dice would not find.
BY_HAND: dict[tuple[str, str], Make] = {
    # One that was set aside and is not finished is what 0014 finishes.
    ("rollback_enrollmentdraft", "finished_at"): lambda dice, number: (
        None if number == 1 else _moment(dice, number)
    ),
    ("rollback_enrollmentdraft", "quarantined_at"): lambda dice, number: _moment(dice, number),
    ("rollback_timingminute", "counts"): lambda dice, number: [dice.randrange(9)] * 49,
}


# Tables that are one row, with its key.
ONE_ROW = {"rollback_switchboard": {"id": 1}}


class Unfillable(Exception):
    pass


def fill(cursor: CursorWrapper, apps: Apps, *, seed: int) -> None:
    """Those of its tables that are empty. No trigger acts, and each key leads to a row that is there."""
    dice = random.Random(seed)
    cursor.execute("SET session_replication_role = replica")
    for model in _parents_first(list(apps.get_models(include_auto_created=True))):
        table = model._meta.db_table
        cursor.execute(f'SELECT EXISTS (SELECT FROM "{table}")')
        if not cursor.fetchone()[0]:
            for number in range(1 if table in ONE_ROW else ROWS):
                _insert(cursor, model, dice, number)
    cursor.execute("RESET session_replication_role")


def _parents_first(models: list[type[Model]]) -> Iterator[type[Model]]:
    """Each table once. A circle is broken where a key may be empty."""
    left = {
        one._meta.db_table: one
        for one in models
        if one._meta.managed and not one._meta.proxy and not one._meta.db_table.startswith(NOT_OURS)
    }
    while left:
        free = [t for t, one in left.items() if not _needs(one) & (left.keys() - {t})]
        for table in free or list(left):
            yield left.pop(table)


def _needs(model: type[Model]) -> set[str]:
    return {
        one.remote_field.model._meta.db_table
        for one in model._meta.local_concrete_fields
        if one.remote_field and not one.null
    }


def _insert(cursor: CursorWrapper, model: type[Model], dice: random.Random, number: int) -> None:
    table = model._meta.db_table
    columns = _columns(cursor, table)
    fields = {one.column: one for one in model._meta.local_concrete_fields}
    refused: Exception | None = None
    for tried in range(TRIES):
        # The first row has a value everywhere, if that may be.
        empty = 0.0 if number == 0 and tried < EVERYWHERE else SOMETIMES
        row = {
            name: BY_HAND[table, name](dice, number)
            if (table, name) in BY_HAND
            else _value(cursor, fields.get(name), kind, nullable * empty, dice, number)
            for name, kind, nullable in columns
        } | ONE_ROW.get(table, {})
        names = ", ".join(f'"{name}"' for name in row)
        values = ", ".join(["%s"] * len(row))
        try:
            with transaction.atomic(durable=False):
                cursor.execute(
                    f'INSERT INTO "{table}" ({names}) VALUES ({values})', list(row.values())
                )
            return
        except IntegrityError as error:
            refused = error
    raise Unfillable(f"{table}: {refused}")


def _columns(cursor: CursorWrapper, table: str) -> list[tuple[str, str, bool]]:
    """Those to which something can be given, and whether nothing can."""
    cursor.execute(
        "SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
        " AND attidentity = '' AND attgenerated = '' ORDER BY attnum",
        [f'public."{table}"'],
    )
    return list(cursor.fetchall())


def _value(
    cursor: CursorWrapper,
    field: "Field[Any, Any] | None",
    kind: str,
    empty: float,
    dice: random.Random,
    number: int,
) -> Any:
    if dice.random() < empty:
        return None
    if field is not None and field.remote_field:
        return _parent(cursor, field, dice)
    if field is not None and field.choices:
        return dice.choice([value for value, _words in field.flatchoices])
    return _of_kind(kind, dice, number)


def _parent(cursor: CursorWrapper, field: Any, dice: random.Random) -> Any:
    target = field.target_field
    cursor.execute(f'SELECT "{target.column}" FROM "{target.model._meta.db_table}" ORDER BY 1')
    found = [key for (key,) in cursor.fetchall()]
    return dice.choice(found) if found else None


def _of_kind(kind: str, dice: random.Random, number: int) -> Any:
    base, _bracket, size = kind.partition("(")
    if kind.endswith("[]"):
        return [_of_kind(kind.removesuffix("[]"), dice, number) for _n in range(2)]
    if base in ("character varying", "text"):
        words = f"{number}-{dice.getrandbits(30):x} Ünï%s “'\\"
        longest = int(size.rstrip(")")) if size else 60
        return words[:longest] if dice.random() < 0.8 else ""
    if base == "tstzrange":
        began = _moment(dice, number)
        return f"[{began.isoformat()},{(began + timedelta(minutes=45)).isoformat()})"
    return MAKE[base](dice, number)


def _moment(dice: random.Random, number: int) -> datetime:
    """Rarely within an hour of another."""
    return BASE + timedelta(hours=dice.randrange(20_000), minutes=number)
