"""The whole schema of some apps away, or back: one transaction, every table locked before the first is
touched, children before parents.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from django.apps import apps as installed
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _

from rollback.schema import catalog, copying, ledger, locking, prepared, returning
from rollback.schema.digest import Digest, digest
from rollback.schema.operations import tables_of


class NothingToDo(Exception):
    """It is so already."""


class ArchiveChanged(Exception):
    """What lies in the archive is not what was put there. tables: which."""

    def __init__(self, tables: Sequence[str]) -> None:
        self.tables = tables
        words = _(
            "These tables of the archive are not as they were when they were archived: %(tables)s. "
            "Look at them first; nothing was moved."
        )
        super().__init__(words % {"tables": ", ".join(tables)})


@dataclass(frozen=True, kw_only=True)
class Moved:
    """migrations: "app.name", as they were undone or applied. seconds: of the transaction alone. blocked:
    the longest that a request can have waited for it. digests: by table, of what was moved.
    """

    migrations: list[str]
    seconds: float
    blocked: float
    tries: int
    digests: dict[str, Digest] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Along:
    """What else is done. first, last: in the transaction that moves the tables, before the first of them is
    locked and when all have moved (its seconds are up to then). waits: between two tries to lock them.
    """

    first: Callable[[], None] = lambda: None
    last: Callable[[Moved], None] = lambda moved: None
    waits: Callable[[Sequence[locking.Holder]], None] = lambda holders: None


ALONE = Along()


def tables(apps: Collection[str]) -> list[str]:
    """Of these apps' models, as they are in the code; also where they are archived."""
    return [
        table
        for app in apps
        for model in installed.get_app_config(app).get_models()
        for table in tables_of(model)
    ]


def present(apps: Collection[str]) -> list[str]:
    """Those that are in the schema now, children first."""
    with connection.cursor() as cursor:
        there = [one for one in tables(apps) if catalog.exists(cursor, catalog.PUBLIC, one)]
        return catalog.children_first(cursor, there)


def ground(apps: Collection[str]) -> list[str]:
    """Tables outside of these apps to which theirs refer, also while they are away: a foreign key that is
    put on again locks both its sides.
    """
    own = set(tables(apps))
    with connection.cursor() as cursor:
        found = {
            key.remote_field.model._meta.db_table
            for app in apps
            for model in installed.get_app_config(app).get_models(include_auto_created=True)
            for key in model._meta.local_concrete_fields
            if key.remote_field
        }
        return sorted(one for one in found - own if catalog.exists(cursor, catalog.PUBLIC, one))


def to_lock(apps: Collection[str]) -> list[str]:
    """And what they refer to: taking a foreign key off locks both its sides."""
    own = present(apps)
    with connection.cursor() as cursor:
        return [*own, *catalog.parents_of(cursor, own)]


def to_lock_home(apps: Collection[str]) -> list[locking.Table]:
    """What lies in the archive first: who looks at it there keeps nobody waiting for the ground floor."""
    with connection.cursor() as cursor:
        away = [one for app in apps for one in ledger.away(cursor, app=app) if not one.purged]
        there = [
            (one.schema, one.name) for one in away if catalog.exists(cursor, one.schema, one.name)
        ]
    return [*there, *present(apps), *ground(apps)]


def take_away(
    *, apps: Collection[str], deadline: float = locking.DEADLINE, along: Along = ALONE
) -> Moved:
    """Undoes all migrations of these apps. Afterwards what lies in the archive is counted.

    :raises NothingToDo:
    :raises rollback.schema.archive.ArchiveRefused:
    :raises rollback.schema.locking.TablesAreHeld:
    """
    moved = _migrate([(app, None) for app in apps], lambda: to_lock(apps), deadline, along)
    with connection.cursor() as cursor:
        entries = [one for app in apps for one in ledger.away(cursor, app=app)]
    found = {str(one): one.digest or ledger.seal(one.id) for one in entries if not one.purged}
    moved.digests.update({name: one for name, one in found.items() if one})
    return moved


def bring_back(
    *,
    apps: Collection[str],
    deadline: float = locking.DEADLINE,
    accept_changes: bool = False,
    accept_copy: bool = False,
    along: Along = ALONE,
) -> Moved:
    """Applies all migrations of these apps; then what came back is checked while everybody works.

    accept_changes: also where the archive is not as it was put there. accept_copy: also where very many
    rows do not come home as they are and have to be copied, while everybody waits.

    :raises NothingToDo:
    :raises ArchiveChanged:
    :raises rollback.schema.archive.ArchiveRefused:
    :raises rollback.schema.locking.TablesAreHeld:
    """
    with connection.cursor() as cursor:
        away = [one for app in apps for one in ledger.away(cursor, app=app)]
        there = [one for one in away if catalog.exists(cursor, one.schema, one.name)]
        found = {one: digest(cursor, one.schema, one.name) for one in there}
    changed = [
        str(one)
        for one in away
        if not one.purged and (one not in found or (one.digest and one.digest != found[one]))
    ]
    if changed and not accept_changes:
        raise ArchiveChanged(changed)

    def first() -> None:
        """Whoever has rows of the ledger may wait for a table next."""
        along.first()
        with connection.cursor() as cursor:
            ledger.lock(cursor, apps)

    leaves = [
        node for node in MigrationExecutor(connection).loader.graph.leaf_nodes() if node[0] in apps
    ]
    whole = Along(first=first, last=along.last, waits=along.waits)
    with copying.accepting(accept_copy):
        moved = _migrate(leaves, lambda: to_lock_home(apps), deadline, whole)
    finish(apps)
    moved.digests.update({str(one): now for one, now in found.items()})
    return moved


def finish(apps: Collection[str]) -> None:
    """What a table that came back may still lack, when we were stopped before: its foreign keys' check."""
    for table in present(apps):
        with connection.cursor() as cursor:
            entry = ledger.newest_return(cursor, table)
        if entry:
            returning.finish(table, entry)


def _migrate(
    targets: prepared.Targets,
    to_lock: Callable[[], Sequence[locking.Table]],
    deadline: float,
    along: Along,
) -> Moved:
    while True:
        plan = prepared.prepare(targets)
        if not plan.plan:
            raise NothingToDo

        def run(waiting: locking.Waiting, plan: prepared.Prepared = plan) -> float | None:
            """:returns: when it began. None: whoever else migrated while we waited has changed the plan."""
            began = time.monotonic()
            if plan.is_overtaken():
                return None
            plan.run()
            along.last(_moved(plan, began, waiting))
            return began

        began, waiting = locking.held(
            to_lock, run, deadline=deadline, first=along.first, waits=along.waits
        )
        if began is not None:
            return _moved(plan, began, waiting)


def _moved(plan: prepared.Prepared, began: float, waiting: locking.Waiting) -> Moved:
    """So far, or when it was committed."""
    now = waiting.ended if waiting.ended > began else time.monotonic()
    return Moved(
        migrations=plan.names,
        seconds=now - began,
        # Before COMMIT nobody has measured it yet, and who is slow may not come to measure it again.
        blocked=max(waiting.blocked, now - began),
        tries=waiting.tries,
    )
