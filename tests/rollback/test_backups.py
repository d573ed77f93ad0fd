"""Receipts, the folder, the nightly backup, and what the office hears of it."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from psycopg.conninfo import conninfo_to_dict
from structlog.testing import capture_logs

from enrollment.models import Course, User
from rollback import backups, tasks
from rollback.backups import age, making, opened, receipts, rows, shelf, source
from rollback.backups.source import Source
from rollback.health import exported
from rollback.models import Backup
from tests.rollback import backed, console_rows

pytestmark = pytest.mark.xdist_group("backups")

KEY = "of the tests, 0123456789 abcdefghijkl"


@pytest.fixture(scope="module")
def small() -> Iterator[Source]:
    with backed.small() as found:
        yield found


@pytest.fixture(scope="module")
def proved(small: Source, tmp_path_factory: pytest.TempPathFactory) -> backups.Receipt:
    return making.prove(small, where=tmp_path_factory.mktemp("proved"))


@pytest.fixture
def where(tmp_path: Path, settings: Any, small: Source, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own; and the school is the small database."""
    settings.BACKUP_DIR = tmp_path / "backups"
    monkeypatch.setattr(source, "school", lambda: small)
    return shelf.folder()


@pytest.fixture
def receipt(proved: backups.Receipt, where: Path) -> backups.Receipt:
    return another(proved, where, hours=0)


def another(proved: backups.Receipt, where: Path, *, hours: float) -> backups.Receipt:
    """The same once more, as if it had been made that much earlier."""
    as_of = proved.as_of - timedelta(hours=hours)
    made = replace(proved, path=where / shelf.new_name(proved.database, as_of=as_of), as_of=as_of)
    shutil.copy(proved.path, made.path)
    receipts.write(made)
    return made


# ---------------------------------------------------------------- receipts


def test_what_was_written_is_read(receipt: backups.Receipt, small: Source) -> None:
    assert backups.read(receipt.path, contents=True) == receipt
    assert backups.read(receipts.beside(receipt.path)) == receipt
    assert backups.read(receipt.name) == receipt, "a name alone is in BACKUP_DIR"
    assert receipt.is_of(small.identity())
    assert receipt.rows == backed.ROWS + 600
    assert set(receipt.seconds) == {"dump", "fingerprint", "restore", "compare", "total"}
    for path in (receipt.path, receipts.beside(receipt.path)):
        assert path.stat().st_mode & 0o777 == 0o600


FORGERIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another checksum": lambda facts: facts | {"sha256": "0" * 64},
    "another size": lambda facts: facts | {"size": facts["size"] + 1},
    "younger": lambda facts: facts | {"as_of": "2099-01-01T00:00:00+00:00"},
    "another database": lambda facts: facts | {"database": "other"},
    "more migrations": lambda facts: facts | {"migrations": [["rollback", "9999"]]},
    "fewer rows": lambda facts: facts | {"fingerprint": {**facts["fingerprint"], "tables": {}}},
    "another file": lambda facts: facts | {"file": "other.dump"},
    "no signature": lambda facts: {name: facts[name] for name in facts if name != "hmac"},
    "an empty signature": lambda facts: facts | {"hmac": ""},
    "a number for a signature": lambda facts: facts | {"hmac": 7},
    "signed by anybody": lambda facts: facts | {"hmac": "é" * 64},
    "a list": lambda facts: [facts],
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_receipt_that_was_changed_is_refused(forgery: str, receipt: backups.Receipt) -> None:
    path = receipts.beside(receipt.path)
    path.write_text(json.dumps(FORGERIES[forgery](json.loads(path.read_text()))))
    with pytest.raises(backups.ReceiptRefused, match="not signed with this school's key"):
        backups.read(receipt.path)


def test_written_in_another_way_it_says_the_same(receipt: backups.Receipt) -> None:
    path = receipts.beside(receipt.path)
    facts = dict(reversed(json.loads(path.read_text()).items()))
    path.write_text(json.dumps(facts, indent=7))
    assert backups.read(receipt.path) == receipt


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_receipt_that_was_cut_is_refused(share: float, receipt: backups.Receipt) -> None:
    path = receipts.beside(receipt.path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(backups.ReceiptRefused, match="no receipt, or was cut off"):
        backups.read(receipt.path)


def test_another_key_signs_another_receipt(receipt: backups.Receipt, settings: Any) -> None:
    settings.SECRET_KEY = "another one " * 6
    with pytest.raises(backups.ReceiptRefused, match="not signed with this school's key"):
        backups.read(receipt.path)
    settings.BACKUP_KEY = KEY
    receipts.write(receipt)
    settings.SECRET_KEY = "and another one " * 6
    assert backups.read(receipt.path) == receipt, "with a key of its own it outlives SECRET_KEY"


def test_a_receipt_of_another_database_is_refused(
    receipt: backups.Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "school", lambda: Source(backed.address("postgres")))
    with pytest.raises(backups.ReceiptRefused, match="a backup of another database"):
        backups.read(receipt.path)
    assert backups.read(receipt.path, elsewhere=True) == receipt
    receipts.write(replace(receipt, system="7", database="postgres"))
    with pytest.raises(backups.ReceiptRefused, match="a backup of another database"):
        backups.read(receipt.path)


def test_the_receipt_of_one_file_proves_no_other(receipt: backups.Receipt) -> None:
    other = receipt.path.with_name("school-20300101-000000-000.dump")
    shutil.copy(receipt.path, other)
    with pytest.raises(backups.ReceiptRefused, match="no receipt"):
        backups.read(other)
    shutil.copy(receipts.beside(receipt.path), receipts.beside(other))
    with pytest.raises(backups.ReceiptRefused, match="about another file"):
        backups.read(other)


def test_a_file_that_is_not_what_it_was_is_refused(receipt: backups.Receipt) -> None:
    flip(receipt.path)
    assert backups.read(receipt.path) == receipt, "its size is the same"
    with pytest.raises(backups.ReceiptRefused, match="checksum"):
        backups.read(receipt.path, contents=True)
    with receipt.path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(backups.ReceiptRefused, match="bytes, and had"):
        backups.read(receipt.path)
    receipt.path.unlink()
    with pytest.raises(backups.ReceiptRefused, match="cannot be read: No such file"):
        backups.read(receipt.path)


def flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        (byte,) = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


# ---------------------------------------------------------------- the folder


def test_the_newest_whose_file_is_what_was_proved(proved: backups.Receipt, where: Path) -> None:
    assert backups.newest_verified() is None
    old = another(proved, where, hours=30)
    young = another(proved, where, hours=3)
    assert backups.newest_verified() == young
    assert backups.newest_verified(within=timedelta(hours=4)) == young
    assert backups.newest_verified(within=timedelta(hours=2)) is None
    flip(young.path)
    assert backups.newest_verified() == old
    assert backups.newest_verified(within=timedelta(hours=26)) is None


@pytest.mark.django_db
def test_two_that_are_proved_stay_whatever_happens(proved: backups.Receipt, where: Path) -> None:
    made = [another(proved, where, hours=hours) for hours in (50, 40, 30, 20, 10)]
    oldest, second, third, fourth, newest = made
    Backup.objects.create(name=oldest.name, status="verified")
    (where / "my-own.dump").write_text("no receipt")
    receipts.write(replace(oldest, path=where / "moved.dump", system="7"))
    with pytest.raises(backups.TooFew, match="At least 2"):
        backups.prune(keep=1)
    assert backups.prune(keep=5) == []
    flip(newest.path)
    flip(third.path)
    assert backups.prune(keep=4) == [], "only three of the five are what was proved"
    assert set(backups.prune(keep=2)) == {oldest.name}
    left = {path.name for path in where.glob("*.dump")}
    assert left == {*(one.name for one in (second, third, fourth, newest)), "my-own.dump"}
    assert (where / "moved.receipt.json").exists(), "of another database: not ours to remove"
    assert Backup.objects.get().status == Backup.Status.PRUNED


def test_only_one_at_a_time(proved: backups.Receipt, where: Path, small: Source) -> None:
    with shelf.alone(where), pytest.raises(backups.BackupRuns, match="under way in"):
        backups.prune(keep=2)
    elsewhere = where.parent / "elsewhere"
    elsewhere.mkdir()
    with making.claimed(small), pytest.raises(backups.BackupRuns, match="of this database"):
        making.prove(small, where=elsewhere)


def test_killed_at_any_moment_it_leaves_nothing_that_stays(
    receipt: backups.Receipt, where: Path
) -> None:
    """Also between the receipt and the name of what it is about."""
    kept = backed.files(where)
    lost = where / "school-20300101-000000-000.dump"
    lost.with_name(f"{lost.name}.partial").touch()
    receipts.beside(lost).touch()
    (where / "school-20300101-000000-001.receipt.json.partial").touch()
    (where / "thesis.partial").touch()
    receipt.path.with_name(f"{receipt.name}.partial").touch()
    shelf.remove_leftovers(where)
    assert backed.files(where) == {**kept, "thesis.partial": b""}


@pytest.mark.parametrize("path", ["/proc/backups", "/dev/null/backups"])
def test_a_folder_that_cannot_be_used_is_named(path: str, settings: Any) -> None:
    settings.BACKUP_DIR = path
    with pytest.raises(backups.BackupFailed, match=rf"cannot be kept in {path} .*BACKUP_DIR"):
        shelf.folder()


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write_to_is_refused(mode: int, where: Path) -> None:
    where.chmod(mode)
    with pytest.raises(backups.BackupFailed, match=f"chmod 700 {where}"):
        shelf.folder()
    where.chmod(0o755)
    assert shelf.folder() == where


def test_a_folder_of_somebody_else_is_refused(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    us = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: us)
    with pytest.raises(backups.BackupFailed, match=f"another user .* chown {us} {where}"):
        shelf.folder()


# ---------------------------------------------------------------- the whole school


@pytest.mark.django_db(transaction=True)
def test_the_school_itself(tmp_path: Path, settings: Any) -> None:
    settings.BACKUP_DIR = tmp_path / "made"
    Course.objects.create(title="Violin", slug="violin")
    said: list[str] = []
    made = backups.make(say=said.append)
    assert said[-1].startswith(f"{made.name} is proved: ")
    row = Backup.objects.get()
    assert (row.name, row.status, row.rows) == (made.name, Backup.Status.VERIFIED, made.rows)
    assert (row.as_of, row.size, row.error) == (made.as_of, made.size, "")
    assert ("rollback", "0024_expand_phases") in made.migrations
    assert made.fingerprint.tables["public.enrollment_course"].rows == 1
    assert backups.newest_verified() == made
    with backups.scratch(receipt=made, say=said.append) as url:
        assert "://" in url
        with psycopg.connect(url) as there:
            titles = there.execute("SELECT title FROM enrollment_course").fetchall()
        assert titles == [("Violin",)]
        assert len(backed.scratches()) == 1
    assert not backed.scratches()


def test_another_address_must_lead_to_the_same_database(db: Any, settings: Any) -> None:
    settings.BACKUP_DATABASE_URL = backed.address("postgres")
    with pytest.raises(backups.BackupFailed, match="BACKUP_DATABASE_URL leads to another"):
        source.school()


def test_behind_a_pooler_the_server_itself_must_be_named(db: Any, settings: Any) -> None:
    settings.DATABASE_POOLED = True
    with pytest.raises(backups.BackupFailed, match="BACKUP_DATABASE_URL must name the server"):
        source.school()
    settings.BACKUP_DATABASE_URL = backed.address(connection.settings_dict["NAME"])
    assert source.school().address == settings.BACKUP_DATABASE_URL


def test_an_address_as_a_url_is_the_same_address() -> None:
    where = "user='a b@c' password='p:/?#&é' host='/tmp/x y' port=5432 dbname='sch/ool' options='-c jit=off'"
    url = source.as_url(where)
    assert url.startswith("postgresql://")
    assert conninfo_to_dict(url) == conninfo_to_dict(where)


@pytest.mark.django_db
def test_verified_again(receipt: backups.Receipt) -> None:
    Backup.objects.create(name=receipt.name, status="verified")
    said: list[str] = []
    assert backups.verify(file=receipt.name, say=said.append) == receipt
    assert said[-1] == f"{receipt.name} is as it was proved."
    flip(receipt.path)
    with pytest.raises(backups.ReceiptRefused, match="checksum"):
        backups.verify(file=receipt.path, say=said.append)
    row = Backup.objects.get()
    assert row.status == Backup.Status.FAILED
    assert "checksum" in row.error


@pytest.mark.django_db
def test_a_receipt_that_says_more_than_the_file_holds_is_found(receipt: backups.Receipt) -> None:
    """Signed by whoever has the key: the rows are counted all the same."""
    tables = dict(receipt.fingerprint.tables)
    tables["public.child"] = replace(tables["public.child"], rows=501)
    facts = replace(receipt.fingerprint, tables=tables)
    receipts.write(replace(receipt, fingerprint=facts))
    with pytest.raises(backups.NotProved, match="501 rows expected, 500 found"):
        backups.verify(file=receipt.path, say=lambda words: None)


def replaced(receipt: backups.Receipt) -> Callable[[str], object]:
    """Somebody is quick: when it has been compared, and before it is restored."""

    def say(words: str) -> None:
        if words.startswith("Restoring"):
            other = receipt.path.with_name("other")
            other.write_bytes(b"no backup at all")
            other.replace(receipt.path)

    return say


@pytest.mark.django_db
@pytest.mark.parametrize("are_handed_on", [True, False], ids=["descriptor", "copy"])
def test_what_was_compared_is_restored_whatever_lies_there_by_then(
    are_handed_on: bool, receipt: backups.Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "_are_handed_on", lambda: are_handed_on)
    assert backups.verify(file=receipt.name, say=replaced(receipt)) == receipt
    assert receipt.path.read_bytes() == b"no backup at all"


@pytest.mark.django_db
def test_a_file_that_others_may_write_to_is_copied_first(receipt: backups.Receipt) -> None:
    receipt.path.chmod(0o666)
    whole = receipt.path.read_bytes()

    def say(words: str) -> None:
        if words.startswith("Restoring"):
            receipt.path.write_bytes(b"x" * len(whole))

    with backups.scratch(receipt=receipt, say=say) as address:
        assert backed.run(address, "SELECT count(*) FROM parent") == [(backed.ROWS,)]
    receipt.path.write_bytes(whole)
    for mode, folder in ((0o600, Path("/proc/self/fd")), (0o666, Path(tempfile.gettempdir()))):
        receipt.path.chmod(mode)
        with receipts.held(receipt) as held:
            assert held.place.is_relative_to(folder)
            assert held.place.read_bytes() == whole
        assert not held.place.exists()


def test_a_link_is_no_backup(receipt: backups.Receipt) -> None:
    elsewhere = receipt.path.with_name("elsewhere")
    receipt.path.rename(elsewhere)
    receipt.path.symlink_to(elsewhere)
    with pytest.raises(backups.ReceiptRefused):
        backups.read(receipt.path, contents=True)
    with pytest.raises(backups.ReceiptRefused, match="a link or no file"), receipts.held(receipt):
        pass


# ---------------------------------------------------------------- by night


@pytest.mark.django_db
def test_each_night_one(where: Path, settings: Any) -> None:
    assert tasks.backup() == "", "on a desk nobody asked for it"
    settings.BACKUP_NIGHTLY = True
    name = tasks.backup()
    assert backups.read(name).name == name
    assert Backup.objects.get(name=name).status == Backup.Status.VERIFIED
    assert tasks.backup() == "", "one is enough"
    assert tasks.look_for_backup()


@pytest.mark.django_db
def test_while_another_one_is_made_nothing_is_done(
    where: Path, small: Source, settings: Any
) -> None:
    settings.BACKUP_NIGHTLY = True
    with making.claimed(small):
        assert tasks.backup() == ""
    assert not Backup.objects.exists()


@pytest.mark.django_db
def test_one_that_fails_is_said_and_kept_in_mind(where: Path, settings: Any) -> None:
    settings.BACKUP_NIGHTLY = True
    settings.PG_BIN = "/nowhere"
    killed = Backup.objects.create(name="killed", status="running")
    with capture_logs() as lines, pytest.raises(backups.BackupFailed):
        tasks.backup()
    assert lines[0]["event"] == "backups.failed"
    killed.refresh_from_db()
    assert killed.status == Backup.Status.FAILED
    with capture_logs() as lines:
        assert not tasks.look_for_backup()
    line = lines[0]
    assert (line["event"], line["log_level"]) == ("backups.none_proved", "error")
    assert "There is no proved backup" in line["because"]
    assert "no program pg_dump in /nowhere" in line["last_attempt"]


@pytest.mark.django_db
@pytest.mark.parametrize(("hours", "is_well"), [(25.9, True), (26.1, False), (-1, False)])
def test_26_hours(
    hours: float, is_well: bool, proved: backups.Receipt, where: Path, settings: Any
) -> None:
    """Those that say they are of later than now prove nothing about now."""
    receipt = another(proved, where, hours=hours)
    Backup.objects.create(name=receipt.name, status="verified", as_of=receipt.as_of)
    assert tasks.look_for_backup(), "where none is wanted nothing is missing"
    settings.BACKUP_NIGHTLY = True
    assert tasks.look_for_backup() is is_well
    assert (age.sentence(age.of_newest()) == "") is is_well


@pytest.mark.django_db
def test_a_future_backup_is_not_taken_for_one_of_tonight(
    proved: backups.Receipt, where: Path, settings: Any
) -> None:
    settings.BACKUP_NIGHTLY = True
    future, old = another(proved, where, hours=-1), another(proved, where, hours=3)
    assert backups.newest_verified() == old
    old.path.unlink()
    assert backups.newest_verified() is None
    assert tasks.backup() not in ("", future.name)


@pytest.mark.django_db
def test_a_disk_that_is_lost_is_seen_the_same_night(where: Path, settings: Any) -> None:
    settings.BACKUP_NIGHTLY = True
    first = tasks.backup()
    assert tasks.look_for_backup()
    shutil.move(where, where.with_name("lost"))
    with capture_logs() as lines:
        assert not tasks.look_for_backup()
    assert lines[0]["because"] == "There is no proved backup: run manage.py backup."
    row = Backup.objects.get(name=first)
    assert (row.status, "not in the folder" in row.error) == (Backup.Status.FAILED, True)
    assert age.sentence(age.of_newest()), "the console goes by the rows, and says it too"
    second = tasks.backup()
    assert second not in ("", first)
    assert tasks.look_for_backup()
    shutil.rmtree(where)
    shutil.move(where.with_name("lost"), where)
    assert tasks.look_for_backup(), "it is there again"
    row.refresh_from_db()
    assert (row.status, row.error) == (Backup.Status.VERIFIED, "")
    assert Backup.objects.get(name=second).status == Backup.Status.FAILED


@pytest.mark.django_db
def test_a_file_that_was_spoiled_is_no_backup_for_the_alarm(
    proved: backups.Receipt, where: Path, settings: Any
) -> None:
    settings.BACKUP_NIGHTLY = True
    receipt = another(proved, where, hours=1)
    assert tasks.look_for_backup()
    whole = receipt.path.read_bytes()
    receipt.path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert not tasks.look_for_backup()


@pytest.mark.django_db
def test_a_folder_that_cannot_be_looked_into_is_the_alarm(where: Path, settings: Any) -> None:
    settings.BACKUP_NIGHTLY = True
    name = tasks.backup()
    settings.BACKUP_DIR = where / name / "below"
    with capture_logs() as lines:
        assert not tasks.look_for_backup()
    assert "Correct BACKUP_DIR" in lines[0]["because"]
    assert not Backup.objects.filter(status="verified").exists()
    with pytest.raises(backups.BackupFailed, match="Correct BACKUP_DIR"):
        tasks.backup()


@pytest.mark.django_db
def test_a_row_that_cannot_be_written_costs_no_backup(
    where: Path, small: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Backup._meta, "db_table", "not_there")
    with capture_logs() as lines:
        receipt = making.prove(small, where=where, record=rows.Row())
    assert backups.read(receipt.path) == receipt
    assert {line["event"] for line in lines} >= {"backups.row_not_written"}


# ---------------------------------------------------------------- who looks on


@pytest.mark.django_db
@pytest.mark.usefixtures("flag_rows")
def test_the_console_says_so(client: Client, staff: User, settings: Any) -> None:
    console_rows.triggers()
    console_rows.all_on()
    console_rows.beat()
    client.force_login(staff)
    room = reverse("admin:rollback_flag_room")
    assert "Nothing is wrong." in client.get(room).content.decode()
    settings.BACKUP_NIGHTLY = True
    text = client.get(room).content.decode()
    assert "There is no proved backup: run manage.py backup." in text
    assert "Nothing is wrong." not in text
    Backup.objects.create(name="x", status="verified", as_of=timezone.now())
    assert "Nothing is wrong." in client.get(room).content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_metrics_say_so(settings: Any) -> None:
    def read() -> dict[str, list[float]]:
        with psycopg.connect(source.school().address, autocommit=True) as asked:
            families = exported.backups(asked)
            return {one.name: [sample.value for sample in one.samples] for one in families}

    assert read() == {"school_backup_wanted": [0], "school_backup_age_seconds": []}
    settings.BACKUP_NIGHTLY = True
    Backup.objects.create(name="x", status="verified", as_of=timezone.now() - timedelta(hours=2))
    found = read()
    assert found["school_backup_wanted"] == [1]
    assert found["school_backup_age_seconds"] == [pytest.approx(7200, abs=60)]


# ---------------------------------------------------------------- at the terminal


def command(*words: str) -> str:
    out = StringIO()
    call_command("backup", *words, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_command(where: Path, settings: Any) -> None:
    said = command()
    (dump,) = where.glob("*.dump")
    assert f"{dump.name} is proved: " in said
    assert f"{dump}: " in said
    assert "is as it was proved." in command("verify", dump.name)
    (where / "found.dump").write_text("")
    listed = command("list")
    assert dump.name in listed
    assert "8,600" in listed
    assert "There is no receipt" in " ".join(listed.split())
    assert "no more than 14 proved backups" in command("prune")
    for words, why in (
        (["prune", "--keep", "1"], "At least 2"),
        (["verify", "nothing.dump"], "no receipt"),
    ):
        with pytest.raises(CommandError, match=why):
            command(*words)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.django_db
def test_bars_on_a_terminal(receipt: backups.Receipt, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("backup", "verify", receipt.name, stdout=Terminal())
    shown = capsys.readouterr().out
    assert f"{receipt.name} is as it was proved." in shown
    assert [part for part in ("restoring", "comparing") if part not in shown] == []
    assert shown.count("100%") >= 2
