"""What a migration of ours must be before it may be carried out: undoable, additive, and said in words.

Pure: migrations in, problems out. What is let through all the same stands in `config/migrations.toml`, each
with its reason.
"""

import re
import sys
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import migrations
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.operations.models import IndexOperation
from django.db.models import DO_NOTHING, Field

from rollback.schema.operations import ArchivingAddField, ArchivingCreateModel

PREFIXES = ("expand_", "backfill_", "contract_")
NAME = re.compile(rf"\d{{4}}_(?:{'|'.join(PREFIXES)})\w+")
# How far into the docstring it has to be said what undoing loses.
SENTENCES = 3
NOT_ATOMIC = "not in one transaction"
# The database is not touched, or what is done is looked at by other means: the SQL by squawk, both by
# having to have a reverse.
HARMLESS = (
    migrations.AlterModelOptions,
    migrations.AlterModelManagers,
    migrations.RunSQL,
    migrations.RunPython,
)


@dataclass(frozen=True, kw_only=True)
class Problem:
    migration: str
    words: str

    def __str__(self) -> str:
        return f"{self.migration}: {self.words}"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """archiving: the apps whose tables are kept when they are taken away. allowed: migration → what of
    it is let through, by its description → why.
    """

    archiving: frozenset[str]
    allowed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def lets_through(self, migration: Migration, what: str) -> bool:
        return bool(self.allowed.get(name_of(migration), {}).get(what, "").strip())


def read(path: Path, *, archiving: Collection[str]) -> Rules:
    """:raises KeyError, tomllib.TOMLDecodeError: it is part of the code"""
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return Rules(archiving=frozenset(archiving), allowed=found["operations"])


def problems(found: Iterable[Migration], rules: Rules) -> list[Problem]:
    """Everything at once, so that nobody corrects one thing at a time."""
    return [
        Problem(migration=name_of(migration), words=words)
        for migration in found
        for words in _of(migration, rules)
    ]


def name_of(migration: Migration) -> str:
    return f"{migration.app_label}.{migration.name}"


def stale(found: Iterable[Migration], rules: Rules) -> list[Problem]:
    """What is let through, but is not there: a typing error, or it is not needed any more."""
    there = {
        name_of(one): {NOT_ATOMIC, *(operation.describe() for operation in one.operations)}
        for one in found
    }
    return [
        Problem(migration=name, words=f"“{what}” is let through, but there is no such thing.")
        for name, whats in rules.allowed.items()
        for what in whats
        if what not in there.get(name, set())
    ]


def _of(migration: Migration, rules: Rules) -> Iterator[str]:
    yield from _said_in_words(migration)
    yield from _undoable(migration, rules)
    yield from _additive(migration, rules)
    if migration.app_label in rules.archiving:
        yield from _archiving(migration, rules)


def _said_in_words(migration: Migration) -> Iterator[str]:
    if not NAME.fullmatch(migration.name):
        yield (
            "the name must say when it is safe: expand_… (before the new code), backfill_… (rows, beside "
            "it) or contract_… (after the old code is gone)."
        )
    if not re.search(r"\bundoing\b", " ".join(_first_sentences(migration)), re.IGNORECASE):
        yield "the docstring must say in its first sentences what undoing it loses (“Undoing loses …”)."


def _first_sentences(migration: Migration) -> list[str]:
    module = sys.modules.get(migration.__module__)
    words = " ".join(((module.__doc__ if module else "") or "").split())
    return re.split(r"(?<=[.!?])\s", words)[:SENTENCES]


def _undoable(migration: Migration, rules: Rules) -> Iterator[str]:
    for operation in migration.operations:
        if not operation.reversible:
            yield f"“{operation.describe()}” cannot be undone; give it a reverse."
    if not migration.atomic and not rules.lets_through(migration, NOT_ATOMIC):
        yield (
            "it does not run in one transaction, so it can stop half way; if it must be so, give the "
            f"reason in config/migrations.toml as “{NOT_ATOMIC}”."
        )
    if migration.replaces and any(keeps_rows(one) for one in migration.operations):
        yield "operations that keep rows are not squashed: the ledger knows each by what it made."


def _additive(migration: Migration, rules: Rules) -> Iterator[str]:
    for operation in migration.operations:
        words = operation.describe()
        if isinstance(operation, migrations.RunPython) and "_backfill_" not in migration.name:
            yield "Python writes rows: that is a migration of its own, backfill_…."
        if only_adds(operation) or rules.lets_through(migration, words):
            continue
        yield (
            f"“{words}” takes something away or changes it; if the release before can live with that, "
            "give the reason in config/migrations.toml."
        )


def only_adds(operation: Operation) -> bool:
    return operation.category is OperationCategory.ADDITION or isinstance(operation, HARMLESS)


def keeps_rows(operation: Operation) -> bool:
    return isinstance(operation, ArchivingCreateModel | ArchivingAddField)


def _archiving(migration: Migration, rules: Rules) -> Iterator[str]:
    """Of the apps whose tables may be taken away whole."""
    made: set[str] = set()
    for operation in migration.operations:
        if isinstance(operation, migrations.CreateModel):
            made.add(operation.name_lower)
        if would_drop(operation):
            yield f"“{operation.describe()}” would drop rows when undone: use {_archiving_one(operation)}."
        elif _belongs_into_options(operation, made) and not rules.lets_through(
            migration, operation.describe()
        ):
            yield (
                f"“{operation.describe()}” belongs into the options of the table that is made here: it "
                "moves along with it then, and is not built again over all rows."
            )
        yield from _leads_out_well(migration.app_label, operation)


def would_drop(operation: Operation) -> bool:
    if isinstance(operation, migrations.AddField):
        return not isinstance(operation, ArchivingAddField)
    if not isinstance(operation, migrations.CreateModel):
        return False
    has_table = not operation.options.get("proxy") and operation.options.get("managed", True)
    return has_table and not isinstance(operation, ArchivingCreateModel)


def _archiving_one(operation: Operation) -> str:
    is_field = isinstance(operation, migrations.AddField)
    return ArchivingAddField.__name__ if is_field else ArchivingCreateModel.__name__


def _belongs_into_options(operation: Operation, made: set[str]) -> bool:
    if isinstance(operation, IndexOperation):
        return operation.model_name_lower in made
    together = migrations.AlterUniqueTogether | migrations.AlterIndexTogether
    return isinstance(operation, together) and operation.name_lower in made


def _leads_out_well(app: str, operation: Operation) -> Iterator[str]:
    """A row whose parent on another floor is deleted is the database's affair: Django would ask this
    table first, and it may be in the archive.
    """
    for name, one in _fields(operation):
        if not leads_out(app, one):
            continue
        if not one.many_to_many and on_delete(one) is not DO_NOTHING:
            yield f"“{name}” leads to another app: on_delete must be DO_NOTHING."
        if isinstance(operation, ArchivingCreateModel) and name not in operation.db_on_delete:
            yield f"“{name}” leads to another app: say in db_on_delete what the database does."


def on_delete(one: "Field[Any, Any]") -> Any:
    """What Django does to its row when the parent is deleted."""
    return getattr(one.remote_field, "on_delete", None)


def _fields(operation: Operation) -> list[tuple[str, "Field[Any, Any]"]]:
    if isinstance(operation, migrations.CreateModel):
        return list(operation.fields)
    if isinstance(operation, migrations.AddField):
        return [(operation.name, operation.field)]
    return []


def leads_out(app: str, one: "Field[Any, Any]") -> bool:
    """To a model of another app, directly or through a table between, and the database holds on to it."""
    to = one.remote_field
    if to is None or not (one.many_to_one or one.one_to_one or one.many_to_many):
        return False
    # A relation between two tables says it of itself, one through a third of its other side.
    if not getattr(to if one.many_to_many else one, "db_constraint", True):
        return False
    label = to.model if isinstance(to.model, str) else to.model._meta.label
    return "." in label and label.split(".")[0].lower() != app.lower()
