"""Each process says what it runs; the office and the terminal are told who does not yet."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse

from config.local.place import BASE_DIR
from enrollment.models import Student, User
from rollback import acknowledging, processes, runner
from rollback.domain.shares import Subject
from rollback.models import Flag, Process
from rollback.switchboard import Switchboard, is_on
from tests.rollback.others import (
    ACTOR,
    MASTER,
    START,
    address_of_this_test,
    eventually,
    other_process,
    other_session,
)

WHO = Subject(key="u:1", user_id=1)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("propagation")]


@pytest.fixture
def on(real_switchboard: Switchboard) -> Switchboard:
    for name in Flag.objects.values_list("name", flat=True):
        runner.set_share(flag=name, percent=Decimal(100), actor=ACTOR, reason="test")
    assert is_on(MASTER, WHO)
    assert eventually(lambda: Process.objects.exists(), within=3)
    return real_switchboard


def newest() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version FROM rollback_switchboard")
        return int(cursor.fetchone()[0])


def kill_is_told(within: float = 1.0) -> bool:
    runner.kill(actor=ACTOR, reason="test")
    return eventually(lambda: not is_on(MASTER, WHO), within=within)


@contextmanager
def locked() -> Iterator[None]:
    with other_session() as other:
        other.execute("LOCK TABLE rollback_process IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def away() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE rollback_process RENAME TO archived_process")
        try:
            yield
        finally:
            cursor.execute("ALTER TABLE archived_process RENAME TO rollback_process")


def test_a_change_is_acknowledged_with_its_time_and_the_heart_beats(
    on: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kill_is_told()
    found = processes.wait_for_all()
    assert found is not None
    assert (len(found.reached), found.alive) == (1, 1)
    assert found.slowest is not None
    assert timedelta(0) < found.slowest < timedelta(seconds=1)
    row = Process.objects.get()
    assert (row.pid, row.version, row.kind) == (os.getpid(), newest(), "process")
    assert eventually(lambda: Process.objects.get().seen_at > row.seen_at, within=4)
    assert Process.objects.get().reached_at == row.reached_at


def test_a_crash_of_the_database_empties_the_table_and_the_process_says_it_again(
    on: Switchboard,
) -> None:
    assert kill_is_told()
    before = processes.wait_for_all()
    Process.objects.all().delete()
    assert eventually(Process.objects.exists, within=acknowledging.HEARTBEAT + 2)
    after = processes.roll_call()
    assert before is not None
    assert after is not None
    # What it took then, and not what it takes now.
    assert after.slowest is not None
    assert abs(after.slowest - before.slowest) < timedelta(milliseconds=50)  # type: ignore[operator]


def test_the_table_costs_no_log() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'rollback_process'")
        assert cursor.fetchone() == ("u",)


def test_a_clean_end_takes_its_row_along_and_a_sudden_one_is_named(on: Switchboard) -> None:
    with other_process(address_of_this_test()) as other:
        assert other.next_answer(within=START)[0] == "on"
        assert eventually(lambda: Process.objects.count() == 2, within=3)
        with other.asleep():
            made = runner.kill(actor=ACTOR, reason="test")
            assert made
            asked_at = time.monotonic()
            found = processes.wait_for_all()
            assert processes.PATIENCE <= time.monotonic() - asked_at < processes.PATIENCE + 1
        assert found is not None
        assert [process.pid for process in found.waiting] == [other.process.pid]
        assert f"Not yet: process, host {found.waiting[0].host}, pid {other.process.pid}: " in (
            " ".join(processes.sentences(found, word="Off"))
        )
        other.process.send_signal(signal.SIGINT)  # Python ends, and says so
        assert other.process.wait(10)
    assert Process.objects.get().pid == os.getpid()


def test_a_command_that_asks_for_flags_leaves_nothing_behind(on: Switchboard) -> None:
    env = {**os.environ, "DATABASE_URL": address_of_this_test(), "LOG_LEVEL": "ERROR"}
    words = [sys.executable, "manage.py", "rollback", "status"]
    done = subprocess.run(words, env=env, cwd=BASE_DIR, check=True, capture_output=True, text=True)
    assert f"Version {newest()} in 1 of 1 process" in done.stdout
    assert Process.objects.count() == 1


def test_without_listen_a_process_acknowledges_too(real_switchboard: Switchboard) -> None:
    with override_settings(DATABASE_POOLED=True):
        runner.set_share(flag=MASTER, percent=Decimal(100), actor=ACTOR, reason="test")
        assert is_on(MASTER, WHO)
        assert eventually(Process.objects.exists, within=3)
        Flag.objects.update(everyone=False)
        found = processes.wait_for_all(timeout=3)
        assert found is not None
        assert (len(found.reached), found.alive) == (1, 1)
        real_switchboard.stop()


def test_long_silent_processes_are_forgotten_by_whoever_writes_next(on: Switchboard) -> None:
    forgotten, named = (
        Process.objects.create(
            uuid=uuid4(), kind="web", host="x", pid=pid, version=1, **dict.fromkeys(times, at)
        )
        for times in [("started_at", "reached_at", "seen_at")]
        for pid, at in (
            (1, datetime.now(UTC) - timedelta(minutes=11)),
            (2, datetime.now(UTC) - timedelta(minutes=9)),
        )
    )
    Flag.objects.update(everyone=False)
    assert eventually(lambda: not Process.objects.filter(pk=forgotten.pk).exists(), within=3)
    assert Process.objects.filter(pk=named.pk).exists()
    found = processes.roll_call()
    assert found is not None
    assert [process.pid for process in found.silent] == [2]


@pytest.mark.parametrize("trouble", [locked, away])
def test_whatever_happens_to_the_table_the_kill_arrives_and_says_what_it_knows(
    on: Switchboard, trouble: Any
) -> None:
    with trouble():
        assert kill_is_told()
        asked_at = time.monotonic()
        assert processes.wait_for_all() is None
        assert time.monotonic() - asked_at < processes.PATIENCE
        # The watch goes on meanwhile, and nothing is stale.
        time.sleep(acknowledging.HEARTBEAT + 0.5)
        runner.restore(flag=MASTER, actor=ACTOR, reason="test")
        assert eventually(lambda: is_on(MASTER, WHO), within=1)
    version = newest()
    assert eventually(
        lambda: Process.objects.filter(version=version).exists(),
        within=acknowledging.HEARTBEAT + 2,
    )


def test_a_database_that_may_only_be_read_is_enough(real_switchboard: Switchboard) -> None:
    runner.set_share(flag=MASTER, percent=Decimal(100), actor=ACTOR, reason="test")
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        try:
            assert is_on(MASTER, WHO)
            assert kill_is_told()
            assert not Process.objects.exists()
        finally:
            cursor.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')


# ------------------------------------------------------------ who is told


def test_the_office_is_told_after_a_kill_and_on_the_list(
    on: Switchboard, client: Client, django_assert_max_num_queries: Any
) -> None:
    client.force_login(User.objects.create_superuser("boss@school.example"))
    page = client.post(
        reverse("admin:rollback_flag_kill_everything"),
        {"reason": "emergency", "word": "everything"},
        follow=True,
    ).content.decode()
    assert "Off in 1 of 1 process, slowest " in page
    with django_assert_max_num_queries(17):
        page = client.get(reverse("admin:rollback_flag_changelist")).content.decode()
    assert f"Version {newest()} in 1 of 1 process, slowest " in page
    assert f'<td class="py-1 pr-4">{os.getpid()}</td>' in page


def test_the_office_reads_who_is_silent(on: Switchboard, client: Client) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=3)
    Process.objects.create(
        uuid=uuid4(),
        kind="worker",
        host="<b>x</b>",
        pid=123,
        version=1,
        started_at=long_ago,
        reached_at=long_ago,
        seen_at=long_ago,
    )
    client.force_login(User.objects.create_superuser("boss@school.example"))
    page = client.get(reverse("admin:rollback_flag_changelist")).content.decode()
    assert "worker, host &lt;b&gt;x&lt;/b&gt;, pid 123: silent since " in page


def test_the_page_opens_without_the_table(on: Switchboard, client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss@school.example"))
    with away():
        page = client.get(reverse("admin:rollback_flag_changelist"))
        assert "cannot be read now" in page.content.decode()
        killed = client.post(
            reverse("admin:rollback_flag_kill_everything"),
            {"reason": "x", "word": "everything"},
            follow=True,
        )
        assert "cannot be read now" in killed.content.decode()


def test_the_terminal_is_told(on: Switchboard) -> None:
    out = StringIO()
    call_command("rollback", "kill", MASTER, "--reason", "x", stdout=out)
    assert "Off in 1 of 1 process, slowest " in out.getvalue()
    call_command("rollback", "restore", MASTER, "--reason", "x", stdout=out)
    assert "Changed in 1 of 1 process, slowest " in out.getvalue()
    call_command("rollback", "status", stdout=out)
    assert f"Version {newest()} in 1 of 1 process, slowest " in out.getvalue()


def test_students_read_nothing_of_it(on: Switchboard, client: Client, student: Student) -> None:
    client.force_login(student.user)
    page = client.get(reverse("admin:rollback_flag_changelist"), follow=True)
    assert "in 1 of 1 process" not in page.content.decode()
