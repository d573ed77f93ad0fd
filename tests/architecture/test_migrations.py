"""Every migration of ours, undone and applied again with rows in every table there is by then: equal rows and
an equal catalog, but for what its first sentences say is lost.

Walked once, from the newest down to the first, on a copy of the test database: each is undone from the very
state that it made.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from inspect import getdoc
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections, migrations
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.optimizer import MigrationOptimizer
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import MigrationWriter, OperationWriter
from psycopg import sql

from rollback.schema.operations import ArchivingAddField, ArchivingCreateModel
from tests import pristine
from tests.architecture.catalog_text import catalog_text
from tests.architecture.filling import fill

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("migrations")]

APPS = ("enrollment", "rollback", "scheduling", "holidays")
FEATURES = ("scheduling", "holidays")
GONE, MORE = "rows are gone", "rows were added"


def _gone(*tables: str) -> dict[str, set[str] | str]:
    return dict.fromkeys(tables, GONE)


# By migration and table: which columns are otherwise afterwards, or what is with its rows. The rest is equal.
OTHERWISE: dict[str, dict[str, set[str] | str]] = {
    "enrollment.0001_expand_school": _gone(
        "enrollment_course",
        "enrollment_course_teachers",
        "enrollment_enrollment",
        "enrollment_lesson",
        "enrollment_student",
        "enrollment_teacher",
        "enrollment_user",
        "enrollment_user_groups",
        "enrollment_user_user_permissions",
    ),
    "enrollment.0002_expand_progress": _gone("enrollment_courseunit", "enrollment_unitdone"),
    "enrollment.0003_expand_messages": {
        **_gone("enrollment_message", "enrollment_messageaccess", "enrollment_reader"),
        "enrollment_enrollment": {"ended_at"},
    },
    "enrollment.0004_expand_deleted_people": {"enrollment_user": {"deleted_at"}},
    "enrollment.0005_expand_api_tokens": _gone("enrollment_apitoken"),
    "enrollment.0006_expand_group_lessons": {
        **_gone("enrollment_lessonchange"),
        "enrollment_course": {"seats"},
        "enrollment_lesson": {"buffer_after", "buffer_before", "busy", "seats"},
    },
    "enrollment.0007_expand_conflicts": _gone(
        "enrollment_conflict", "enrollment_conflict_lessons", "enrollment_makeupcredit"
    ),
    "rollback.0001_expand_switchboard": _gone(
        "rollback_doorcount",
        "rollback_enrollmentdraft",
        "rollback_flag",
        "rollback_flag_groups",
        "rollback_flag_users",
        "rollback_flagchange",
        "rollback_switchboard",
    ),
    # Made anew, with another salt.
    "rollback.0003_backfill_flags": {
        **_gone("rollback_flag", "rollback_flag_groups", "rollback_flag_users"),
        "rollback_switchboard": {"salt", "version"},
    },
    "rollback.0004_expand_incidents": {
        **_gone("rollback_incident", "rollback_latch"),
        "rollback_flagchange": {"session"},
    },
    # The audit says that it begins.
    "rollback.0005_expand_audit_triggers": {
        "rollback_flagchange": MORE,
        "rollback_switchboard": {"version"},
    },
    "rollback.0007_expand_processes": {
        **_gone("rollback_process"),
        "rollback_switchboard": {"changed_at"},
    },
    "rollback.0009_expand_draft_versions": {
        "rollback_enrollmentdraft": {"changes", "set_aside", "version"}
    },
    "rollback.0012_expand_draft_reminders": {
        **_gone("rollback_noreminders"),
        "rollback_enrollmentdraft": {"reminded_at", "reminder_next_at", "reminder_tries"},
    },
    "rollback.0013_expand_draft_quarantine": {
        "rollback_enrollmentdraft": {"problem", "quarantined_at"}
    },
    "rollback.0014_expand_one_readable_draft": {"rollback_enrollmentdraft": {"finished_at"}},
    "rollback.0015_expand_timings": _gone("rollback_timingminute"),
    "rollback.0016_expand_incident_kind": {"rollback_incident": {"kind"}},
    "rollback.0017_expand_engine": {
        **_gone(
            "rollback_affectedperson",
            "rollback_baseline",
            "rollback_complaint",
            "rollback_draining",
            "rollback_enrollmentsession",
            "rollback_heartbeat",
            "rollback_incidentaction",
            "rollback_incidentevent",
            "rollback_judgment",
            "rollback_localtrip",
            "rollback_plan",
            "rollback_planstep",
            "rollback_proberesult",
            "rollback_sample",
            "rollback_trigger",
            "rollback_triggerversion",
            "rollback_verification",
        ),
        "rollback_incident": {
            "acknowledged_at",
            "acknowledged_by_id",
            "contained_at",
            "first_bad_at",
            "impact",
            "is_not_the_feature",
            "lessons",
            "reviewed_at",
            "root_cause",
            "severity",
            "trigger_name",
            "verified_at",
        },
    },
    "rollback.0020_expand_complaint_done_by": {"rollback_complaint": {"done_by_id"}},
    "rollback.0022_expand_evaluator_lease": {"rollback_heartbeat": {"lease_owner", "lease_until"}},
    "rollback.0023_expand_archive": _gone("rollback_ledgerentry", "rollback_orphan"),
    "rollback.0024_expand_phases": _gone(
        "rollback_backup", "rollback_phaserun", "rollback_rehearsal", "rollback_schemachange"
    ),
    # Processes say anew what they run, every few seconds.
    "rollback.0025_expand_phase_people": {
        **_gone("rollback_process"),
        "rollback_phaserun": {"automatic"},
    },
    "rollback.0026_expand_purged": {
        "rollback_ledgerentry": {"purged_because", "purged_by_id", "purged_by_name"}
    },
    "rollback.0027_expand_words": _gone(
        "rollback_banner",
        "rollback_channel",
        "rollback_deafaddress",
        "rollback_maintenance",
        "rollback_messagetemplate",
        "rollback_nonews",
        "rollback_notification",
        "rollback_oncallpolicy",
        "rollback_oncallshift",
        "rollback_page",
        "rollback_pagecall",
        "rollback_publicupdate",
        "rollback_sending",
        "rollback_stakeholder",
    ),
    "rollback.0029_expand_uptime": _gone("rollback_uptimeday"),
    "rollback.0030_expand_channels_told": {"rollback_page": {"channels_told"}},
    "rollback.0031_expand_stakeholders": {"rollback_stakeholder": {"added_at", "added_by_name"}},
    "rollback.0033_expand_released_versions": {"rollback_sending": {"versions"}},
    "enrollment.0011_expand_languages": {"enrollment_user": {"language"}},
    # The ledger remembers that they were away.
    "scheduling.0001_expand_scheduling": {"rollback_ledgerentry": MORE},
    "holidays.0001_expand_holidays": {"rollback_ledgerentry": MORE},
    "holidays.0003_expand_differences": {"rollback_ledgerentry": MORE},
}

GRAPH = MigrationLoader(None)
OURS = {
    f"{app}.{name}": migration
    for (app, name), migration in sorted(GRAPH.disk_migrations.items())
    if app in APPS
}

Rows = dict[str, list[dict[str, Any]]]


@dataclass
class Walk:
    """order: the whole plan. applied: how many of it are, now."""

    order: list[Migration]
    states: list[ProjectState]
    applied: int

    def down_to(self, migration: Migration) -> int:
        """With it as the last that is applied. :returns: its place"""
        place = self.order.index(migration)
        while self.applied < place + 1:
            self.up()
        while self.applied > place + 1:
            self.down()
        return place

    def down(self) -> None:
        place = self.applied - 1
        if self.order[place].name == "0023_expand_archive":
            empty_the_archive()  # or it would refuse
        MigrationExecutor(connection).unapply_migration(self._before(place), self.order[place])
        self.applied = place

    def up(self) -> None:
        place = self.applied
        MigrationExecutor(connection).apply_migration(self._before(place), self.order[place])
        self.applied = place + 1

    def after(self) -> ProjectState:
        return self.order[self.applied - 1].mutate_state(self.states[self.applied - 1])

    def _before(self, place: int) -> ProjectState:
        state = self.states[place].clone()
        # Or each operation would make all models anew.
        state.apps  # noqa: B018
        return state


def empty_the_archive() -> None:
    """What nobody can bring home without the ledger."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'archive'")
        for (name,) in cursor.fetchall():
            cursor.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier("archive", name)))


@pytest.fixture(scope="module")
def copied(django_db_setup: None, django_db_blocker: Any) -> Iterator[BaseDatabaseWrapper]:
    name = f"{settings.DATABASES['default']['NAME']}_migrations"
    with django_db_blocker.unblock():
        of = pristine.name_of(connection.settings_dict["NAME"])
        pristine.server("DROP DATABASE IF EXISTS {}", name)
        pristine.server("CREATE DATABASE {} TEMPLATE {}", name, of)
        copy = connection.copy("default")
        copy.settings_dict["NAME"] = name
        try:
            yield copy
        finally:
            copy.close()
            pristine.server("DROP DATABASE {}", name)


@pytest.fixture(scope="module")
def walk(copied: BaseDatabaseWrapper, django_db_blocker: Any) -> Walk:
    with inside(copied, django_db_blocker):
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True)
        state = ProjectState(real_apps=executor.loader.unmigrated_apps)
        states = []
        for migration, _backwards in plan:
            states.append(state)
            state = migration.mutate_state(state)
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA IF EXISTS archive CASCADE")
            # Before anything is undone, which may write rows of its own.
            fill(cursor, state.apps, seed=len(plan))
    return Walk(order=[one for one, _backwards in plan], states=states, applied=len(plan))


@contextmanager
def inside(copied: BaseDatabaseWrapper, django_db_blocker: Any) -> Iterator[None]:
    usual = connections["default"]
    with django_db_blocker.unblock():
        connections["default"] = copied
        try:
            yield
        finally:
            connections["default"] = usual


def newest_first() -> list[str]:
    """As Django plans them: the leaves by their names, each after what it builds on."""
    leaves = GRAPH.graph.leaf_nodes()
    plan = dict.fromkeys(key for leaf in leaves for key in GRAPH.graph.forwards_plan(leaf))
    return [".".join(key) for key in reversed(plan) if key[0] in APPS]


@pytest.mark.parametrize("name", newest_first())
def test_undone_and_applied_again(
    name: str, walk: Walk, copied: BaseDatabaseWrapper, django_db_blocker: Any
) -> None:
    with inside(copied, django_db_blocker):
        place = walk.down_to(OURS[name])
        with connection.cursor() as cursor:
            fill(cursor, walk.after().apps, seed=place)
            if not ledger_is_there(cursor):
                # Nothing will ever come home from there; and it holds on to extensions.
                cursor.execute("DROP SCHEMA IF EXISTS archive CASCADE")
        rows, catalog = everything()
        walk.down()
        walk.up()
        rows_after, catalog_after = everything()
    assert catalog_after == catalog
    assert otherwise(rows, rows_after) == OTHERWISE.get(name, {})
    words = " ".join(str(getdoc(import_module(type(OURS[name]).__module__))).split())
    assert "Undoing" in words
    if loses(name):
        assert "loses nothing" not in words
        assert not name.startswith(FEATURES)


def loses(name: str) -> bool:
    return any(what != MORE for what in OTHERWISE.get(name, {}).values())


def ledger_is_there(cursor: Any) -> bool:
    cursor.execute("SELECT to_regclass('rollback_ledgerentry') IS NOT NULL")
    return bool(cursor.fetchone()[0])


def everything() -> tuple[Rows, dict[str, str]]:
    with connection.cursor() as cursor:
        return all_rows(cursor), catalog_text(cursor)


def all_rows(cursor: Any) -> Rows:
    """As JSON, of all tables, in any order."""
    cursor.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND relname <> 'django_migrations' ORDER BY 1"
    )
    query = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {}, to_jsonb(t)::text FROM {} t").format(table, sql.Identifier(table))
        for (table,) in cursor.fetchall()
    )
    cursor.execute(query)
    found: Rows = {}
    for table, row in sorted(cursor.fetchall()):
        found.setdefault(table, []).append(json.loads(row))
    return found


def otherwise(before: Rows, after: Rows) -> dict[str, set[str] | str]:
    """By table: what is not as it was."""
    return {
        table: what
        for table in sorted({*before, *after})
        if (what := _between(before.get(table, []), after.get(table, [])))
    }


def _between(were: list[dict[str, Any]], are: list[dict[str, Any]]) -> set[str] | str:
    if were == are:
        return set()
    key = next((one for one in ("id", "name", "number") if were and one in were[0]), None)
    if key is None:
        return GONE
    by_key = {one.get(key): one for one in are}
    if any(one[key] not in by_key for one in were):
        return GONE
    return {
        column for one in were for column, value in one.items() if by_key[one[key]][column] != value
    } or MORE


ARCHIVING = [
    (name, operation)
    for name, migration in OURS.items()
    for operation in migration.operations
    if isinstance(operation, ArchivingCreateModel | ArchivingAddField)
]


def test_every_migration_of_ours_is_walked_and_every_exception_is_of_one() -> None:
    assert set(newest_first()) == set(OURS)
    assert set(OTHERWISE) <= set(OURS)
    assert {name.partition(".")[0] for name, _operation in ARCHIVING} == set(FEATURES)


def test_squashing_makes_no_plain_operation_of_one_that_archives() -> None:
    """Whatever stands before or after it: what goes in comes out, of the same class."""
    for app in FEATURES:
        operations = [one for name, one in ARCHIVING if name.startswith(app)]
        kinds = [type(one) for one in operations]
        # As if everything were altered afterwards, which Django would fold into the first.
        altered = [
            migrations.AlterModelOptions(name=one.name, options={"ordering": []})
            for one in operations
            if isinstance(one, ArchivingCreateModel)
        ]
        optimized = MigrationOptimizer().optimize([*operations, *altered], app)
        assert [type(one) for one in optimized[: len(kinds)]] == kinds
        assert [one.deconstruct() for one in optimized[: len(kinds)]] == [
            one.deconstruct() for one in operations
        ]


@pytest.mark.parametrize("name", sorted({name for name, _operation in ARCHIVING}))
def test_written_and_read_again_it_is_the_same(name: str) -> None:
    written = MigrationWriter(OURS[name]).as_string()
    read: dict[str, Any] = {}
    exec(compile(written, name, "exec"), read)
    again = [OperationWriter(one).serialize() for one in read["Migration"].operations]
    assert again == [OperationWriter(one).serialize() for one in OURS[name].operations]
    assert [type(one) for one in read["Migration"].operations] == [
        type(one) for one in OURS[name].operations
    ]


def test_the_models_are_as_the_migrations_make_them() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
