"""The snapshot outlives what happens to databases and processes, and is never on by mistake."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection

from rollback import runner, switchboard
from rollback.domain.shares import Snapshot, Subject
from rollback.models import Flag, Process
from rollback.switchboard import Switchboard, is_on
from tests.rollback.others import (
    ACTOR,
    CHILD,
    MASTER,
    START,
    address_of_this_test,
    behind_everybodys_back,
    eventually,
    other_process,
)

WHO = Subject(key="u:1", user_id=1)
WITHIN_THE_POLL = switchboard.POLL + 0.5

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("propagation")]


@pytest.fixture
def on(real_switchboard: Switchboard) -> Switchboard:
    for name in Flag.objects.values_list("name", flat=True):
        runner.set_share(flag=name, percent=Decimal(100), actor=ACTOR, reason="test")
    assert is_on(CHILD, WHO)
    return real_switchboard


def cut() -> None:
    connection.cursor().execute(
        "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
        " WHERE application_name = 'switchboard' AND datname = current_database()"
    )


def kill() -> None:
    Flag.objects.update(everyone=False)


def off(flag: str = MASTER) -> bool:
    return not is_on(flag, WHO)


# ---------------------------------------------------------------- the database


@pytest.mark.usefixtures("on")
def test_a_change_while_the_connection_was_cut_arrives() -> None:
    cut()
    kill()
    assert eventually(lambda: switchboard.board.snapshot().version > 0, within=2)
    assert off()


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize(
    "disable",
    ["ALTER TABLE {} DISABLE TRIGGER ALL", "ALTER TABLE {} DISABLE TRIGGER flags_changed"],
)
def test_a_change_that_no_trigger_told_and_no_version_shows_is_found(disable: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(disable.format("rollback_flag"))
        try:
            version = switchboard.board.snapshot().version
            kill()
            assert eventually(off, within=WITHIN_THE_POLL)
            assert switchboard.board.snapshot().version == version
        finally:
            cursor.execute("ALTER TABLE rollback_flag ENABLE TRIGGER ALL")


@pytest.mark.usefixtures("on")
def test_a_deleted_flag_is_off_and_a_deleted_master_takes_its_children_along() -> None:
    with behind_everybodys_back() as cursor:  # else the foreign key would hold the master
        cursor.execute("CREATE TEMPORARY TABLE kept AS TABLE rollback_flag")
        cursor.execute("DELETE FROM rollback_flag WHERE name = %s", [MASTER])
        assert eventually(lambda: off(MASTER) and off(CHILD), within=WITHIN_THE_POLL)
        cursor.execute("INSERT INTO rollback_flag SELECT * FROM kept WHERE name = %s", [MASTER])
        assert eventually(lambda: not off(MASTER) and not off(CHILD), within=WITHIN_THE_POLL)
        cursor.execute("DROP TABLE kept")


@pytest.mark.usefixtures("on")
def test_a_flag_that_was_inserted_by_hand_without_its_master_has_it_all_the_same() -> None:
    Flag.objects.filter(name=CHILD).delete()
    assert eventually(lambda: off(CHILD), within=1)
    Flag.objects.create(name=CHILD, percent=Decimal(100))
    assert eventually(lambda: not off(CHILD), within=1)
    runner.kill(flag=MASTER, actor=ACTOR, reason="test")
    assert eventually(lambda: off(CHILD), within=1)


# ---------------------------------------------------------------- the process


def test_a_process_that_was_frozen_wakes_up_off(real_switchboard: Switchboard) -> None:
    """The very first answer after the nap; what was slept through the watch reads after that."""
    runner.set_share(flag=MASTER, percent=Decimal(100), actor=ACTOR, reason="test")
    address = address_of_this_test()
    with other_process(address) as one, other_process(address, pooled=True) as without_listen:
        for other in (one, without_listen):
            assert other.next_answer(within=START)[0] == "on"
        with one.asleep(), without_listen.asleep():
            kill()
            time.sleep(switchboard.STALE + 0.5)
        for other in (one, without_listen):
            assert other.next_answer(within=2)[0] == "off"
            assert other.stays_as_it_is()


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("hours", [2, -2])
def test_a_step_of_the_clock_changes_nothing(hours: int) -> None:
    before = time.monotonic()
    with time_machine.travel(time.time() + hours * 3600):
        assert time.monotonic() - before < 1  # or this test would show nothing
        assert is_on(MASTER, WHO)
        time.sleep(switchboard.POLL + 0.1)
        assert is_on(MASTER, WHO)
        kill()
        assert eventually(off, within=1)
        seen = Process.objects.get(pid=os.getpid())
    assert abs(seen.seen_at - _database_time()) < timedelta(minutes=1)


def _database_time() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def _ask_in_a_child(told: Any, end: Any) -> None:
    told.send((os.getpid(), is_on(MASTER, WHO), switchboard.board._thread is not None))
    end.wait(10)


def _forked(told: Any, end: Any) -> Callable[[], None]:
    child = os.fork()
    if child == 0:
        try:
            _ask_in_a_child(told, end)
            switchboard.board.leave()
        finally:
            os._exit(0)
    return lambda: (os.waitpid(child, 0), None)[1]


def _by_multiprocessing(told: Any, end: Any) -> Callable[[], None]:
    child = multiprocessing.get_context("fork").Process(target=_ask_in_a_child, args=(told, end))
    child.start()
    return child.join


@pytest.fixture
def only_notified(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The poll is so rare that only the parent's own, unbroken connection can tell it anything."""
    monkeypatch.setattr(switchboard, "POLL", 600.0)
    monkeypatch.setattr(switchboard, "STALE", 1200.0)
    yield
    kill()  # wakes the watch, so that it sees that it is to stop


@pytest.mark.parametrize("start", [_forked, _by_multiprocessing])
def test_a_child_has_its_own_thread_connection_and_row(
    only_notified: None, on: Switchboard, start: Callable[[Any, Any], Callable[[], None]]
) -> None:
    hearing, told = multiprocessing.Pipe(duplex=False)
    end = multiprocessing.get_context("fork").Event()
    joined = start(told, end)
    child, answer, has_thread = hearing.recv()
    assert (answer, has_thread) == (True, True)
    assert child != os.getpid()
    assert eventually(lambda: _listed() == {os.getpid(), child}, within=2)
    assert _connections() == 2
    end.set()
    joined()
    assert _listed() == {os.getpid()}
    kill()  # through the parent's connection, which the child must not have ended
    assert eventually(off, within=1)


def _listed() -> set[int]:
    return set(Process.objects.values_list("pid", flat=True))


def _connections() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = 'switchboard' AND datname = current_database()"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.usefixtures("on")
def test_a_slow_reader_beside_the_watch_brings_no_older_answer_back() -> None:
    """Two saves within 2 ms, read in the wrong order: stock waffle's cache keeps the first."""
    board = switchboard.board
    seen: list[tuple[int, bool]] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            snapshot: Snapshot = board._known.snapshot
            seen.append((snapshot.version, snapshot.is_on(MASTER, WHO)))

    def refresh() -> None:
        for _ in range(20):
            board.refresh()

    readers = [threading.Thread(target=look), threading.Thread(target=refresh)]
    for reader in readers:
        reader.start()
    for _ in range(30):
        Flag.objects.filter(name=MASTER).update(everyone=None)
        Flag.objects.filter(name=MASTER).update(everyone=False)
    readers[1].join()
    assert eventually(off, within=1)
    stop.set()
    readers[0].join()
    versions = [version for version, _on in seen]
    assert versions == sorted(versions)
