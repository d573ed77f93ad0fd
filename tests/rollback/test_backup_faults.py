"""Whatever is wrong with a backup: it is none, and every old one is as it was."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from rollback.backups import BackupFailed, BackupRuns, NotProved, making, receipts, tools
from rollback.backups.scratch import MayNotMakeDatabases, _place, remove_leftovers
from rollback.backups.source import Source
from tests.rollback import backed

pytestmark = pytest.mark.xdist_group("backups")

CUT = """
go()
with open(said["--file"], "r+b") as file:
    size = file.seek(0, 2)
    file.truncate(int(size * {share}))
"""
FLIP = """
go()
with open(said["--file"], "r+b") as file:
    file.seek(int(file.seek(0, 2) * {share}))
    (byte,) = file.read(1)
    file.seek(-1, 1)
    file.write(bytes([byte ^ 8]))
"""
# Of another database, and so whole in itself.
OF_TWIN = """
words = [word for word in words if not word.startswith(("--snapshot", "--dbname"))]
words.append("--dbname={twin}")
go()
"""
# What is wrong: by what it is found, as a rule.
FAULTS = {
    "empty": (CUT.format(share=0), BackupFailed),
    "cut in the middle": (CUT.format(share=0.5), BackupFailed),
    "the last hundredth is missing": (CUT.format(share=0.99), BackupFailed),
    "a bit flipped in the middle": (FLIP.format(share=0.5), BackupFailed),
    "a bit flipped towards the end": (FLIP.format(share=0.8), BackupFailed),
    "a table without its rows": ('go("--exclude-table-data=child")', NotProved),
    "a table is missing": ('go("--exclude-table=child")', NotProved),
    "no indexes, keys and triggers": ('go("--section=pre-data", "--section=data")', NotProved),
}
TWINS = {
    "a row is missing": ("DELETE FROM child WHERE id = 77", "public.child: 500 rows expected, 499"),
    "a value is another": (
        "UPDATE parent SET body = 'y' || substr(body, 2) WHERE id = 4321",
        f"public.parent: as many rows as expected ({backed.ROWS}), but not the same.",
    ),
}


@pytest.fixture(scope="module")
def small() -> Iterator[Source]:
    with backed.small() as source:
        yield source


@pytest.fixture
def where(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def proved(small: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a good one."""
    folder = tmp_path_factory.mktemp("proved")
    making.prove(small, where=folder)
    return folder


@pytest.fixture
def old(proved: Path, where: Path) -> dict[str, bytes]:
    """A good one from before."""
    shutil.copytree(proved, where, dirs_exist_ok=True)
    return backed.files(where)


@pytest.mark.parametrize("fault", FAULTS)
def test_seeded_faults_are_found(
    fault: str, small: Source, where: Path, old: Any, tmp_path: Path, settings: Any
) -> None:
    dump, why = FAULTS[fault]
    settings.PG_BIN = backed.spoiled(tmp_path / "bin", dump=dump)
    with pytest.raises(why):
        making.prove(small, where=where)
    assert backed.files(where) == old
    assert not backed.scratches()


@pytest.mark.parametrize("fault", TWINS)
def test_a_dump_of_something_else_is_found_row_by_row(
    fault: str, small: Source, where: Path, old: Any, tmp_path: Path, settings: Any
) -> None:
    change, words = TWINS[fault]
    with backed.database("twin", like=small.identity().database) as twin:
        backed.run(twin, change)
        name = Source(twin).identity().database
        settings.PG_BIN = backed.spoiled(tmp_path / "bin", dump=OF_TWIN.format(twin=name))
        with pytest.raises(NotProved) as refused:
            making.prove(small, where=where)
    assert words in str(refused.value)
    assert len(refused.value.differences) == 1
    assert backed.files(where) == old


def test_the_same_tools_without_a_fault_prove_it(
    small: Source, where: Path, tmp_path: Path, settings: Any
) -> None:
    settings.PG_BIN = backed.spoiled(tmp_path / "bin")
    receipt = making.prove(small, where=where)
    assert set(backed.files(where)) == {receipt.name, receipts.beside(receipt.path).name}


def test_a_full_disk_leaves_nothing_behind(
    small: Source, where: Path, old: Any, tmp_path: Path, settings: Any
) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\nos.execv(real, [real, *words])"
    settings.PG_BIN = backed.spoiled(tmp_path / "bin", dump=limit)
    with pytest.raises(BackupFailed, match=r"is the disk full|File too large"):
        making.prove(small, where=where)
    assert backed.files(where) == old
    assert not backed.scratches()


def test_a_receipt_that_cannot_be_written_leaves_nothing_behind(
    small: Source, where: Path, old: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    real, calls = os.fsync, iter(range(9))
    # The first one is the dump's, the second the receipt's.
    monkeypatch.setattr(os, "fsync", lambda number: (full if next(calls) else real)(number))
    with pytest.raises(BackupFailed, match="No space left on device"):
        making.prove(small, where=where)
    assert backed.files(where) == old


@pytest.fixture
def busy() -> Iterator[Source]:
    with backed.small("busy") as source:
        yield source


def test_exact_while_others_write(busy: Source, where: Path) -> None:
    done, written = threading.Event(), []

    def write() -> None:
        with psycopg.connect(busy.address, autocommit=True) as connection:
            for number in range(1_000_000):
                if done.is_set():
                    return
                connection.execute(
                    "INSERT INTO parent (name, body) VALUES ('y', %s)", [str(number)]
                )
                connection.execute(
                    "UPDATE child SET price = price + 1 WHERE id = %s", [number % 500]
                )
                connection.execute("DELETE FROM archive.old WHERE id = %s", [number % 100])
                written.append(time.monotonic())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(written) < 20:
            time.sleep(0.005)
        before = len(written)
        receipt = making.prove(busy, where=where)
        during = len(written) - before
    finally:
        done.set()
        writer.join()
    assert during > 20
    assert before <= receipt.fingerprint.tables["public.parent"].rows - backed.ROWS < len(written)
    assert receipt.fingerprint.sequences["public.parent_id_seq"] < backed.ROWS + len(written)


# Says where it is, and waits to be killed; the program it has become goes with it.
SLOW = """
open({marker!r}, "w").close()
parent = os.getppid()
while os.getppid() == parent:
    time.sleep(0.02)
"""
PROVE = """
import sys, django
from pathlib import Path
django.setup()
from rollback.backups import making, source
making.prove(source.Source(sys.argv[1]), where=Path(sys.argv[2]))
"""


@pytest.mark.parametrize("tool", ["dump", "restore"])
def test_what_a_killed_run_left_behind_the_next_one_removes(
    tool: str, small: Source, where: Path, old: Any, tmp_path: Path, settings: Any
) -> None:
    marker = tmp_path / "there"
    slow = SLOW.format(marker=str(marker))
    folder = backed.spoiled(tmp_path / "bin", **{tool: slow})
    child = subprocess.Popen(
        [sys.executable, "-c", PROVE, small.address, where],
        env={**os.environ, "PG_BIN": str(folder)},
    )
    try:
        deadline = time.monotonic() + 60
        while not marker.exists():
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with pytest.raises(BackupRuns):
            making.prove(small, where=where)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    left = set(backed.files(where)) - set(old)
    assert [name for name in left if name.endswith(".dump.partial")]
    assert len(backed.scratches(pid=child.pid)) == (tool == "restore")
    receipt = making.prove(small, where=where)
    new = {receipt.name, receipts.beside(receipt.path).name}
    assert set(backed.files(where)) == {*old, *new}
    assert not backed.scratches(pid=child.pid)


def test_only_scratch_databases_of_the_dead_are_removed(small: Source) -> None:
    here, now = _place(), int(time.time())
    mine = f"school_scratch_{here}_{os.getpid()}_{now + 5:x}_9"
    names = {
        mine: "its process lives",
        f"school_scratch_00000000_1_{now:x}_0": "made just now, elsewhere",
        "school_scratch_mine": "not a name of ours",
        f"school_scratch_{here}_99999999_{now:x}_0": "",
        f"school_scratch_{here}_{os.getpid()}_1_0": "",  # the number was given again
        f"school_scratch_00000000_1_{now - 700:x}_0": "",
    }
    try:
        for name in names:
            backed.run(small.address, f"CREATE DATABASE {name}")
        with small.connect() as connection:
            remove_leftovers(connection)
        assert {name: backed.is_there(name) for name in names} == {
            name: bool(why) for name, why in names.items()
        }
    finally:
        for name in names:
            backed.run(small.address, f"DROP DATABASE IF EXISTS {name}")


def test_who_may_not_make_databases_is_told_what_to_do(
    small: Source, where: Path, tmp_path: Path
) -> None:
    backed.run(small.address, "CREATE ROLE poor LOGIN IN ROLE pg_read_all_data")
    try:
        poor = Source(psycopg.conninfo.make_conninfo(small.address, user="poor"))
        with pytest.raises(MayNotMakeDatabases, match="ALTER ROLE poor CREATEDB"):
            making.prove(poor, where=where)
        assert not backed.files(where)
    finally:
        backed.run(small.address, "DROP ROLE poor")


def test_another_user_than_the_owner_may_make_them(where: Path) -> None:
    """As who is named in BACKUP_DATABASE_URL: of the owner's role, and allowed to make databases."""
    try:
        with backed.database("owned") as there:
            name = Source(there).identity().database
            backed.run(there, f"{ROLES} ALTER DATABASE {name} OWNER TO owner")
            backed.run(psycopg.conninfo.make_conninfo(there, user="owner"), OWNED)
            keeper = Source(psycopg.conninfo.make_conninfo(there, user="keeper"))
            receipt = making.prove(keeper, where=where)
        assert receipt.fingerprint.catalog["grant public.kept to reader"] == "SELECT"
        assert not [one for one in receipt.fingerprint.catalog if "owner" in one]
    finally:
        backed.run(backed.address("postgres"), "DROP ROLE IF EXISTS keeper, reader, owner")


ROLES = """
    CREATE ROLE owner LOGIN; CREATE ROLE keeper LOGIN CREATEDB IN ROLE owner; CREATE ROLE reader;
    ALTER SCHEMA public OWNER TO owner;
"""
OWNED = """
    CREATE TABLE kept AS SELECT 1 AS a; GRANT SELECT ON kept TO reader;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reader;
    CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
"""


def test_a_server_that_is_away_is_told(where: Path) -> None:
    away = Source("postgresql://nobody@127.0.0.1:9/school")
    with pytest.raises(BackupFailed, match="cannot be reached for a backup"):
        making.prove(away, where=where)


# ---------------------------------------------------------------- the tools


def versions(tmp_path: Path, *found: str) -> list[Path]:
    folders = [tmp_path / version for version in found]
    for folder, version in zip(folders, found, strict=True):
        backed.script(folder / "pg_dump", f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}'\n")
    return folders


@pytest.mark.parametrize(
    ("server", "taken"), [(18, "18.1"), (16, "17.2"), (19, "19.0"), (15, "15.4"), (None, "19.0")]
)
def test_the_tool_that_fits_best(
    server: int | None, taken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = versions(tmp_path, "19.0", "15.4", "18.1", "17.2")
    monkeypatch.setattr(tools, "folders", lambda: iter([tmp_path / "none", *found]))
    assert tools.find("pg_dump", server=server).version == taken


def test_a_tool_that_is_too_old_is_named_with_both_versions(
    tmp_path: Path, small: Source, where: Path, settings: Any
) -> None:
    settings.PG_BIN = str(versions(tmp_path, "9.6.24")[0])
    server = small.identity().server
    with pytest.raises(tools.ToolTooOld, match=rf"PostgreSQL 9\.6\.24 .* server is of {server}"):
        making.prove(small, where=where)
    assert not backed.files(where)


NEWER = """
if words == ["--version"]:
    print("pg_restore (PostgreSQL) 99.1")
    sys.exit()
"""
OLDER_SERVER = """
assert "--exit-on-error" not in words
print('pg_restore: error: could not execute query: ERROR:  {error}', file=sys.stderr)
go()
sys.exit(1)
"""


@pytest.mark.parametrize(
    ("error", "is_harmless"),
    [
        ('unrecognized configuration parameter "transaction_timeout"', True),
        ('relation "child" does not exist', False),
    ],
)
def test_a_newer_tool_may_set_what_the_server_does_not_know_and_nothing_else(
    error: str, is_harmless: bool, small: Source, where: Path, tmp_path: Path, settings: Any
) -> None:
    """Of PostgreSQL 17 and newer, as those of the embedded one: they set a limit that is new."""
    folder = backed.spoiled(tmp_path / "bin", restore=OLDER_SERVER.format(error=error))
    tool = folder / "pg_restore"
    tool.write_text(tool.read_text().replace("def go(", NEWER + "def go("))
    settings.PG_BIN = folder
    if is_harmless:
        assert making.prove(small, where=where).rows == backed.ROWS + 600
    else:
        with pytest.raises(BackupFailed, match="does not exist"):
            making.prove(small, where=where)


def test_a_tool_that_is_missing_is_named(tmp_path: Path, monkeypatch: Any, settings: Any) -> None:
    settings.PG_BIN = str(tmp_path)
    with pytest.raises(tools.ToolMissing, match=r"no program pg_dump in .* Correct PG_BIN"):
        tools.find("pg_dump")
    settings.PG_BIN = ""
    monkeypatch.setattr(tools, "folders", lambda: iter([tmp_path]))
    with pytest.raises(tools.ToolMissing, match="Install PostgreSQL's client programs"):
        tools.find("pg_dump")


def test_secrets_stand_in_the_environment_alone() -> None:
    where = "postgresql://ada:s3cret@db.example:5433/school?sslmode=require&keepalives_idle=7"
    env, rest = tools.environment(where)
    assert env["PGPASSWORD"] == "s3cret"
    assert (env["PGHOST"], env["PGPORT"], env["PGSSLMODE"]) == ("db.example", "5433", "require")
    assert "s3cret" not in rest
    assert "keepalives_idle=7" in rest
