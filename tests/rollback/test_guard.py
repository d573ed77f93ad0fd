"""The guard: a plain migrate does nothing without proof where there is something to lose."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import connection

from config.local.place import BASE_DIR
from enrollment.models import Course, Teacher, User
from rollback import backups, incidents
from rollback.backups import receipts
from rollback.models import Incident, SchemaChange
from rollback.safely import guard, permits
from tests.rollback import backed
from tests.rollback.guarding import (
    BEFORE,
    NEWEST,
    applied,
    migrate,
    plan,
    proved,
    receipt,
    waiting,
)
from tests.rollback.others import ACTOR

__all__ = ["proved", "receipt", "waiting"]

# Refused it changes nothing, so most of these need no tables of their own.
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("waiting"),
]
CHANGES = pytest.mark.django_db(transaction=True)

PRODUCTION = {
    "SCHOOL_ENV": "production",
    "SECRET_KEY": "aB3-" + "kq8Zr1Lw5Xn0Tc7Vb2Mj9Hd4Gf6Ps" * 2,
    "ALLOWED_HOSTS": "school.example",
    "SITE_URL": "https://school.example",
    "EMAIL_URL": "smtps://mail.example:465",
    "LOG_LEVEL": "ERROR",
}


def test_a_plain_migrate_is_refused_and_told_how() -> None:
    with pytest.raises(CommandError) as refused:
        migrate()
    assert "no backup has been proved for this plan" in str(refused.value)
    assert "manage.py safe_migrate" in str(refused.value)
    assert "The plan: holidays.0003_expand_differences" in str(refused.value)
    assert NEWEST not in applied()


@CHANGES
def test_off_the_guard_asks_nothing(settings: Any) -> None:
    settings.SCHEMA_GUARD = False
    migrate()
    assert NEWEST in applied()


def test_nothing_to_do_is_always_fine() -> None:
    migrate(BEFORE)


def nobody_is_left() -> None:
    for model in (Course, Teacher, User):
        model._default_manager.all().delete()


@CHANGES
def test_a_school_without_a_row_has_nothing_to_lose() -> None:
    nobody_is_left()
    assert guard.nothing_to_lose()
    migrate()
    assert NEWEST in applied()


@CHANGES
def test_what_waits_in_the_archive_can_be_lost() -> None:
    nobody_is_left()
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS archive")
        cursor.execute("CREATE TABLE archive.something AS SELECT 1 AS id")
        try:
            assert not guard.nothing_to_lose()
        finally:
            cursor.execute("DROP TABLE archive.something")


@CHANGES
def test_with_a_permit_for_just_this_plan_it_passes(receipt: backups.Receipt) -> None:
    permits.write(receipt, plan())
    migrate()
    assert NEWEST in applied()
    change = SchemaChange.objects.get()
    assert (change.receipt, change.succeeded) == (receipt.name, True)
    assert change.plan == [["holidays", NEWEST, False]]
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
    assert NEWEST not in applied()


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


def test_a_receipt_of_later_than_now_is_refused(receipt: backups.Receipt) -> None:
    permits.write(receipt, plan())
    with (
        other_receipt(receipt, as_of=receipt.as_of + timedelta(hours=1)),
        pytest.raises(CommandError, match="of later than now"),
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


@CHANGES
def test_a_broken_glass_opens_an_incident(settings: Any) -> None:
    settings.SCHEMA_BREAK_GLASS = "The disk for backups is on fire."
    migrate()
    incident = Incident.objects.get()
    event = incident.events.latest("number")
    assert "The disk for backups is on fire." in event.payload["text"]
    assert event.payload["schema"] == [["holidays", NEWEST, False]]
    assert incidents.check_chain(incident) is None
    change = SchemaChange.objects.get()
    assert (change.incident, change.broken_glass) == (incident, settings.SCHEMA_BREAK_GLASS)
    assert (change.receipt, change.succeeded) == ("", True)


@CHANGES
def test_a_broken_glass_stands_in_the_incident_that_is_open(settings: Any) -> None:
    settings.SCHEMA_BREAK_GLASS = "No time."
    opened = incidents.open_case(title="It burns", flags=[], actor=ACTOR, cause="fire")
    migrate()
    assert opened is not None
    assert Incident.objects.get() == opened
    assert opened.events.filter(payload__text__icontains="No time.").count() == 1


@CHANGES
def test_other_processes_in_production(tmp_path: Path) -> None:
    """Refused, and migrated with a proved backup, on a copy of this school."""
    connection.close()  # what is copied is used by nobody
    with backed.database("guarded", like=connection.settings_dict["NAME"]) as address:
        env = PRODUCTION | {"DATABASE_URL": address, "BACKUP_DIR": str(tmp_path / "backups")}
        refused = manage(env, "migrate", "holidays", NEWEST)
        assert refused.returncode == 1
        assert "Run manage.py safe_migrate" in refused.stderr
        assert "Traceback" not in refused.stderr
        (name,) = backed.run(address, "SELECT current_database()")[0]
        done = manage(env, "safe_migrate", "holidays", NEWEST, "--confirm", name)
        assert done.returncode == 0, done.stderr
        assert "has never been rehearsed" in done.stderr
        assert "is proved" in done.stdout
        assert "Migrated and compared" in done.stdout
        changes = "SELECT succeeded, report->'wrong' FROM rollback_schemachange"
        assert backed.run(address, changes) == [(True, [])]


def manage(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BASE_DIR / "manage.py"), *words],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
