"""The whole school, started as a user starts it, on a database of its own."""

import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection
from typing import Any, LiteralString
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config.local import place
from config.local.children import Child
from config.local.sample import LOGINS
from tests import ports

START_SECONDS = 120
END_SECONDS = 30
LAST_LINES = 15
# Away from the schools that the tests of `make run` start at the same time.
FIRST_PORT = 18_600
# What a fresh terminal has not; a variable that is set but empty counts as unset.
UNSET = (
    "CELERY_BROKER_URL",
    "EMAIL_URL",
    "MAIL_READER_URL",
    "SITE_URL",
    "SOCKET_URL",
    "SCHOOL_ENV",
    "LOG_LEVEL",
)


@dataclass(frozen=True, kw_only=True)
class School:
    """url: of the pages. mails: of the mail catcher's reader. database_url: to look things up."""

    url: str
    mails: str
    database_url: str
    var: Path

    def rows(self, query: LiteralString, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(query, values).fetchall()

    def change(self, statement: LiteralString, *values: Any) -> None:
        with psycopg.connect(self.database_url) as connection:
            connection.execute(statement, values)

    def all_on(self) -> None:
        """By SQL, so that no test depends on the pages of another; triggers tell the processes."""
        self.change(
            """UPDATE rollback_flag SET everyone = NULL, percent = 100
               WHERE everyone IS NOT NULL OR percent <> 100"""
        )

    def kill_all(self) -> None:
        self.change("UPDATE rollback_flag SET everyone = false")

    @contextmanager
    def sockets_dead(self) -> Iterator[None]:
        """The websockets' server is killed, and whoever is started in its place gets nowhere."""
        for one in self._processes("uvicorn"):
            one.kill()
            one.wait(10)
        deadline = time.monotonic() + START_SECONDS
        while not (found := self._processes("uvicorn")):
            assert time.monotonic() < deadline, "nobody started the sockets' server again"
            time.sleep(0.02)
        for one in found:
            one.suspend()
        try:
            yield
        finally:
            for one in found:
                one.resume()
            self.wait_for_sockets()

    def wait_for_sockets(self) -> None:
        """A page that comes before them tries again, but the browser calls that an error."""
        deadline = time.monotonic() + START_SECONDS
        while not any(map(_takes_connections, self._processes("uvicorn"))):
            assert time.monotonic() < deadline, "the sockets' server does not start"
            time.sleep(0.05)

    def _processes(self, program: str) -> list[psutil.Process]:
        """Those of this school: they know its folder."""
        return [
            process
            for process in psutil.process_iter(["cmdline"])
            if program in (process.info["cmdline"] or ())
            and process.environ().get("SCHOOL_VAR") == str(self.var)
        ]

    @contextmanager
    def web_stopped(self) -> Iterator[None]:
        """The web server hangs: its port takes connections, and nobody answers."""
        port = f"--port {urlsplit(self.url).port} "
        found = [
            process
            for process in psutil.process_iter(["cmdline"])
            if "granian" in (line := " ".join(process.info["cmdline"] or ())) and port in line
        ]
        assert found, "the web server was not found"
        family = {*found, *(child for one in found for child in one.children(recursive=True))}
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.suspend()
        try:
            yield
        finally:
            for one in family:
                with suppress(psutil.NoSuchProcess):
                    one.resume()

    @contextmanager
    def database_lost(self) -> Iterator[None]:
        """This school's alone, for the server has other tests' as well: all are put out, none let in."""
        name = sql.Identifier(str(conninfo_to_dict(self.database_url)["dbname"]))
        let_in = "ALTER DATABASE {} ALLOW_CONNECTIONS {}"
        _at(self.database_url, sql.SQL(let_in).format(name, sql.SQL("false")))
        end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = {}"
        _at(self.database_url, sql.SQL(end).format(sql.Literal(name.as_string().strip('"'))))
        try:
            yield
        finally:
            _at(self.database_url, sql.SQL(let_in).format(name, sql.SQL("true")))

    def said_last(self) -> str:
        """The last lines of whoever works behind the pages, and what has gone wrong in these. Nothing once
        the school's folder is gone: whatever failed then must not be hidden by this."""
        logs = {name: self.var / "log" / f"{name}.log" for name in ("worker", "beat", "web")}
        lines = {name: _plain(log).splitlines() for name, log in logs.items() if log.exists()}
        lines["web"] = [line for line in lines.get("web", []) if "[info" not in line]
        return "\n".join(
            line for name, all_ in lines.items() for line in (f"--- {name}", *all_[-LAST_LINES:])
        )

    def let_everybody_log_in(self) -> None:
        """The sample's other students came without a password; they get the known student's. And they read
        what the tests do, whatever language they have chosen."""
        self.change(
            """UPDATE enrollment_user AS u SET password = known.password, language = ''
               FROM enrollment_user AS known
               WHERE known.email = %s AND u.id IN (SELECT user_id FROM enrollment_student)""",
            LOGINS[0].email,
        )


@contextmanager
def running() -> Iterator[School]:
    with (
        tempfile.TemporaryDirectory(prefix="school-browser-") as folder,
        _database() as database_url,
        _supervisor(Path(folder), database_url) as said,
    ):
        school = School(
            url=_named(said, "School"),
            mails=_named(said, "Mails"),
            database_url=database_url,
            var=Path(folder),
        )
        school.let_everybody_log_in()
        school.wait_for_sockets()
        yield school


def _takes_connections(server: psutil.Process) -> bool:
    words = server.cmdline()
    try:
        with create_connection(("127.0.0.1", int(words[words.index("--port") + 1])), timeout=1):
            return True
    except OSError:
        return False


@contextmanager
def _database() -> Iterator[str]:
    """A new one on the test run's server; DATABASE_URL is that server's here."""
    server = os.environ["DATABASE_URL"]
    name = f"browser_{secrets.token_hex(6)}"
    _at(server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield make_conninfo(server, dbname=name)
    finally:
        _at(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _at(server: str, statement: sql.Composed) -> None:
    with psycopg.connect(server, dbname="postgres", autocommit=True) as connection:
        connection.execute(statement)


@contextmanager
def _supervisor(var: Path, database_url: str) -> Iterator[str]:
    """`make run` without the make. :returns: what it has said once everything is up."""
    supervisor = Child(
        name="school",
        command=[sys.executable, "-m", "config.local.run"],
        log=var / "said.txt",
        env=_environment(var, database_url),
        ending=signal.SIGINT,
    )
    supervisor.start()
    assert supervisor.process is not None
    try:
        said = _said_once_open(supervisor)
        _wait_for_sockets(supervisor)
        yield said
    finally:
        _end(supervisor.process, var)


def _environment(var: Path, database_url: str) -> dict[str, str]:
    port = ports.of_our_own(FIRST_PORT)
    own = {
        "SCHOOL_VAR": str(var),
        "PORT": str(port),
        "DATABASE_URL": database_url,
        # What a process does then is tested with servers of its own; here everything is back at once.
        "DATABASE_FAILURES": "1000000",
        # One of them is written from the right.
        "SCHOOL_LANGUAGES": "en,de,es,he",
    }
    return os.environ | dict.fromkeys(UNSET, "") | own | {"PYTHONPATH": str(place.BASE_DIR)}


def _said_once_open(supervisor: Child) -> str:
    deadline = time.monotonic() + START_SECONDS
    while "Ctrl-C stops" not in (said := _plain(supervisor.log)):
        if supervisor.exit_code() is not None or time.monotonic() > deadline:
            raise AssertionError(f"The school did not start. It said:\n{said}{_logs(supervisor)}")
        time.sleep(0.05)
    return said


def _wait_for_sockets(supervisor: Child) -> None:
    """They come a moment after the pages, and a page that cannot reach them says so."""
    log = supervisor.log.parent / "log" / "sockets.log"
    deadline = time.monotonic() + START_SECONDS
    while not log.exists() or "Uvicorn running on" not in _plain(log):
        assert time.monotonic() < deadline, f"no sockets:{_logs(supervisor)}"
        time.sleep(0.05)


def _plain(log: Path) -> str:
    """Without the colors."""
    return re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(errors="replace"))


def _logs(supervisor: Child) -> str:
    logs = sorted((supervisor.log.parent / "log").glob("*.log"))
    return "".join(f"\n--- {log.name}\n{_plain(log)[-4_000:]}" for log in logs)


def _named(said: str, label: str) -> str:
    found = re.search(rf"^{label} +(http\S+)", said, re.MULTILINE)
    assert found, said
    return found[1]


def _end(process: subprocess.Popen[bytes], var: Path) -> None:
    """Ctrl-C, and then nobody may be left."""
    family = psutil.Process(process.pid).children(recursive=True) if not process.poll() else []
    process.send_signal(signal.SIGINT)
    try:
        code = process.wait(END_SECONDS)
    finally:
        process.kill()
        _gone, left = psutil.wait_procs(family, timeout=5)
        names = [one.name() for one in left if one.is_running()]
        for one in left:
            one.kill()
    assert code == 0, f"The school ended with code {code}:\n{_plain(var / 'said.txt')[-4_000:]}"
    assert not names, f"Left over after Ctrl-C: {names}"
