"""`make run` for real: the whole school on a free port, in a folder of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import psycopg
import pytest

from config.local import cluster, database, place, ports
from tests.ports import of_our_own

pytestmark = [
    pytest.mark.xdist_group("ports"),
    pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for orphans in /proc"),
]
START_SECONDS = 180
END_SECONDS = 60
WORK = ("Bringing the database", "Collecting static", "Loading the sample")


class School:
    """A supervisor in a process of its own, and what it has said so far."""

    def __init__(self, var: Path, **env: str) -> None:
        self.var = var
        self.port = int(env.setdefault("PORT", str(of_our_own(18_100))))
        self.said = var / "said.txt"
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "config.local.run"],
                cwd=place.BASE_DIR,
                env=bare_environment(var) | env,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def text(self) -> str:
        return re.sub(r"\x1b\[[0-9;]*m", "", self.said.read_text())

    def wait_until_open(self) -> "School":
        self.wait_for("Ctrl-C stops")
        return self

    def wait_for(self, words: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while words not in self.text():
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.05)

    def get(self, path: str) -> int:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", path, headers={"Host": f"localhost:{self.port}"})
        return connection.getresponse().status

    def family(self) -> dict[int, str]:
        return processes(self.var)

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(END_SECONDS)


def bare_environment(var: Path) -> dict[str, str]:
    """As in a fresh terminal: no variable of these tests, none from a .env, no XDG_RUNTIME_DIR."""
    names = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONDONTWRITEBYTECODE")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    empty = ("DATABASE_URL", "CELERY_BROKER_URL", "EMAIL_URL", "SITE_URL", "SCHOOL_ENV")
    return kept | dict.fromkeys(empty, "") | {"SCHOOL_VAR": str(var)}


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One folder for all tests here: the first start fills it, the others find it filled."""
    folder = tmp_path_factory.mktemp("var")
    yield folder
    for pid in processes(folder):  # a test that failed left its school running
        os.kill(pid, signal.SIGKILL)
    database.stop(folder / "postgres")


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    return tmp_path


def refusal(var: Path, **env: str) -> str:
    """The last line of a start that is refused."""
    done = subprocess.run(
        [sys.executable, "-m", "config.local.run"],
        cwd=place.BASE_DIR,
        env=bare_environment(var) | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=END_SECONDS,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout.strip().splitlines()[-1]


def processes(var: Path) -> dict[int, str]:
    """Whoever was started for this folder, by whatever parent: its environment tells.

    PostgreSQL is left out; whether it runs is asked at its socket.
    """
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if f"SCHOOL_VAR={var}".encode() in environment and "postgres" not in command:
            found[int(folder.name)] = command
    return found


def left_alive(var: Path) -> dict[int, str]:
    deadline = time.monotonic() + END_SECONDS
    while (left := processes(var)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def test_it_starts_serves_and_stops_without_a_trace(var: Path) -> None:
    school = School(var).wait_until_open()
    assert len(school.family()) >= 6, (
        "us, two web workers and their master, the queue's worker, the mails"
    )
    assert school.get("/") < 400
    for words in (f"http://localhost:{school.port}", "admin@school.example", "school-demo", "log"):
        assert words in school.text()
    assert "Warning" not in school.text()
    assert "already running" in refusal(var)
    assert school.end(signal.SIGINT) == 0
    assert left_alive(var) == {}
    assert not cluster.answers(var / "postgres")


def test_the_second_start_has_nothing_to_do_and_loses_nothing(var: Path) -> None:
    with database.used(var / "postgres") as address, psycopg.connect(address) as connection:
        connection.execute("UPDATE enrollment_user SET first_name = 'Kept' WHERE is_superuser")
    school = School(var).wait_until_open()
    assert not [work for work in WORK if work in school.text()]
    assert school.end(signal.SIGHUP) == 0
    with database.used(var / "postgres") as address, psycopg.connect(address) as connection:
        query = "SELECT first_name FROM enrollment_user WHERE is_superuser"
        assert connection.execute(query).fetchall() == [("Kept",)]


def test_killed_it_leaves_no_orphan_and_a_dead_child_is_replaced(var: Path) -> None:
    school = School(var).wait_until_open()
    mail = next(pid for pid, command in school.family().items() if "mailcatcher" in command)
    os.kill(mail, signal.SIGKILL)
    school.wait_for("The mail process ended (SIGKILL) and starts again")
    assert len(school.family()) >= 4
    school.end(signal.SIGKILL)
    assert left_alive(var) == {}
    again = School(var).wait_until_open()
    assert again.end(signal.SIGTERM) == 0
    assert not cluster.answers(var / "postgres"), "what a killed start left is stopped too"


def test_a_taken_port_is_named(empty: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refusal(empty, PORT=str(port))
    assert re.fullmatch(
        rf"Port {port} is taken by another program; take another: PORT=\d+ make run", said
    )


def test_a_port_that_is_none_is_named() -> None:
    with pytest.raises(ports.PortProblem, match="PORT is “eight”; set it to a number"):
        ports.parsed("eight")


def test_an_unreachable_database_is_named_without_its_password(empty: Path) -> None:
    address = "postgresql://office:secret@127.0.0.1:9/school"
    said = refusal(empty, DATABASE_URL=address)
    assert said.startswith("The database “school” at 127.0.0.1:9 named by DATABASE_URL cannot")
    assert "secret" not in said
    setup = manage(empty, "setup", DATABASE_URL=address)
    assert setup.returncode == 1
    assert "named by DATABASE_URL cannot be reached" in setup.stderr
    assert "Traceback" not in setup.stderr


def test_what_is_unsafe_in_production_is_named(empty: Path) -> None:
    done = manage(empty, "setup", SCHOOL_ENV="production")
    assert done.returncode == 1
    names = ("SECRET_KEY", "ALLOWED_HOSTS", "SITE_URL", "DATABASE_URL", "EMAIL_URL", "BACKUP_DIR")
    assert [name for name in names if f"- {name} must" not in done.stderr] == []
    assert "Traceback" not in done.stderr


def test_the_sample_with_its_known_password_is_refused_in_production(empty: Path) -> None:
    safe = {
        "SCHOOL_ENV": "production",
        "SECRET_KEY": "aB3-" + "kq8Zr1Lw5Xn0Tc7Vb2Mj9Hd4Gf6Ps" * 2,
        "ALLOWED_HOSTS": "school.example",
        "SITE_URL": "https://school.example",
        "DATABASE_URL": "postgresql://office@127.0.0.1:9/school",
        "EMAIL_URL": "smtps://mail.example:465",
        "BACKUP_DIR": str(empty / "backups"),
    }
    done = manage(empty, "setup", "--sample", **safe)
    assert done.returncode == 1
    assert "refused in production" in done.stderr


def test_commands_without_need_start_no_database(empty: Path) -> None:
    assert manage(empty, "version").returncode == 0
    assert not (empty / "postgres").exists()


def manage(var: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(place.BASE_DIR / "manage.py"), *words],
        env=bare_environment(var) | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=START_SECONDS,
    )
