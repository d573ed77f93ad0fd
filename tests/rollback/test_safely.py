"""safe_migrate: a proved backup, two seconds of waiting at a time, and a look at what was done."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from enrollment.models import Course
from rollback import backups, safely
from rollback.backups import shelf
from rollback.models import Incident, SchemaChange
from rollback.safely import carrying_out, permits
from rollback.safely.carrying_out import Asked
from rollback.schema import locking
from tests.rollback import migration_files
from tests.rollback.guarding import (
    BEFORE,
    NEWEST,
    applied,
    asked,
    migrate,
    proved,
    receipt,
    waiting,
)
from tests.rollback.others import ACTOR, other_session

__all__ = ["proved", "receipt", "waiting"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("waiting"),
]


def test_the_whole_way_with_a_backup_of_its_own() -> None:
    """The whole way once, backup included; the others take the one that is there."""
    heard: list[str] = []
    done = safely.migrate(asked=asked(), say=heard.append)
    assert NEWEST in applied()
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
    assert safely.migrate(asked=asked(BEFORE), say=str).plan == ""


def test_prepared_it_lets_a_plain_migrate_through(receipt: backups.Receipt) -> None:
    done = safely.migrate(asked=asked(prepare=True, reuse=True), say=str)
    assert done.permit is not None
    assert NEWEST not in applied()
    migrate()
    assert NEWEST in applied()


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
    assert NEWEST not in applied()


def test_a_table_in_use_is_waited_for_two_seconds_at_a_time(
    receipt: backups.Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(locking, "PATIENCE", 1.2)
    monkeypatch.setattr(locking, "PAUSE", (0.0, 0.1))
    with other_session() as reader:
        reader.execute("SELECT * FROM holidays_holidaysource")
        holder = f"process {reader.info.backend_pid} "

        def say(words: str) -> None:
            heard.append(words)
            if "in use" in words:
                reader.rollback()

        done = safely.migrate(asked=asked(reuse=True), say=say)
    assert done.tries == 2
    assert any(holder in one for one in heard if "in use" in one)


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
    assert NEWEST not in applied()
    change = SchemaChange.objects.get()
    assert change.succeeded is False
    assert change.finished_at is not None


@pytest.fixture
def written(tmp_path: Path, settings: Any) -> Iterator[Any]:
    """A further migration of the holidays. Whatever it did is undone by its reverse."""
    where = settings.BASE_DIR / "holidays" / "migrations"
    files = {one.stem: one.read_text() for one in where.glob("0*.py")}
    with ExitStack() as stack:

        def write(name: str, operations: str) -> None:
            file = migration_files.text(operations, dependencies=[("holidays", NEWEST)])
            package = stack.enter_context(migration_files.package(tmp_path, {**files, name: file}))
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setitem(settings.MIGRATION_MODULES, "holidays", package)

        yield write
        settings.SCHEMA_GUARD = False
        if applied() - {"0001_expand_holidays", BEFORE, NEWEST}:
            migrate(NEWEST)


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
        '"ALTER TABLE holidays_region ALTER country DROP NOT NULL",'
        '"ALTER TABLE holidays_region ALTER country SET NOT NULL"'
    )
    written("0004_expand_less", f"migrations.RunSQL({less})")
    with pytest.raises(safely.Failed, match=r"holidays_region.country is not as the model has it"):
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


def command(*words: str, **options: Any) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("safe_migrate", *words, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_the_command_says_what_it_did(receipt: backups.Receipt) -> None:
    said, _warned = command("holidays", "0003", reuse=True)
    assert "Migrated and compared" in said
    assert receipt.name in said


def test_the_command_breaks_the_glass_too() -> None:
    said, _warned = command("holidays", "0003", break_glass="No disk.")
    assert "WITHOUT a backup" in said
    assert SchemaChange.objects.get().broken_glass == "No disk."
    assert Incident.objects.get().events.filter(payload__text__icontains="No disk.").exists()


def test_a_glass_is_not_broken_for_a_preparation() -> None:
    with pytest.raises(CommandError, match="without a backup: leave out"):
        command(break_glass="x", prepare=True)


@pytest.mark.parametrize("given", ["", "schol", "postgres"])
def test_the_name_of_the_database_has_to_be_typed(given: str, settings: Any) -> None:
    settings.SCHEMA_CONFIRM = True
    with pytest.raises(CommandError, match=connection.settings_dict["NAME"]):
        command("holidays", "0003", confirm=given)
    assert NEWEST not in applied()


def test_whoever_types_the_name_goes_on(settings: Any) -> None:
    settings.SCHEMA_CONFIRM = True
    name = connection.settings_dict["NAME"]
    assert "Nothing to migrate" in command("holidays", BEFORE, confirm=name)[0]


def test_a_refusal_of_the_database_is_told(receipt: backups.Receipt, written: Any) -> None:
    written("0004_expand_wrong", 'migrations.RunSQL("SELECT nothing", migrations.RunSQL.noop)')
    with pytest.raises(CommandError, match=r"nothing.*does not exist"):
        command("holidays", "0004", reuse=True)
    assert Course.objects.count() == 1, "the connection is whole again"


def test_what_is_kept_of_a_refusal_says_nothing_of_a_row(
    receipt: backups.Receipt, written: Any
) -> None:
    """Key (email)=(…) already exists: in the report nobody would erase it."""
    twice = "CREATE UNIQUE INDEX one ON enrollment_course ((title IS NOT NULL))"
    Course.objects.create(title="Anna's own", slug="anna")
    written("0004_expand_one", f'migrations.RunSQL("{twice}", migrations.RunSQL.noop)')
    with pytest.raises(CommandError) as refused:
        command("holidays", "0004", reuse=True)
    report = SchemaChange.objects.get().report
    assert "could not create unique index" in report["error"]
    assert "(one)" in report["error"] or '"one"' in report["error"]
    for words in (str(report), str(refused.value)):
        assert "Key (" not in words
        assert "DETAIL" not in words


def test_a_permit_is_nobody_elses(receipt: backups.Receipt) -> None:
    safely.migrate(asked=asked(reuse=True, prepare=True), say=str)
    [permit] = shelf.folder().glob(permits.NAMES)
    assert permit.stat().st_mode & 0o777 == 0o600
