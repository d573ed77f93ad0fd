"""A school whose schema is about to be changed, and one real backup of it for all of a module's tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import override_settings

from enrollment.models import Course
from rollback import backups
from rollback.models import Backup, LedgerEntry
from rollback.safely import permits
from rollback.safely.carrying_out import Asked
from rollback.safely.steps import Plan
from tests.conftest import make_teacher
from tests.rollback.flag_rows import seed_flags
from tests.rollback.others import ACTOR

NEWEST, BEFORE = "0003_expand_differences", "0002_expand_calendar_changes"


@pytest.fixture(scope="module")
def proved(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with the backup: all of these tests begin with the same migrations applied."""
    folder = tmp_path_factory.mktemp("backups")
    with django_db_blocker.unblock(), override_settings(BACKUP_DIR=folder):
        move(BEFORE)
        backups.make(say=lambda words: None)
        move(NEWEST)
        forget()
    return folder


@pytest.fixture
def guarded(settings: Any, tmp_path: Path) -> Iterator[None]:
    """Somebody's school, with all flags off; and in the end with the newest schema again."""
    yield from _guarded(settings, tmp_path)


@pytest.fixture
def waiting(settings: Any, tmp_path: Path) -> Iterator[None]:
    """As `guarded`, of the release before: its newest migration waits, and was never there."""
    move(BEFORE)
    forget_the_archive()
    yield from _guarded(settings, tmp_path)


def _guarded(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.SCHEMA_GUARD = True
    settings.BACKUP_DIR = tmp_path / "backups"
    seed_flags()
    make_teacher()
    Course.objects.create(title="Violin", slug="violin")
    yield
    settings.SCHEMA_GUARD = False
    if NEWEST not in applied():
        move(NEWEST)


@pytest.fixture
def receipt(proved: Path, settings: Any) -> backups.Receipt:
    settings.BACKUP_DIR = proved
    for old in proved.glob(permits.NAMES):
        old.unlink()
    found = backups.newest_verified()
    assert found is not None
    return found


def forget() -> None:
    """What others would wonder at, who begin with no row at all."""
    LedgerEntry.objects.all().delete()
    Backup.objects.all().delete()
    connection.close()


def move(target: str) -> None:
    """Past the guard, which knows only of whoever says `migrate`; and past its signals, which take long."""
    MigrationExecutor(connection).migrate([("holidays", target)])


def forget_the_archive() -> None:
    for entry in LedgerEntry.objects.filter(back_at=None):
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {entry.archived_as}")
        entry.delete()


def plan(target: str = NEWEST) -> Plan:
    return MigrationExecutor(connection).migration_plan([("holidays", target)])


def migrate(target: str = NEWEST) -> None:
    call_command("migrate", "holidays", target, verbosity=0)


def applied() -> set[str]:
    loader = MigrationExecutor(connection).loader
    return {name for app, name in loader.applied_migrations if app == "holidays"}


def asked(target: str = NEWEST, **more: Any) -> Asked:
    return Asked(app="holidays", migration=target, actor=ACTOR, **more)
