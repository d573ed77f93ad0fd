"""The embedded PostgreSQL of a desk: its address, and who starts and stops it.

Every process that uses it holds a shared lock; whoever leaves last stops it. A killed process
loses its lock, so nothing has to be remembered or tidied up after a crash.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from config.local import cluster
from config.local.cluster import DatabaseProblem as DatabaseProblem

NAME = "school"
DESK = {"max_connections": "200"}
# Nothing in a throwaway database has to survive a power cut.
THROWAWAY = {
    "max_connections": "300",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}
TEMPORARY_PREFIX = f"{cluster.SHORT_PREFIX}test-"


def url(data_dir: Path, name: str = NAME) -> str:
    """The address it has or will have; nothing is started or written."""
    host = quote(str(cluster.socket_dir(data_dir)), safe="")
    return f"postgresql://postgres@/{name}?host={host}&port={cluster.PORT}"


def is_ours(address: str, data_dir: Path) -> bool:
    """The desk's own, or one of the throwaway ones."""
    host = str(conninfo_to_dict(address).get("host") or "")
    short = Path(tempfile.gettempdir()) / cluster.SHORT_PREFIX
    return host.startswith((str(cluster.socket_dir(data_dir)), str(short)))


def ensure_running(data_dir: Path, options: Mapping[str, str] = DESK) -> str:
    """:raises DatabaseProblem: one sentence why it does not run."""
    if not cluster.answers(data_dir):
        cluster.start(data_dir, options)
    _create_database(data_dir)
    return url(data_dir)


def stop(data_dir: Path) -> None:
    cluster.stop(data_dir)


@contextmanager
def used(data_dir: Path) -> Iterator[str]:
    """Runs for as long as anybody is in here or has a connection open."""
    cluster.check_owner(data_dir)
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    with (data_dir.parent / f"{data_dir.name}.users").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        # How our own connections, and those of our children, are told from somebody's psql.
        os.environ["PGAPPNAME"] = f"school-{os.getpid()}"
        try:
            yield ensure_running(data_dir)
        finally:
            if _last_one(file.fileno()) and not _others_connected(data_dir):
                cluster.stop(data_dir)


def _last_one(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _others_connected(data_dir: Path) -> bool:
    """A psql, say, or a worker started by hand.

    The switchboard's connection has a name of its own; it never stands alone but beside others.
    """
    question = """SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'
                  AND application_name NOT IN (current_setting('application_name'), 'switchboard')"""
    try:
        with psycopg.connect(url(data_dir, "postgres"), connect_timeout=5) as connection:
            return connection.execute(question).fetchone() != (0,)
    except psycopg.OperationalError:
        return False


def _create_database(data_dir: Path) -> None:
    try:
        _connect_when_ready(url(data_dir)).close()
        return
    except psycopg.OperationalError as error:
        if "does not exist" not in str(error):
            raise DatabaseProblem(
                f"The embedded PostgreSQL does not let us in: {str(error).strip()}"
            ) from error
    with (
        # Somebody else may have been quicker.
        suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation),
        psycopg.connect(url(data_dir, "postgres"), autocommit=True) as connection,
    ):
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))


def _connect_when_ready(address: str) -> psycopg.Connection[tuple[object, ...]]:
    """A server that replays its log after a crash answers, but lets nobody in yet."""
    deadline = time.monotonic() + cluster.START_SECONDS
    while True:
        try:
            return psycopg.connect(address, connect_timeout=5)
        except psycopg.OperationalError as error:
            if "starting up" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@contextmanager
def temporary() -> Iterator[str]:
    """An empty server of one's own, gone afterwards, and with it what killed runs left behind."""
    _remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY_PREFIX}{os.getpid()}-"))
    try:
        yield ensure_running(folder / "postgres", THROWAWAY)
    finally:
        _remove(folder)


def _remove_leftovers() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{TEMPORARY_PREFIX}*-*"):
        pid = folder.name.removeprefix(TEMPORARY_PREFIX).split("-")[0]
        if pid.isdecimal() and _is_our_own(folder) and not _alive(int(pid)):
            _remove(folder)


def _is_our_own(folder: Path) -> bool:
    try:
        return folder.stat().st_uid == os.geteuid()
    except FileNotFoundError:  # somebody else who cleans up was quicker
        return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _remove(folder: Path) -> None:
    data_dir = folder / "postgres"
    cluster.stop(data_dir)
    if cluster.socket_dir(data_dir) != data_dir:
        shutil.rmtree(cluster.socket_dir(data_dir), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
