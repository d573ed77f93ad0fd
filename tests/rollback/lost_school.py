"""A school with servers of its own, each of which may be stopped, killed or frozen."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlencode

import psycopg
import pytest

from config.local import database
from config.local.place import BASE_DIR
from tests import ports
from tests.rollback.web import Web

TOKEN = "c" * 32
# A student in the middle, an administrator, and courses enough for each test to enroll in one.
SEED = """
import json, os, django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from config.broker import install_queue
install_queue(os.environ["DATABASE_URL"])
from rollback.models import Flag, Trigger
from enrollment.models import Course, User
from tests.conftest import make_student, make_teacher
from tests.rollback.test_simulation import log_in
Flag.objects.update(percent=100)
# Or the web's processes, which evaluate where there is no beat, would take it away for good.
Trigger.objects.update(is_enabled=False)
teacher, student = make_teacher(), make_student()
for number in range(12):
    course = Course.objects.create(title=f"Course {number}", slug=f"course-{number}", capacity=9)
    course.teachers.add(teacher)
admin = User.objects.create_superuser("admin@school.example", "correct horse")
print(json.dumps({"student": log_in(student.user), "admin": log_in(admin)}))
"""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """headers: by their names in lower case."""

    status: int
    headers: dict[str, str]
    text: str
    seconds: float


@dataclass(kw_only=True)
class School:
    """sessions: of `student` and `admin`. data_dir: the database's. redis_port: the broker's."""

    web: Web
    log: Path
    data_dir: Path
    redis_port: int
    sessions: dict[str, str]
    courses: int = 0

    def ask(
        self,
        path: str,
        *,
        who: str = "student",
        fields: dict[str, str] | None = None,
        method: str = "",
        **headers: str,
    ) -> Answer:
        """fields: posted. Each time over a connection of its own."""
        cookies = [f"csrftoken={TOKEN}"]
        if who:
            cookies.append(f"sessionid={self.sessions[who]}")
        told = {"Host": f"localhost:{self.web.port}", "Cookie": "; ".join(cookies), **headers}
        body = None
        if fields is not None:
            body = urlencode(fields | {"csrfmiddlewaretoken": TOKEN})
            told["Content-Type"] = "application/x-www-form-urlencoded"
        began = time.monotonic()
        page = HTTPConnection("127.0.0.1", self.web.port, timeout=60)
        try:
            page.request(method or ("GET" if body is None else "POST"), path, body, told)
            response = page.getresponse()
            text = response.read().decode()
        finally:
            page.close()
        return Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.headers.items()},
            text=text,
            seconds=time.monotonic() - began,
        )

    def another_course(self) -> str:
        """That this student is not in yet."""
        self.courses += 1
        return f"course-{self.courses - 1}"

    def rows(self, query: LiteralString, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(database.url(self.data_dir)) as connection:
            return connection.execute(query, values).fetchall()

    def change(self, statement: LiteralString) -> None:
        with psycopg.connect(database.url(self.data_dir)) as connection:
            connection.execute(statement)

    def restore(self) -> None:
        self.change("UPDATE rollback_flag SET everyone = NULL, percent = 100")

    def run(self, program: str) -> str:
        return run(database.url(self.data_dir), f"import django; django.setup(); {program}")

    def eventually(self, path: str, status: int, *, within: float, times: int = 6) -> bool:
        """So often in a row, for there are two workers."""
        deadline, found = time.monotonic() + within, 0
        while time.monotonic() < deadline and found < times:
            try:
                found = found + 1 if self.ask(path).status == status else 0
            except (OSError, HTTPException):
                found = 0
            if not found:
                time.sleep(0.1)
        return found >= times

    def asked_often(self, path: str, *, times: int = 25) -> list[float]:
        """The seconds that the answers took, the fastest first; each must be one."""
        answers = [self.ask(path) for _ in range(times)]
        assert {answer.status for answer in answers} == {200}
        return sorted(answer.seconds for answer in answers)

    def talks_to_redis(self) -> bool:
        """Of a frozen one the kernel still takes what is said."""
        return any(
            one.raddr and one.raddr.port == self.redis_port
            for worker in self.web.workers()
            for one in worker.net_connections()
        )


def run(address: str, program: str) -> str:
    env = {"DATABASE_URL": address, "LOG_LEVEL": "ERROR", "PYTHONPATH": str(BASE_DIR)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | env,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


@contextmanager
def school(folder: Path) -> Iterator[School]:
    redis_port = ports.of_our_own(21_300)
    broker = f"redis://127.0.0.1:{redis_port}/0"
    with ExitStack() as stack:
        address = stack.enter_context(database.temporary())
        with psycopg.connect(address) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
        assert row is not None
        data_dir = Path(row[0])
        seeded = run(address, SEED)
        log = stack.enter_context((folder / "web.log").open("wb"))
        web = Web(
            log,
            database_url=address,
            application="tests.rollback.lost_wsgi",
            first_port=20_500,
            CELERY_BROKER_URL=broker,
            STATUS_DIR=str(folder / "status"),
        )
        stack.callback(web.kill)
        web.wait_until_it_answers()
        yield School(
            web=web,
            log=folder / "web.log",
            data_dir=data_dir,
            redis_port=redis_port,
            sessions=json.loads(seeded),
        )


@contextmanager
def started(words: list[str], **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """In a group of its own; killed afterwards, frozen or not."""
    process = subprocess.Popen(
        words,
        env=os.environ | {"PYTHONPATH": str(BASE_DIR)} | env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@contextmanager
def redis(port: int) -> Iterator[subprocess.Popen[bytes]]:
    program = shutil.which("redis-server")
    if program is None:
        words = "No redis-server here: a lost Redis is not tested. Install redis-server."
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", "/tmp"]
    with started([program, *options]) as server:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        yield server
