"""Other processes and other servers, real ones: nothing of the test's memory is theirs."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo

from config.local import cluster, database
from config.local.place import BASE_DIR
from rollback import switchboard
from rollback.runner import Actor

MASTER = "ENABLE_TEACHER_SCHEDULING"
CHILD = "ENABLE_CALENDAR_DISPLAY"
ACTOR = Actor(name="a test")
# Seconds. A start of Django takes its time on a busy machine; the switch must not.
START = 60.0

# Tells each change of the answer, and the answer after each nap of its own. Of the checks in
# between it tells the time that 99 of 100 kept below.
WATCH = """
import signal, sys, time, django
# A shell that starts a run in the background lets all of it ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
django.setup()
from rollback import switchboard, trips
from rollback.domain.shares import Subject
trips.STEADY = 1.0
flag, poll = sys.argv[1:]
switchboard.POLL = float(poll)
switchboard.STALE = max(switchboard.STALE, 2 * switchboard.POLL)
before, who, taken = None, Subject(key="u:1", user_id=1), [0.0]
switchboard.is_on(flag, who)
last = time.monotonic()
while True:
    asked = time.monotonic()
    now = "on" if switchboard.is_on(flag, who) else "off"
    taken.append(time.monotonic() - asked)
    if now != before or asked - last > switchboard.STALE:
        print(now, time.monotonic(), sorted(taken)[int(len(taken) * 0.99)], flush=True)
        taken = [0.0]
    before, last = now, asked
    time.sleep(0.002)
"""


class OtherProcess:
    """Its times are of the same clock as ours."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.p99 = 0.0  # of the checks before the last answer, in seconds
        self._told: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._told.put(line)
        self._told.put("ended 0 0")  # a process that died must not cost the whole waiting time

    def next_answer(self, *, within: float) -> tuple[str, float]:
        try:
            word, at, p99 = self._told.get(timeout=within).split()
        except queue.Empty:
            pytest.fail(f"The other process did not change its answer within {within:g} s.")
        self.p99 = float(p99)
        return word, float(at)

    def stays_as_it_is(self, *, seconds: float = 0.5) -> bool:
        time.sleep(seconds)
        return self._told.empty()

    @contextmanager
    def asleep(self) -> Iterator[None]:
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@contextmanager
def other_process(
    address: str, *, pooled: bool = False, poll: float = switchboard.POLL
) -> Iterator[OtherProcess]:
    """pooled: without LISTEN. poll: seconds between two readings."""
    env = {
        **os.environ,
        "DATABASE_URL": address,
        "DATABASE_POOLED": str(pooled).lower(),
        "LOG_LEVEL": "ERROR",
        "PYTHONPATH": str(BASE_DIR),
    }
    command = [sys.executable, "-c", WATCH, MASTER, str(poll)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield OtherProcess(process)
        finally:
            process.kill()


def address_of_this_test() -> str:
    settings = connection.settings_dict
    return make_conninfo(
        host=settings["HOST"],
        port=settings["PORT"] or None,
        user=settings["USER"],
        password=settings["PASSWORD"] or None,
        dbname=settings["NAME"],
    )


def other_session(**options: Any) -> psycopg.Connection[Any]:
    return psycopg.connect(address_of_this_test(), **options)


def eventually(fulfilled: Callable[[], bool], *, within: float) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if fulfilled():
            return True
        time.sleep(0.005)
    return False


@contextmanager
def behind_everybodys_back() -> Iterator[Any]:
    """A cursor whose writes fire no trigger and no foreign key, as a restore's do."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        try:
            yield cursor
        finally:
            cursor.execute("SET session_replication_role = DEFAULT")


@contextmanager
def school_server() -> Iterator[Path]:
    """A server that may be stopped without anybody else noticing, with the master at 100 %.

    :returns: its data directory.
    """
    with database.temporary() as address:
        env = {**os.environ, "DATABASE_URL": address, "LOG_LEVEL": "ERROR"}
        for words in (
            ["migrate", "--verbosity", "0"],
            ["rollback", "set", MASTER, "100", "--reason", "test"],
        ):
            subprocess.run(
                [sys.executable, "manage.py", *words],
                env=env,
                cwd=BASE_DIR,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        with psycopg.connect(address) as asked:
            row = asked.execute("SHOW data_directory").fetchone()
        assert row is not None
        yield Path(row[0])


def stop_at_once(data_dir: Path) -> None:
    """PostgreSQL's immediate shutdown: nothing is written down, as in a crash."""
    pid = cluster.postmaster_pid(data_dir)
    assert pid is not None
    os.kill(pid, signal.SIGQUIT)
    assert eventually(lambda: not psutil.pid_exists(pid), within=20)


@contextmanager
def frozen(data_dir: Path) -> Iterator[None]:
    postmaster = psutil.Process(cluster.postmaster_pid(data_dir))
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)
