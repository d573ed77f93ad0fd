"""A new table whole in one operation: its columns, and in its options its indexes and constraints.

Django adds what leads to a table that comes later, and whatever needs that, in operations of their own. A
table that comes home from the archive has them already, and they would be built again over all its rows.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.migrations import (
    AddConstraint,
    AddField,
    AddIndex,
    AlterUniqueTogether,
    CreateModel,
)
from django.db.migrations.operations.base import Operation
from django.db.models import Field

Columns = list[tuple[str, "Field[Any, Any]"]]


def whole_tables(app: str, operations: Sequence[Operation]) -> list[Operation]:
    """The same state in fewer operations. Tables that refer to each other in a circle stay as they are."""
    made = {one.name_lower: one for one in operations if isinstance(one, CreateModel)}
    columns: dict[str, Columns] = {name: list(one.fields) for name, one in made.items()}
    left: list[Operation] = []
    for one in operations:
        if isinstance(one, CreateModel):
            continue
        if isinstance(one, AddField) and one.model_name_lower in made:
            columns[one.model_name_lower].append((one.name, one.field))
        else:
            left.append(one)
    ordered = _parents_first(app, made, columns)
    if ordered is None:
        return list(operations)
    options = {name: dict(one.options) for name, one in made.items()}
    left = [one for one in left if not _fold(one, options)]
    return [*(_table(made[name], columns[name], options[name]) for name in ordered), *left]


def _parents_first(
    app: str, made: dict[str, CreateModel], columns: dict[str, Columns]
) -> list[str] | None:
    """:returns: None where no order does"""
    waits = {name: _needs(app, name, made[name], columns[name]) & set(made) for name in made}
    ordered: list[str] = []
    while waits:
        free = [name for name, others in waits.items() if not others - set(ordered)]
        if not free:
            return None
        ordered += free
        for name in free:
            del waits[name]
    return ordered


def _needs(app: str, name: str, table: CreateModel, columns: Columns) -> set[str]:
    """Names of this app's models that have to be there before."""
    labels: list[Any] = [base for base in table.bases or () if isinstance(base, str)]
    for _column, field in columns:
        if field.remote_field is not None:
            labels += [field.remote_field.model, getattr(field.remote_field, "through", None)]
    return _of_this_app(app, labels) - {name}


def _of_this_app(app: str, labels: Iterable[Any]) -> set[str]:
    found = set()
    for one in labels:
        label = one if isinstance(one, str) else one._meta.label if one is not None else ""
        of, _dot, model = label.lower().rpartition(".")
        if of in ("", app.lower()) and model:
            found.add(model)
    return found


def _fold(operation: Operation, options: dict[str, dict[str, Any]]) -> bool:
    """:returns: whether it is in the table's options now"""
    if isinstance(operation, AddIndex) and operation.model_name_lower in options:
        _append(options[operation.model_name_lower], "indexes", operation.index)
    elif isinstance(operation, AddConstraint) and operation.model_name_lower in options:
        _append(options[operation.model_name_lower], "constraints", operation.constraint)
    elif isinstance(operation, AlterUniqueTogether) and operation.name_lower in options:
        options[operation.name_lower]["unique_together"] = operation.option_value
    else:
        return False
    return True


def _append(options: dict[str, Any], key: str, added: Any) -> None:
    options[key] = [*options.get(key, []), added]


def _table(made: CreateModel, columns: Columns, options: dict[str, Any]) -> CreateModel:
    return CreateModel(
        made.name, fields=columns, options=options, bases=made.bases, managers=made.managers
    )
