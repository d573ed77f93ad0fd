"""The embedded PostgreSQL, started for real."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from config.broker import install_queue, queue_conninfo
from config.local import cluster, database


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """With a space in it, as in “My Projects”."""
    folder = tmp_path / "my school" / "postgres"
    yield folder
    database.stop(folder)
    if cluster.socket_dir(folder) != folder:
        shutil.rmtree(cluster.socket_dir(folder), ignore_errors=True)


def one(address: str, query: str) -> object:
    with psycopg.connect(address) as connection:
        row = connection.execute(query).fetchone()
    return row[0] if row else None


def python(code: str, *arguments: str, **env: str) -> subprocess.Popen[str]:
    bare = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=bare | env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_it_runs_while_it_is_used_and_keeps_what_was_written(data_dir: Path) -> None:
    with database.used(data_dir) as address:
        assert address == database.url(data_dir)
        assert one(address, "SHOW max_connections") == "200"
        with psycopg.connect(address) as connection:
            connection.execute("CREATE TABLE kept (n int)")
        with database.used(data_dir):
            pass
        assert cluster.answers(data_dir), "the inner user was not the last one"
    assert not cluster.answers(data_dir)
    with database.used(data_dir) as address:
        assert one(address, "SELECT count(*) FROM kept") == 0


def test_a_psql_somebody_has_open_is_not_cut_off(data_dir: Path) -> None:
    with database.used(data_dir) as address:
        psql = psycopg.connect(address, application_name="psql")
    assert cluster.answers(data_dir)
    psql.close()


def test_a_killed_user_leaves_nothing_to_remember(data_dir: Path) -> None:
    code = """
import sys, pathlib
from config.local import database
with database.used(pathlib.Path(sys.argv[1])):
    print("in", flush=True)
    sys.stdin.read()
"""
    user = python(code, str(data_dir))
    assert user.stdout is not None
    assert user.stdout.readline() == "in\n", "and no warning about XDG_RUNTIME_DIR before it"
    user.kill()
    user.wait()
    assert cluster.answers(data_dir)
    with database.used(data_dir):
        pass
    assert not cluster.answers(data_dir)


def test_after_a_crash_a_number_in_the_pid_file_may_be_anybodys(data_dir: Path) -> None:
    with database.used(data_dir):
        pid = cluster.postmaster_pid(data_dir)
        assert pid is not None
        lines = (data_dir / "postmaster.pid").read_text()
        os.kill(pid, signal.SIGKILL)
        _wait_until_silent(data_dir)
    stranger = python("input()")
    (data_dir / "postmaster.pid").write_text(lines.replace(str(pid), str(stranger.pid), 1))
    with database.used(data_dir) as address:
        assert one(address, "SELECT 1") == 1
    stranger.communicate("\n")


def test_an_initdb_that_was_killed_is_done_again(data_dir: Path) -> None:
    data_dir.mkdir(parents=True)
    (data_dir / "PG_VERSION").write_text("18\n")
    (data_dir.parent / "postgres.initdb").touch()
    with database.used(data_dir) as address:
        assert one(address, "SELECT 1") == 1


def test_a_path_too_long_for_a_socket_and_a_language_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("long" * 30) / "postgres"
    monkeypatch.setenv("LANG", "xx_XX.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    try:
        with database.used(folder) as address:
            assert address == database.url(folder)
            assert one(address, "SELECT 1") == 1
        assert cluster.socket_dir(folder).stat().st_mode & 0o077 == 0
    finally:
        shutil.rmtree(cluster.socket_dir(folder), ignore_errors=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of somebody else")
def test_somebody_elses_data_is_left_alone(data_dir: Path) -> None:
    data_dir.mkdir(parents=True)
    os.chown(data_dir, 12_345, -1)
    with pytest.raises(database.DatabaseProblem, match="belongs to user 12345"):
        database.ensure_running(data_dir)


def test_the_queue_is_installed_once_also_by_four_at_a_time_and_leftovers_go() -> None:
    left = Path(_abandoned_server())
    with database.temporary() as address:
        assert not left.exists()
        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(install_queue, [address] * 4)) == [False, False, False, True]
        assert install_queue(address) is False
        assert one(address, "SELECT count(*) FROM pgmq.meta") == 0
        assert one(address, "SHOW fsync") == "off"


def test_many_clean_up_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when several test runs begin: whoever comes second finds nothing to look at."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = python("pass")
    gone.communicate()
    for number in range(200):
        (tmp_path / f"{database.TEMPORARY_PREFIX}{gone.pid}-{number}" / "postgres").mkdir(
            parents=True
        )
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(database._remove_leftovers) for _turn in range(8)]:
            done.result()
    assert not list(tmp_path.iterdir())


def test_another_broker_needs_no_queue_in_the_database() -> None:
    assert queue_conninfo("redis://localhost", {}) == ""
    assert queue_conninfo("pgmq://", {"conn_string": "dbname=x"}) == "dbname=x"
    assert queue_conninfo("pgmq://u@h/d", {}) == "postgresql://u@h/d"


def _abandoned_server() -> str:
    """The folder of a throwaway server whose owner was killed."""
    code = """
import os, signal
from config.local import database
with database.temporary() as address:
    print(address, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    output = python(code).communicate()[0]
    host = psycopg.conninfo.conninfo_to_dict(output.strip())["host"]
    return str(Path(str(host)).parent)


def _wait_until_silent(data_dir: Path) -> None:
    deadline = time.monotonic() + 10
    while cluster.answers(data_dir) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)


def test_the_desks_database_and_throwaway_ones_are_told_from_a_schools(tmp_path: Path) -> None:
    desk = tmp_path / "postgres"
    with database.temporary() as address:
        assert database.is_ours(address, desk)
    assert database.is_ours(database.url(desk), desk)
    assert database.is_ours(database.url(tmp_path / ("long" * 30)), tmp_path / ("long" * 30))
    for other in ("postgresql://school@db.example/school", "postgresql:///school"):
        assert not database.is_ours(other, desk)
