"""A switch that is turned in one process reaches another, whatever happens to the database between.

The other process is a real one: Django, the switchboard, nothing of this test's memory.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection, transaction
from django.test import RequestFactory
from django.utils.functional import SimpleLazyObject
from psycopg.conninfo import make_conninfo

from config.local import cluster, database
from config.local.place import BASE_DIR
from enrollment.models import User
from rollback import registry, runner, switchboard
from rollback.domain.shares import FlagState, Snapshot
from rollback.doors.context import Features
from rollback.runner import Actor
from rollback.switchboard import Switchboard
from tests.conftest import make_user

MASTER = "ENABLE_TEACHER_SCHEDULING"
CHILD = "ENABLE_CALENDAR_DISPLAY"
ACTOR = Actor(name="a test")
# Seconds. A start of Django takes its time on a busy machine; the switch must not.
START = 60.0
WITH_LISTEN, WITHOUT_LISTEN, STALE, BACK = 1.0, 2.5, switchboard.STALE + 1.5, 10.0

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("propagation")]

WATCH = """
import sys, time, django
django.setup()
from rollback import switchboard
from rollback.domain.shares import Subject
flag, poll = sys.argv[1:]
switchboard.POLL = float(poll)
switchboard.STALE = max(switchboard.STALE, 2 * switchboard.POLL)
before, who = None, Subject(key="u:1", user_id=1)
while True:
    now = "on" if switchboard.is_on(flag, who) else "off"
    if now != before:
        print(now, time.monotonic(), flush=True)
    before = now
    time.sleep(0.002)
"""


class OtherProcess:
    """Tells each change of its answer, with the time, which is the same clock in all processes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._told: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._told.put(line)
        self._told.put("ended 0")  # a process that died must not cost the whole waiting time

    def next_answer(self, *, within: float) -> tuple[str, float]:
        try:
            word, at = self._told.get(timeout=within).split()
        except queue.Empty:
            pytest.fail(f"The other process did not change its answer within {within:g} s.")
        return word, float(at)

    def stays_as_it_is(self, *, seconds: float = 0.5) -> bool:
        time.sleep(seconds)
        return self._told.empty()


@contextmanager
def other_process(
    address: str, *, pooled: bool = False, poll: float = switchboard.POLL
) -> Iterator[OtherProcess]:
    """pooled: without LISTEN. poll: seconds between two looks at the version."""
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


def switch_on(*flags: str) -> None:
    for flag in flags:
        runner.set_share(flag=flag, percent=Decimal(100), actor=ACTOR, reason="test")


@pytest.mark.parametrize(
    ("pooled", "poll", "limit"),
    # With LISTEN the poll is so rare that only the notification can be in time.
    [(False, 600.0, WITH_LISTEN), (True, switchboard.POLL, WITHOUT_LISTEN)],
    ids=["listen", "poll alone"],
)
def test_a_kill_reaches_another_process(
    real_switchboard: Switchboard, pooled: bool, poll: float, limit: float
) -> None:
    switch_on(MASTER)
    with other_process(address_of_this_test(), pooled=pooled, poll=poll) as other:
        assert other.next_answer(within=START)[0] == "on"
        with transaction.atomic():
            runner.kill(flag=MASTER, actor=ACTOR, reason="test")
            committing_at = time.monotonic()
        word, at = other.next_answer(within=limit + 1)
        assert word == "off"
        assert at - committing_at <= limit
        assert other.stays_as_it_is()
        runner.restore(flag=MASTER, actor=ACTOR, reason="test")
        assert other.next_answer(within=limit + 1)[0] == "on"


@pytest.fixture(scope="module")
def own_server() -> Iterator[Path]:
    """A server that may be stopped without anybody else noticing, with the master at 100 %."""
    with database.temporary() as address:
        env = {**os.environ, "DATABASE_URL": address, "LOG_LEVEL": "ERROR"}
        for words in (
            ["migrate", "--verbosity", "0"],
            ["rollback", "set", MASTER, "100", "--reason", "test"],
        ):
            subprocess.run([sys.executable, "manage.py", *words], env=env, cwd=BASE_DIR, check=True)
        with psycopg.connect(address) as asked:
            row = asked.execute("SHOW data_directory").fetchone()
        assert row is not None
        yield Path(row[0])


def test_a_stopped_database_is_off_and_a_started_one_on_again(own_server: Path) -> None:
    with other_process(database.url(own_server)) as other:
        assert other.next_answer(within=START)[0] == "on"
        stopping_at = time.monotonic()
        database.stop(own_server)
        word, at = other.next_answer(within=STALE)
        assert word == "off"
        assert at - stopping_at <= STALE
        assert other.stays_as_it_is()
        database.ensure_running(own_server, database.THROWAWAY)
        assert other.next_answer(within=BACK)[0] == "on"


def test_a_database_that_hangs_is_off(own_server: Path) -> None:
    """Nothing is closed and nothing answers: only the age of the last answer tells."""
    with other_process(database.url(own_server)) as other:
        assert other.next_answer(within=START)[0] == "on"
        with frozen(own_server):
            frozen_at = time.monotonic()
            word, at = other.next_answer(within=STALE + 1)
            assert word == "off"
            assert at - frozen_at <= STALE
        assert other.next_answer(within=BACK)[0] == "on"


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


# ---------------------------------------------------------------- in one process, without a query


def test_a_page_asks_for_all_its_flags_without_a_query(
    real_switchboard: Switchboard, django_assert_num_queries: Any
) -> None:
    switch_on(*(feature.flag for feature in registry.features()))
    request = RequestFactory().get("/")
    request.user = make_user("u@school.example")
    assert switchboard.is_on(MASTER, request)
    with django_assert_num_queries(0):
        assert switchboard.is_on(CHILD, request.user)
        assert all(Features(request)[feature.name] for feature in registry.features())


def test_a_login_in_the_middle_of_a_request_is_seen() -> None:
    """The request keeps who it is for its next questions, and so must notice that they changed."""
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    assert switchboard.subject_of(request).key == ""
    request.visitor = "abc"  # type: ignore[attr-defined]
    assert switchboard.subject_of(request).key == "a:abc"
    user = User(pk=7, email="u@school.example", is_staff=True)
    request.user = SimpleLazyObject(lambda: user)  # type: ignore[assignment]
    for _ in range(2):
        assert switchboard.subject_of(request) == switchboard.subject_of(user)
    request.user = User(pk=8)
    assert switchboard.subject_of(request).user_id == 8


def test_flags_that_are_each_others_master_are_off_for_anyone() -> None:
    flags = {
        one: FlagState(name=one, share=10_000, requires=other)
        for one, other in ((MASTER, CHILD), (CHILD, MASTER))
    }
    with switchboard.board.pinned(Snapshot(version=1, flags=flags)):
        assert not switchboard.is_on_for_anyone(MASTER)
