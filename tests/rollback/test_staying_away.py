"""While tables are in the archive everything else is migrated, and they stay there."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from rollback import backups, doctor, safely
from rollback.doctor import State
from rollback.safely import permits, planning
from rollback.safely.carrying_out import Asked
from rollback.safely.steps import steps
from rollback.schema import reverse
from tests.rollback.guarding import guarded
from tests.rollback.others import ACTOR

__all__ = ["guarded"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("schema"),
]

APPS = ("scheduling", "holidays")


@pytest.fixture
def away(guarded: None) -> Iterator[None]:
    """Phase 1 is done, and a hot fix comes with a migration of the ground floor."""
    reverse.take_away(apps=APPS)
    yield
    with suppress(reverse.NothingToDo):
        reverse.bring_back(apps=APPS, accept_changes=True)


def hot_fix() -> str:
    """The newest migration of the switchboard, which waits."""
    [newest] = MigrationLoader(connection).graph.leaf_nodes("rollback")
    before = max(
        name
        for app, name in MigrationLoader(connection).disk_migrations
        if app == "rollback" and name < newest[1]
    )
    MigrationExecutor(connection).migrate([("rollback", before)])
    return str(newest[1])


@contextmanager
def waits() -> Iterator[str]:
    name = hot_fix()
    try:
        yield name
    finally:
        MigrationExecutor(connection).migrate([("rollback", name)])


def asked(app: str = "", migration: str = "", **more: Any) -> Asked:
    return Asked(app=app, migration=migration, actor=ACTOR, **more)


@pytest.mark.usefixtures("away")
def test_a_hot_fix_brings_nothing_home() -> None:
    with waits() as name:
        assert doctor.examine().state == State.WAITING
        done = safely.migrate(asked=asked(break_glass="A hot fix."), say=str)
        assert done.plan == f"rollback.{name}"
    assert not reverse.present(APPS)
    assert doctor.examine().state == State.ARCHIVED


@pytest.mark.usefixtures("away")
def test_a_permit_that_was_prepared_is_the_one_that_setup_needs(tmp_path: Path) -> None:
    with waits() as name:
        prepared = safely.migrate(asked=asked(prepare=True), say=str)
        assert prepared.plan == f"rollback.{name}"
        out = StringIO()
        call_command("setup", stdout=out)
        assert planning.plan_of() == []
        assert "The tables of scheduling are in the archive and stay there" in out.getvalue()
    assert not reverse.present(APPS)


@pytest.mark.usefixtures("away")
def test_the_plain_command_leaves_them_too_and_says_so(settings: Any) -> None:
    settings.SCHEMA_GUARD = False
    with waits() as name:
        assert [one[:2] for one in steps(planning.plan_of())] == [("rollback", name)]
        out = StringIO()
        call_command("migrate", stdout=out, interactive=False)
        assert planning.plan_of() == []
    assert "The tables of holidays are in the archive and stay there" in out.getvalue()
    assert f"Applying rollback.{name}" in out.getvalue()
    assert not reverse.present(APPS)


@pytest.mark.usefixtures("away")
@pytest.mark.parametrize("words", [("holidays",), ("scheduling", "0001")])
def test_by_name_they_come_home_with_a_run_only(words: tuple[str, ...]) -> None:
    with pytest.raises(safely.MigrationRefused, match=r"manage\.py rollback reapply"):
        safely.migrate(asked=asked(*words), say=str)
    with pytest.raises(CommandError, match=r"manage\.py rollback reapply"):
        call_command("migrate", *words, verbosity=0)
    assert not list(Path(backups.shelf.folder()).glob(permits.NAMES))
    assert not reverse.present(APPS)


@pytest.mark.usefixtures("away")
def test_without_the_guard_whoever_names_them_has_them(settings: Any) -> None:
    settings.SCHEMA_GUARD = False
    call_command("migrate", "holidays", verbosity=0)
    assert reverse.present(["holidays"])


@pytest.mark.usefixtures("guarded")
def test_half_of_it_away_what_is_there_of_it_stays_as_it_is(settings: Any) -> None:
    """Of an app with one column in the archive nothing is undone either."""
    settings.SCHEMA_GUARD = False
    MigrationExecutor(connection).migrate([("holidays", "0002_expand_calendar_changes")])
    try:
        assert planning.plan_of() == []
        executor: Any = planning.Executor(connection)
        state = executor._create_project_state(with_applied_migrations=True)
        assert ("holidays", "teacherregion") in state.models
        assert [one[1] for one in steps(planning.plan_of(app="holidays"))] == [
            "0003_expand_differences"
        ]
    finally:
        reverse.bring_back(apps=APPS)
