"""What is there of the schema, recorded and real, as the doctor looks at it. No model is asked."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.apps import apps
from django.db.backends.utils import CursorWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models import Model

from rollback.domain.phases import Phase, next_step
from rollback.schema import expected, ledger
from rollback.schema.catalog import ARCHIVE, PUBLIC
from rollback.schema.ledger import Entry
from rollback.schema.operations import ArchivingAddField, ArchivingCreateModel

# The floors that are never taken away.
GROUND = ("enrollment", "rollback")

COLUMNS = """
    SELECT n.nspname, c.relname, array_agg(a.attname::text)
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.relkind IN ('r', 'p') AND (n.nspname IN (%s, %s) OR n.nspname LIKE %s)
     GROUP BY 1, 2
"""
UNVALIDATED = """
    SELECT c.relname, conname FROM pg_constraint JOIN pg_class c ON c.oid = conrelid
     WHERE contype = 'f' AND NOT convalidated AND relnamespace = %s::regnamespace ORDER BY 1, 2
"""
NEWEST_RUN = """
    SELECT id, status, lease_owner, coalesce(lease_until > clock_timestamp(), false),
           progress, target
      FROM rollback_phaserun ORDER BY id DESC LIMIT 1
"""
FLAGS_ON = """
    SELECT name FROM rollback_flag
     WHERE everyone IS NOT FALSE AND (coalesce(percent, 0) > 0 OR everyone OR staff OR superusers)
"""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The newest phase run. held: its lease has not run out. step: the first that is not done. moves: it
    is one that takes the tables away, or brings them back.
    """

    id: int
    status: str
    owner: str
    held: bool
    step: str
    moves: bool


@dataclass(frozen=True, kw_only=True)
class History:
    """An app's migrations in their order, of which the first `applied` are recorded."""

    app: str
    names: list[str]
    applied: int

    @property
    def at(self) -> str:
        return self.names[self.applied - 1] if self.applied else "zero"

    @property
    def waiting(self) -> list[str]:
        return self.names[self.applied :]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """recorded: app → names. columns: (schema, table) → columns. entries: of the ledger, not come back.
    flags: those that are on for anybody.
    """

    loader: MigrationLoader
    recorded: Mapping[str, Collection[str]]
    columns: Mapping[tuple[str, str], Collection[str]]
    entries: list[Entry] = field(default_factory=list)
    run: Run | None = None
    unvalidated: list[tuple[str, str]] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)

    @cached_property
    def features(self) -> list[str]:
        """The apps whose tables can be taken away."""
        return sorted(
            {
                app
                for (app, _name), migration in self.loader.disk_migrations.items()
                if any(
                    isinstance(one, ArchivingCreateModel | ArchivingAddField)
                    for one in migration.operations
                )
                and app not in GROUND
            }
        )

    @cached_property
    def histories(self) -> list[History]:
        return [self.history(app) for app in self.features]

    def history(self, app: str) -> History:
        names = [name for label, name in self._plan if label == app]
        return History(
            app=app,
            names=names,
            applied=sum(name in self.recorded.get(app, ()) for name in names),
        )

    @property
    def strangers(self) -> list[tuple[str, str]]:
        """Recorded migrations of our apps that the code does not have."""
        known = self.loader.disk_migrations
        return [
            (app, name)
            for app in (*GROUND, *self.features)
            for name in sorted(self.recorded.get(app, ()))
            if (app, name) not in known
        ]

    @property
    def out_of_order(self) -> list[tuple[str, str]]:
        """Migrations that are recorded, each with one on which it builds and which is not."""
        return [
            (".".join(key), ".".join(parent.key))
            for key, node in self.loader.graph.node_map.items()
            if key[1] in self.recorded.get(key[0], ())
            for parent in sorted(node.parents, key=lambda one: one.key)
            if parent.key[1] not in self.recorded.get(parent.key[0], ())
        ]

    @cached_property
    def _plan(self) -> list[tuple[str, str]]:
        graph = self.loader.graph
        leaves = sorted(graph.leaf_nodes())
        return list(dict.fromkeys(key for leaf in leaves for key in graph.forwards_plan(leaf)))

    def lies(self, entry: Entry) -> bool:
        return (entry.schema, entry.name) in self.columns

    def is_home(self, entry: Entry) -> bool:
        here = self.columns.get((PUBLIC, entry.table), ())
        return bool(here) and (not entry.column or entry.column in here)

    def moved_by_hand(self, entry: Entry) -> bool:
        """A table that the ledger says is away, and which is in its old place."""
        return not (entry.purged or entry.column or self.lies(entry)) and self.is_home(entry)

    def away_of(self, app: str) -> list[Entry]:
        return [one for one in self.entries if one.app == app]

    @property
    def strays(self) -> list[str]:
        known = {(one.schema, one.name) for one in self.entries}
        return sorted(
            name
            for schema, name in self.columns
            if schema == ARCHIVE and (schema, name) not in known
        )

    def fits(self, history: History, applied: int) -> bool:
        """Whether there are just the tables and columns that so many of its migrations make."""
        wanted = self._wanted(history, applied)
        possible = self._wanted(history, len(history.names))
        return all(
            set(self.columns.get((PUBLIC, table), ())) == wanted.get(table, set())
            for table in {*wanted, *possible}
        )

    def really(self, history: History) -> int | None:
        """How many of its migrations would make what is there; None: no number of them."""
        numbers = range(len(history.names), -1, -1)
        return next((number for number in numbers if self.fits(history, number)), None)

    def lacking(self, history: History) -> list[str]:
        wanted = self._wanted(history, history.applied)
        return sorted(
            name
            for table, columns in wanted.items()
            for name in (
                [f"{table}.{one}" for one in columns - set(self.columns[PUBLIC, table])]
                if (PUBLIC, table) in self.columns
                else [table]
            )
        )

    def _wanted(self, history: History, applied: int) -> dict[str, set[str]]:
        if not applied:
            return {}
        recorded = applied == history.applied
        name = history.names[applied - 1]
        state = self.at_record if recorded else self._state((history.app, name))
        return columns_of(expected.models_of(state, history.app))

    def _state(self, node: tuple[str, str]) -> ProjectState:
        if node not in self._states:
            self._states[node] = self.loader.project_state([node])
        return self._states[node]

    @cached_property
    def _states(self) -> dict[tuple[str, str], ProjectState]:
        return {}

    @cached_property
    def at_record(self) -> ProjectState:
        known = [
            (app, name)
            for app, names in self.recorded.items()
            for name in names
            if (app, name) in self.loader.graph.nodes
        ]
        return self.loader.project_state(known)


def look(cursor: CursorWrapper) -> Facts:
    cursor.execute(COLUMNS, [PUBLIC, ARCHIVE, f"{ARCHIVE}\\_kept\\_%"])
    columns = {(schema, table): names for schema, table, names in cursor.fetchall()}
    cursor.execute(UNVALIDATED, [PUBLIC])
    unvalidated = cursor.fetchall()
    recorded: dict[str, set[str]] = defaultdict(set)
    if (PUBLIC, "django_migrations") in columns:
        cursor.execute("SELECT app, name FROM django_migrations")
        for app, name in cursor.fetchall():
            if apps.is_installed(app) or app in apps.app_configs:
                recorded[app].add(name)
    has = {table for schema, table in columns if schema == PUBLIC}
    return Facts(
        loader=MigrationLoader(None),
        recorded=recorded,
        columns=columns,
        entries=ledger.away(cursor) if "rollback_ledgerentry" in has else [],
        run=_newest_run(cursor) if "rollback_phaserun" in has else None,
        unvalidated=unvalidated,
        flags=_flags(cursor) if "rollback_flag" in has else [],
    )


def _newest_run(cursor: CursorWrapper) -> Run | None:
    cursor.execute(NEWEST_RUN)
    row = cursor.fetchone()
    if row is None:
        return None
    id_, status, owner, held, progress, target = row
    # Without a model Django leaves JSON as it is.
    steps = json.loads(progress) if isinstance(progress, str) else progress
    return Run(
        id=id_,
        status=status,
        owner=owner,
        held=held,
        step=next_step(steps) or "",
        moves=target in (Phase.TABLES, Phase.BACK),
    )


def _flags(cursor: CursorWrapper) -> list[str]:
    cursor.execute(FLAGS_ON)
    return [name for (name,) in cursor.fetchall()]


def columns_of(models: Collection[type[Model]]) -> dict[str, set[str]]:
    """Table → columns, with those of the tables in between."""
    found: dict[str, set[str]] = {}
    for model in models:
        found[model._meta.db_table] = _columns(model)
        for many in model._meta.local_many_to_many:
            through: Any = many.remote_field.through
            if through._meta.auto_created:
                found[through._meta.db_table] = _columns(through)
    return found


def _columns(model: type[Model]) -> set[str]:
    return {str(one.column) for one in model._meta.local_concrete_fields}


def drifted(facts: Facts) -> dict[str, list[str]]:
    """Of the tables that are recorded as there and are there."""
    state = facts.at_record
    makers = {
        f"{app}.{operation.name_lower}": operation
        for (app, _name), migration in facts.loader.disk_migrations.items()
        for operation in migration.operations
        if isinstance(operation, ArchivingCreateModel)
    }
    models = [
        model
        for app in (*GROUND, *facts.features)
        if facts.recorded.get(app)
        for model in expected.models_of(state, app)
        if (PUBLIC, model._meta.db_table) in facts.columns
    ]
    return expected.drifted(models, makers)
