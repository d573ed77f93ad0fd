"""The kill bit of one process: when it trips, when it is off again, and what is written of it."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import OperationalError, connection

from rollback import switchboard, trips
from rollback.database import base
from rollback.database.base import Connection, NoAnswer, answers_expected, is_lost
from rollback.domain.metrics import Metric
from rollback.domain.shares import OFF
from rollback.models import LocalTrip
from rollback.switchboard import Switchboard
from tests.rollback.others import address_of_this_test, eventually

WHO: dict[str, Any] = {"uuid": uuid4(), "kind": "web", "host": "here", "pid": 1}


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(trips.time, "monotonic", clock)  # type: ignore[attr-defined]
    trips.forget()
    yield clock
    monkeypatch.undo()
    trips.forget()


def fail(clock: Clock, *after: float) -> None:
    for seconds in after:
        clock.at += seconds
        trips.failed()


def test_three_within_ten_seconds_trip_it(clock: Clock) -> None:
    fail(clock, 0, 5)
    assert not trips.is_tripped()
    fail(clock, 4.9)
    assert trips.is_tripped()


def test_three_that_are_further_apart_do_not(clock: Clock) -> None:
    fail(clock, *[5.1] * 20)
    assert not trips.is_tripped()


def test_how_many_is_a_setting(clock: Clock, settings: Any) -> None:
    settings.DATABASE_FAILURES = 1
    fail(clock, 0)
    assert trips.is_tripped()


def test_it_is_over_when_the_database_has_answered_for_a_while(clock: Clock) -> None:
    fail(clock, 0, 0, 0)
    clock.at += 100
    trips.connected()
    assert trips.is_tripped()
    clock.at += trips.STEADY - 1
    fail(clock, 0)  # it flaps: the while begins anew
    trips.connected()
    clock.at += trips.STEADY - 0.1
    trips.connected()
    assert trips.is_tripped()
    clock.at += 0.1
    trips.connected()
    assert not trips.is_tripped()
    fail(clock, 0)
    assert not trips.is_tripped(), "what has been got over does not count any more"


def test_pages_ask_nothing_while_the_watch_fails_and_try_when_it_does_not(clock: Clock) -> None:
    fail(clock, 0, 0, 0)
    assert not trips.is_lost(), "nobody is looking for it; the pages must"
    trips.failed(by_watch=True)
    assert trips.is_lost()
    clock.at += trips.FAILING
    assert not trips.is_lost(), "a watch that is silent itself is no reason"
    trips.failed(by_watch=True)
    trips.connected(by_watch=True)
    assert not trips.is_lost()
    assert trips.is_tripped()


def test_a_slow_statement_is_waited_for_while_others_are_answered(clock: Clock) -> None:
    trips.connected(by_watch=True)
    began = clock.at = clock.at + 0.5
    clock.at += trips.PATIENCE
    assert not trips.gives_up(began)
    clock.at += 0.1
    assert trips.gives_up(began)
    trips.connected(by_watch=True)
    assert not trips.gives_up(began)


@pytest.mark.django_db
def test_each_trip_is_one_row_however_often_it_is_told(clock: Clock) -> None:
    before = trips.Trip(number=1, failures=3, tripped_at=clock.at - 60, back_at=clock.at - 1)
    for _ in range(2):
        trips._now.untold.append(before)
        trips.tell(connection.connection, WHO)
    fail(clock, 0, 0, 0)
    trips.connected()
    trips.connected()
    trips.tell(connection.connection, WHO)
    trips.tell(connection.connection, WHO)
    rows = LocalTrip.objects.filter(uuid=str(WHO["uuid"])).order_by("tripped_at")
    assert len(rows) == 1, "the number is the process's own, and it was told already"
    assert rows[0].failures == 3
    assert (rows[0].back_at - rows[0].tripped_at).total_seconds() == pytest.approx(59, abs=0.1)


def test_a_tripped_process_says_off_whatever_it_knows(real_switchboard: Switchboard) -> None:
    assert real_switchboard.snapshot() is not OFF
    for _ in range(3):
        trips.failed()
    assert real_switchboard.snapshot() is OFF


@pytest.mark.django_db(transaction=True)
def test_the_watch_writes_it_down_without_anybody_asking(
    real_switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trips, "STEADY", 0.5)
    real_switchboard.snapshot()
    for _ in range(3):
        trips.failed()
    assert eventually(lambda: LocalTrip.objects.exists(), within=10)
    made = LocalTrip.objects.get()
    assert (made.pid, made.failures) == (os.getpid(), 3)
    assert eventually(lambda: not trips.is_tripped(), within=10)
    assert real_switchboard.snapshot() is not OFF


def test_a_child_begins_anew() -> None:
    for _ in range(3):
        trips.failed()
    hearing, telling = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(telling, str(trips.is_tripped()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    try:
        assert os.read(hearing, 10) == b"False"
        assert trips.is_tripped()
    finally:
        trips.forget()
        os.close(hearing)
        os.close(telling)


# ---------------------------------------------------------------- the connection


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, bool]]]:
    found: list[tuple[str, bool]] = []
    monkeypatch.setattr(base, "count", lambda metric, *, bad: found.append((metric, bad)))
    trips.forget()
    yield found
    trips.forget()


@pytest.mark.django_db
def test_queries_are_counted_and_slow_ones_as_bad(counted: list[tuple[str, bool]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.execute("SELECT pg_sleep(0.11)")
    assert counted == [(Metric.QUERIES_100_MS, False), (Metric.QUERIES_100_MS, True)]


def _another(**parameters: Any) -> Any:
    copy = connection.copy()
    copy.settings_dict = {**copy.settings_dict, **parameters}
    return copy


def test_connections_are_counted(db: None, counted: list[tuple[str, bool]]) -> None:
    good = _another()
    good.ensure_connection()
    good.close()
    assert counted == [(Metric.CONNECTIONS, False)]
    with pytest.raises(OperationalError) as refused:
        _another(NAME="nothing_here").ensure_connection()
    assert counted[1:] == [(Metric.CONNECTIONS, True)]
    assert is_lost(refused.value)
    assert len(trips._now.failed_at) == 1


def test_a_connection_that_was_lost_in_use_is_counted(
    db: None, counted: list[tuple[str, bool]]
) -> None:
    mine = _another()
    with mine.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
        with connection.cursor() as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        counted.clear()
        with pytest.raises(OperationalError) as lost:
            cursor.execute("SELECT 1")
    assert (Metric.CONNECTIONS, True) in counted
    assert is_lost(lost.value)
    mine.close()


@pytest.mark.parametrize(
    "statement", ["SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)", "SELECT 1/0"]
)
def test_what_the_database_refuses_does_not_mean_that_it_is_lost(statement: str) -> None:
    with psycopg.connect(address_of_this_test()) as mine, pytest.raises(psycopg.Error) as refused:
        mine.execute(statement)
    assert not is_lost(refused.value)


def test_an_answer_is_given_up_and_the_connection_with_it(db: None) -> None:
    mine = Connection.connect(address_of_this_test())
    began = time.monotonic()
    with (
        answers_expected(lambda since: time.monotonic() - since > 0.2),
        pytest.raises(NoAnswer) as hung,
    ):
        mine.execute("SELECT pg_sleep(5)")
    assert time.monotonic() - began < 4
    assert mine.closed
    assert is_lost(hung.value)


@pytest.mark.parametrize("within", [None, lambda since: False], ids=["no limit", "not yet"])
def test_else_answers_come_as_ever(db: None, within: Callable[[float], bool] | None) -> None:
    with Connection.connect(address_of_this_test(), autocommit=True) as mine:
        if within is None:
            assert mine.execute("SELECT pg_sleep(0.3), 7").fetchone() == ("", 7)
            return
        with answers_expected(within):
            assert mine.execute("SELECT pg_sleep(0.3), 7").fetchone() == ("", 7)
            with mine.cursor() as cursor, cursor.copy("COPY (SELECT 1) TO STDOUT") as rows:
                assert list(rows.rows()) == [("1",)]


def test_a_check_costs_one_look_more() -> None:
    """Counted: no lock, no clock and no call but one."""
    assert trips.is_tripped.__code__.co_names == ("_tripped",)
    assert switchboard.Switchboard.snapshot.__code__.co_names.count("is_tripped") == 1
