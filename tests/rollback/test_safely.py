"""The guard, and safe_migrate: no schema is changed without proof where there is something to lose."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import override_settings

from enrollment.models import Course
from rollback import backups, incidents, runner, safely
from rollback.backups import receipts, shelf
from rollback.models import Incident, SchemaChange
from rollback.safely import carrying_out, guard, permits
from rollback.safely.carrying_out import Asked
from rollback.safely.steps import Plan
from rollback.schema import locking
from tests.conftest import make_teacher
from tests.rollback import migration_files
from tests.rollback.flag_rows import seed_flags
from tests.rollback.others import ACTOR, other_session

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("schema")]

NEWEST, BEFORE = "0003_expand_differences", "0002_expand_calendar_changes"
HOLIDAYS = "ENABLE_HOLIDAY_MANAGEMENT"
MASTER = "ENABLE_TEACHER_SCHEDULING"


@pytest.fixture(scope="module")
def proved(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with one real backup: all of these tests begin with the same migrations applied."""
    folder = tmp_path_factory.mktemp("backups")
    with django_db_blocker.unblock(), override_settings(BACKUP_DIR=folder):
        backups.make(say=lambda words: None)
        connection.close()
    return folder


@pytest.fixture(autouse=True)
def school(settings: Any, tmp_path: Path) -> Iterator[None]:
    """Somebody's, guarded, with all flags off; and in the end with the newest schema again."""
    settings.SCHEMA_GUARD = True
    settings.BACKUP_DIR = tmp_path / "backups"
    seed_flags()
    make_teacher()
    Course.objects.create(title="Violin", slug="violin")
    yield
    settings.SCHEMA_GUARD = False
    call_command("migrate", "holidays", verbosity=0)


@pytest.fixture
def receipt(proved: Path, settings: Any) -> backups.Receipt:
    settings.BACKUP_DIR = proved
    for old in proved.glob(permits.NAMES):
        old.unlink()
    found = backups.newest_verified()
    assert found is not None
    return found


def plan(target: str = BEFORE) -> Plan:
    return MigrationExecutor(connection).migration_plan([("holidays", target)])


def migrate(target: str = BEFORE) -> None:
    call_command("migrate", "holidays", target, verbosity=0)


def applied() -> set[str]:
    loader = MigrationExecutor(connection).loader
    return {name for app, name in loader.applied_migrations if app == "holidays"}


def asked(target: str = BEFORE, **more: Any) -> Asked:
    return Asked(app="holidays", migration=target, actor=ACTOR, **more)


# ---------------------------------------------------------------- the guard


def test_a_plain_migrate_is_refused_and_told_how() -> None:
    with pytest.raises(CommandError) as refused:
        migrate()
    assert "no backup has been proved for this plan" in str(refused.value)
    assert "manage.py safe_migrate" in str(refused.value)
    assert "undo holidays.0003_expand_differences" in str(refused.value)
    assert NEWEST in applied()


def test_off_the_guard_asks_nothing(settings: Any) -> None:
    settings.SCHEMA_GUARD = False
    migrate()
    assert NEWEST not in applied()


def test_nothing_to_do_is_always_fine() -> None:
    migrate(NEWEST)


def test_a_school_without_a_row_has_nothing_to_lose() -> None:
    Course.objects.all().delete()
    connection.cursor().execute("TRUNCATE enrollment_user CASCADE")
    assert guard.nothing_to_lose()
    migrate()
    assert NEWEST not in applied()


def test_what_waits_in_the_archive_can_be_lost() -> None:
    Course.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE enrollment_user CASCADE")
        cursor.execute("CREATE SCHEMA IF NOT EXISTS archive")
        cursor.execute("CREATE TABLE archive.something AS SELECT 1 AS id")
        try:
            assert not guard.nothing_to_lose()
        finally:
            cursor.execute("DROP TABLE archive.something")


def test_with_a_permit_for_just_this_plan_it_passes(receipt: backups.Receipt) -> None:
    permits.write(receipt, plan())
    migrate()
    assert NEWEST not in applied()
    change = SchemaChange.objects.get()
    assert (change.receipt, change.succeeded) == (receipt.name, True)
    assert change.plan == [["holidays", NEWEST, True]]
    assert change.finished_at is not None


def test_a_permit_for_another_plan_is_none(receipt: backups.Receipt) -> None:
    permits.write(receipt, plan("0001_expand_holidays"))
    with pytest.raises(CommandError, match=r"for another there is: .*0002_expand_calendar"):
        migrate()


def test_a_permit_that_is_renamed_is_of_another_plan(receipt: backups.Receipt) -> None:
    where = permits.write(receipt, plan("0001_expand_holidays"))
    where.rename(where.with_name(permits.write(receipt, plan()).name))
    with pytest.raises(CommandError, match="about another plan"):
        migrate()


def _forge(where: Path) -> None:
    facts = json.loads(where.read_text())
    where.write_text(json.dumps(facts | {"receipt": "another.dump"}))


def _unsigned(where: Path) -> None:
    facts = json.loads(where.read_text())
    del facts["hmac"]
    where.write_text(json.dumps(facts))


FORGED = {
    "forged": _forge,
    "unsigned": _unsigned,
    "cut off": lambda where: where.write_text(where.read_text()[:40]),
    "empty": lambda where: where.write_text(""),
    "another kind of file": lambda where: where.write_bytes(b"\xff\xfe[1]"),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_forged_permit_is_refused(forge: Any, receipt: backups.Receipt) -> None:
    forge(permits.write(receipt, plan()))
    with pytest.raises(CommandError, match="not signed with this school's key"):
        migrate()
    assert NEWEST in applied()


@contextmanager
def other_receipt(receipt: backups.Receipt, **facts: Any) -> Iterator[None]:
    """Signed well, and about something else."""
    where = receipts.beside(receipt.path)
    before = where.read_bytes()
    receipts.write(replace(receipt, **facts))
    try:
        yield
    finally:
        where.write_bytes(before)


def test_a_receipt_that_is_old_is_refused(receipt: backups.Receipt) -> None:
    permits.write(receipt, plan())
    with (
        other_receipt(receipt, as_of=receipt.as_of - timedelta(minutes=31)),
        pytest.raises(CommandError, match=r"is 3\d minutes old; 30 are the most"),
    ):
        migrate()


@pytest.mark.parametrize("facts", [{"database": "other"}, {"system": "7000000000000000000"}])
def test_a_receipt_of_another_database_is_refused(
    facts: dict[str, str], receipt: backups.Receipt
) -> None:
    permits.write(receipt, plan())
    with other_receipt(receipt, **facts), pytest.raises(CommandError, match="another database"):
        migrate()


def test_a_receipt_of_another_schema_is_refused(receipt: backups.Receipt) -> None:
    permits.write(receipt, plan())
    with (
        other_receipt(receipt, migrations=receipt.migrations[:-1]),
        pytest.raises(CommandError, match="other migrations were applied"),
    ):
        migrate()


def test_a_backup_that_is_spoiled_since_is_refused(receipt: backups.Receipt) -> None:
    permits.write(receipt, plan())
    good = receipt.path.read_bytes()
    middle = len(good) // 2
    receipt.path.write_bytes(good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :])
    try:
        with pytest.raises(CommandError, match="checksum"):
            migrate()
    finally:
        receipt.path.write_bytes(good)


def test_another_key_signs_nothing_here(receipt: backups.Receipt, settings: Any) -> None:
    permits.write(receipt, plan())
    settings.BACKUP_KEY = "somebody else's key, long enough"
    with pytest.raises(CommandError, match="not signed with this school's key"):
        migrate()


def test_tables_are_not_taken_from_under_a_feature_that_is_on(receipt: backups.Receipt) -> None:
    for flag in (MASTER, HOLIDAYS):
        runner.set_share(flag=flag, percent=100, actor=runner.actor_at_the_terminal(), reason="t")
    permits.write(receipt, plan())
    with pytest.raises(CommandError, match=rf"while {HOLIDAYS} is on. First the phases"):
        migrate()
    with pytest.raises(safely.MigrationRefused, match="First the phases"):
        safely.migrate(asked=asked(reuse=True), say=str)
    assert NEWEST in applied()


def test_a_broken_glass_opens_an_incident(settings: Any) -> None:
    settings.SCHEMA_BREAK_GLASS = "The disk for backups is on fire."
    migrate()
    incident = Incident.objects.get()
    event = incident.events.latest("number")
    assert "The disk for backups is on fire." in event.payload["text"]
    assert event.payload["schema"] == [["holidays", NEWEST, True]]
    assert incidents.check_chain(incident) is None
    change = SchemaChange.objects.get()
    assert (change.incident, change.broken_glass) == (incident, settings.SCHEMA_BREAK_GLASS)
    assert (change.receipt, change.succeeded) == ("", True)


def test_a_broken_glass_stands_in_the_incident_that_is_open(settings: Any) -> None:
    settings.SCHEMA_BREAK_GLASS = "No time."
    opened = incidents.open_case(title="It burns", flags=[], actor=ACTOR, cause="fire")
    migrate()
    assert opened is not None
    assert Incident.objects.get() == opened
    assert opened.events.filter(payload__text__contains="No time.").count() == 1


# ---------------------------------------------------------------- safe_migrate


def test_there_and_back_with_a_backup_of_its_own() -> None:
    """The whole way once, backup included; the others take the one that is there."""
    heard: list[str] = []
    done = safely.migrate(asked=asked(), say=heard.append)
    assert NEWEST not in applied()
    assert any("is proved" in one for one in heard)
    assert (shelf.folder() / done.receipt).exists()
    change = SchemaChange.objects.get()
    assert (change.receipt, change.succeeded) == (done.receipt, True)
    assert change.report["wrong"] == []
    assert change.report["equal_tables"] > 10
    # The backup is of before: of what is now it says nothing.
    with pytest.raises(safely.PermitRefused, match="other migrations were applied"):
        permits.check(backups.read(done.receipt))


def test_nothing_to_do(receipt: backups.Receipt) -> None:
    assert safely.migrate(asked=asked(NEWEST), say=str).plan == ""


def test_prepared_it_lets_a_plain_migrate_through(receipt: backups.Receipt) -> None:
    done = safely.migrate(asked=asked(prepare=True, reuse=True), say=str)
    assert done.permit is not None
    assert NEWEST in applied()
    migrate()
    assert NEWEST not in applied()


@pytest.mark.parametrize("words", [("nobody", ""), ("holidays", "0099")])
def test_what_is_not_there_is_said(words: tuple[str, str]) -> None:
    with pytest.raises(safely.MigrationRefused, match="no migration"):
        safely.migrate(asked=Asked(app=words[0], migration=words[1], actor=ACTOR), say=str)


def test_two_at_once_are_one() -> None:
    with other_session(autocommit=True) as other:
        other.execute(carrying_out.CLAIM)
        with pytest.raises(safely.MigrationRefused, match="Another safe_migrate"):
            safely.migrate(asked=asked(), say=str)


def test_without_a_backup_it_ends_before_it_begins(settings: Any, tmp_path: Path) -> None:
    settings.BACKUP_DIR = tmp_path / "file"
    settings.BACKUP_DIR.write_text("no folder")
    with pytest.raises(safely.MigrationRefused, match="BACKUP_DIR"):
        safely.migrate(asked=asked(), say=str)
    assert NEWEST in applied()


def test_a_table_in_use_is_waited_for_two_seconds_at_a_time(
    receipt: backups.Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(locking, "PATIENCE", 1.2)
    monkeypatch.setattr(locking, "PAUSE", (0.0, 0.1))
    with other_session() as reader:
        reader.execute("SELECT * FROM holidays_holidaysource")

        def say(words: str) -> None:
            heard.append(words)
            if "in use" in words:
                reader.rollback()

        done = safely.migrate(asked=asked(reuse=True), say=say)
    assert done.tries == 2
    assert any(f"process {reader.info.backend_pid}" in one for one in heard if "in use" in one)


def test_a_table_that_stays_in_use_is_left_and_the_holder_named(
    receipt: backups.Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "PATIENCE", 0.2)
    with other_session() as reader:
        reader.execute("SELECT * FROM holidays_holidaysource")
        with pytest.raises(safely.Failed, match=f"process {reader.info.backend_pid}") as failed:
            safely.migrate(asked=asked(reuse=True, deadline=0), say=str)
    assert "Done before: nothing." in str(failed.value)
    assert receipt.name in str(failed.value)
    assert NEWEST in applied()
    change = SchemaChange.objects.get()
    assert change.succeeded is False
    assert change.finished_at is not None


# ---------------------------------------------------------------- what is compared


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Any:
    """A further migration of the holidays. Whatever it did is undone by its reverse."""
    where = settings.BASE_DIR / "holidays" / "migrations"
    files = {one.stem: one.read_text() for one in where.glob("0*.py")}
    made: list[Any] = []

    def write(name: str, operations: str) -> None:
        file = migration_files.text(operations, dependencies=[("holidays", NEWEST)])
        context = migration_files.package(tmp_path, {**files, name: file})
        made.append(context)
        monkeypatch.setitem(settings.MIGRATION_MODULES, "holidays", context.__enter__())

    yield write
    settings.SCHEMA_GUARD = False
    migrate(NEWEST)
    for context in made:
        context.__exit__(None, None, None)


def test_rows_are_written_by_a_backfill_alone(receipt: backups.Receipt, written: Any) -> None:
    rows = "UPDATE enrollment_course SET title = 'Viola'"
    written("0004_expand_titles", f'migrations.RunSQL("{rows}", migrations.RunSQL.noop)')
    with pytest.raises(safely.Failed, match="changes rows of enrollment_course"):
        safely.migrate(asked=asked("0004", reuse=True), say=str)
    assert Course.objects.get().title == "Violin"
    assert applied() == {"0001_expand_holidays", BEFORE, NEWEST}


def test_a_backfill_that_changes_what_was_there_is_found(
    receipt: backups.Receipt, written: Any
) -> None:
    rows = "UPDATE enrollment_course SET title = 'Viola'"
    written("0004_backfill_titles", f'migrations.RunSQL("{rows}", migrations.RunSQL.noop)')
    with pytest.raises(safely.Failed, match="enrollment_course: 1 rows before, 1 after") as failed:
        safely.migrate(asked=asked("0004", reuse=True), say=str)
    assert receipt.name in str(failed.value)
    assert SchemaChange.objects.get().succeeded is False


def test_a_table_emptied_without_a_row_written_is_found(
    receipt: backups.Receipt, written: Any
) -> None:
    Course.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE enrollment_more AS SELECT 1 AS id")
    empty = '"TRUNCATE enrollment_more", migrations.RunSQL.noop'
    written("0004_backfill_nothing", f"migrations.RunSQL({empty})")
    try:
        with pytest.raises(safely.Failed, match="enrollment_more: 1 rows before, 0 after"):
            safely.migrate(asked=asked("0004", reuse=True), say=str)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE enrollment_more")


def test_what_others_write_meanwhile_is_not_ours(
    receipt: backups.Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = carrying_out._run

    def while_somebody_writes(*args: Any) -> None:
        with other_session(autocommit=True) as other:
            other.execute("UPDATE enrollment_course SET title = 'Viola'")
        run(*args)

    monkeypatch.setattr(carrying_out, "_run", while_somebody_writes)
    done = safely.migrate(asked=asked(reuse=True), say=str)
    assert done.by_others == ["enrollment_course"]
    assert SchemaChange.objects.get().succeeded is True


def test_what_the_plan_does_not_say_is_found(receipt: backups.Receipt, written: Any) -> None:
    more = '"ALTER TABLE enrollment_course ADD more int", "ALTER TABLE enrollment_course DROP more"'
    written("0004_expand_more", f"migrations.RunSQL({more})")
    with pytest.raises(safely.Failed, match="enrollment_course is not as it was"):
        safely.migrate(asked=asked("0004", reuse=True), say=str)


def test_a_schema_that_is_not_the_models_is_found(receipt: backups.Receipt, written: Any) -> None:
    less = (
        '"ALTER TABLE holidays_region ALTER name DROP NOT NULL",'
        '"ALTER TABLE holidays_region ALTER name SET NOT NULL"'
    )
    written("0004_expand_less", f"migrations.RunSQL({less})")
    with pytest.raises(safely.Failed, match=r"holidays_region.name is not as the model has it"):
        safely.migrate(asked=asked("0004", reuse=True), say=str)


def test_the_gates_come_before_the_backup(written: Any) -> None:
    written("0004_expand_gone", 'migrations.RunSQL("SELECT 1")')
    with pytest.raises(safely.MigrationRefused, match="cannot be undone"):
        safely.migrate(asked=asked("0004"), say=str)
    assert not [*shelf.folder().glob("*.dump")]


def test_a_statement_has_its_time(
    receipt: backups.Receipt, written: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollback.safely.watching.STATEMENT", 1)
    slow = '"SELECT pg_sleep(30)", migrations.RunSQL.noop'
    written("0004_expand_slow", f"migrations.RunSQL({slow})")
    began = time.monotonic()
    with pytest.raises(safely.Failed, match="statement timeout"):
        safely.migrate(asked=asked("0004", reuse=True), say=str)
    assert time.monotonic() - began < 20
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


# ---------------------------------------------------------------- the command


def command(*words: str, **options: Any) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("safe_migrate", *words, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_the_command_says_what_it_did(receipt: backups.Receipt) -> None:
    said, _warned = command("holidays", "0002", reuse=True)
    assert "Migrated and compared" in said
    assert receipt.name in said


def test_the_command_breaks_the_glass_too() -> None:
    said, _warned = command("holidays", "0002", break_glass="No disk.")
    assert "WITHOUT a backup" in said
    assert SchemaChange.objects.get().broken_glass == "No disk."
    assert Incident.objects.get().events.filter(payload__text__contains="No disk.").exists()


def test_a_glass_is_not_broken_for_a_preparation() -> None:
    with pytest.raises(CommandError, match="without a backup: leave out"):
        command(break_glass="x", prepare=True)


@pytest.mark.parametrize("given", ["", "schol", "postgres"])
def test_the_name_of_the_database_has_to_be_typed(given: str, settings: Any) -> None:
    settings.SCHEMA_CONFIRM = True
    with pytest.raises(CommandError, match=connection.settings_dict["NAME"]):
        command("holidays", "0002", confirm=given)
    assert NEWEST in applied()


def test_whoever_types_the_name_goes_on(settings: Any) -> None:
    settings.SCHEMA_CONFIRM = True
    name = connection.settings_dict["NAME"]
    assert "Nothing to migrate" in command("holidays", NEWEST, confirm=name)[0]


def test_a_refusal_of_the_database_is_told(receipt: backups.Receipt, written: Any) -> None:
    written("0004_expand_wrong", 'migrations.RunSQL("SELECT nothing", migrations.RunSQL.noop)')
    with pytest.raises(CommandError, match=r"nothing.*does not exist"):
        command("holidays", "0004", reuse=True)
    assert Course.objects.count() == 1, "the connection is whole again"
