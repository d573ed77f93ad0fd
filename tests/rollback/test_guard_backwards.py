"""What takes a feature's tables away is phase 1, by two people; one alone gets by only over broken glass."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.test import override_settings

from rollback import backups, runner, safely
from rollback.backups import shelf
from rollback.models import Incident, SchemaChange
from rollback.safely import permits
from rollback.safely.carrying_out import Asked
from tests.rollback.guarding import BEFORE, NEWEST, applied, asked, forget, guarded, migrate, plan
from tests.rollback.others import ACTOR

__all__ = ["guarded"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("guarded")]
CHANGES = pytest.mark.django_db(transaction=True)

HOLIDAYS = "ENABLE_HOLIDAY_MANAGEMENT"
MASTER = "ENABLE_TEACHER_SCHEDULING"
GLASS = "The disk for backups is on fire."


@pytest.fixture(scope="module")
def backed_up(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("backups")
    with django_db_blocker.unblock(), override_settings(BACKUP_DIR=folder):
        backups.make(say=lambda words: None)
        forget()
    return folder


@pytest.fixture
def permitted(backed_up: Path, settings: Any) -> None:
    """With a proved backup and a permit for this very plan."""
    settings.BACKUP_DIR = backed_up
    receipt = backups.newest_verified()
    assert receipt is not None
    permits.write(receipt, plan(BEFORE))
    permits.find(plan(BEFORE))


def switch_on() -> None:
    for flag in (MASTER, HOLIDAYS):
        runner.set_share(
            flag=flag, percent=Decimal(100), actor=runner.actor_at_the_terminal(), reason="t"
        )


def test_tables_are_not_taken_from_under_a_feature_that_is_on(permitted: None) -> None:
    switch_on()
    with pytest.raises(CommandError, match=rf"while {HOLIDAYS} is on. First the phases"):
        migrate(BEFORE)
    with pytest.raises(safely.MigrationRefused, match="First the phases"):
        safely.migrate(asked=asked(BEFORE, reuse=True), say=str)
    assert NEWEST in applied()


def test_a_permit_is_no_second_person(permitted: None) -> None:
    """All flags are off, and the backup is proved."""
    with pytest.raises(CommandError, match=r"manage\.py rollback phase 1: a second person") as told:
        migrate(BEFORE)
    assert "tables of holidays" in str(told.value)
    assert NEWEST in applied()


@pytest.mark.parametrize("app", ["scheduling", "holidays"])
@pytest.mark.parametrize("more", [{}, {"prepare": True}], ids=["safe_migrate", "prepare"])
def test_zero_is_refused_before_there_is_a_backup(app: str, more: dict[str, Any]) -> None:
    zero = Asked(app=app, migration="zero", actor=ACTOR, **more)
    with pytest.raises(safely.MigrationRefused, match=r"manage\.py rollback phase 1"):
        safely.migrate(asked=zero, say=str)
    assert not [*shelf.folder().glob("*.dump")]


@CHANGES
def test_over_broken_glass_one_is_enough_and_that_is_written(settings: Any) -> None:
    settings.SCHEMA_BREAK_GLASS = GLASS
    migrate(BEFORE)
    assert NEWEST not in applied()
    said = Incident.objects.get().events.latest("number").payload["text"]
    assert "Tables of holidays are taken away without a phase run and its second person." in said
    assert SchemaChange.objects.get().broken_glass == GLASS


@CHANGES
def test_safe_migrate_too_breaks_the_glass() -> None:
    safely.migrate(asked=asked(BEFORE, break_glass=GLASS), say=str)
    assert NEWEST not in applied()
    events = Incident.objects.get().events
    assert events.filter(payload__text__icontains="without a phase run").count() == 1


@CHANGES
@pytest.mark.parametrize("is_guarded", [True, False])
def test_what_is_switched_on_meanwhile_is_seen_at_the_try(settings: Any, is_guarded: bool) -> None:
    """Between the first look and the tables there is a backup, and two minutes of trying."""
    settings.SCHEMA_GUARD = is_guarded

    def say(words: str) -> None:
        if words.startswith("WITHOUT a backup"):
            switch_on()

    with pytest.raises(safely.MigrationRefused, match=f"while {HOLIDAYS} is on"):
        safely.migrate(asked=asked(BEFORE, break_glass=GLASS), say=say)
    assert NEWEST in applied()
    assert SchemaChange.objects.get().succeeded is False
