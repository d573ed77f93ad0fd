"""The ring that counts, the thread that writes, and how old samples become fewer."""

import os
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from rollback import rollup, watch
from rollback.domain.metrics import Metric
from rollback.models import Sample
from rollback.watch import Ring
from tests.conftest import start_watching

FLAG = "ENABLE_CALENDAR_DISPLAY"
NOW = datetime(2030, 6, 15, 12, 34, tzinfo=UTC)


class Clock:
    """The monotonic one, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = 1_000.25
        monkeypatch.setattr(watch, "monotonic", lambda: self.at)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def sums(**only: Any) -> tuple[int, int]:
    found = Sample.objects.filter(**only).aggregate(Sum("total"), Sum("bad"))
    return found["total__sum"] or 0, found["bad__sum"] or 0


def test_counting_only_appends(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """No lock, no query, whatever else holds them: that of the writer is held here."""
    ring = Ring()
    with ring._folding:
        for _ in range(3 * watch.FOLD):
            ring.count(Metric.REQUESTS, feature=FLAG)
    assert len(ring._told) == 3 * watch.FOLD
    ring.count(Metric.REQUESTS, feature=FLAG, bad=True, n=2)
    assert not ring._told, "folded as soon as nobody else is at it"
    assert ring._counts == {(1_000, Metric.REQUESTS, FLAG, True): [3 * watch.FOLD + 2, 2]}


def test_threads_lose_nothing() -> None:
    ring = Ring()

    def work() -> None:
        for number in range(5_000):
            ring.count("m", bad=number % 5 == 0)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ring._taken() as counts:
        assert [sum(cell[i] for cell in counts.values()) for i in (0, 1)] == [20_000, 4_000]


def test_a_stuck_writer_costs_old_counts_and_no_memory(clock: Clock) -> None:
    ring = Ring()
    for _second in range(10 * 60):
        clock.at += 1
        ring.count("m", n=1)
        with ring._folding:
            ring._fold()
    assert len(ring._counts) <= watch.KEPT + 1


@pytest.mark.django_db
def test_several_processes_write_into_the_same_slots() -> None:
    rings = [Ring(), Ring(), Ring()]
    for ring in rings:
        ring.count(Metric.REQUESTS, feature=FLAG, n=9)
        ring.count(Metric.REQUESTS, feature=FLAG, bad=True)
        ring.count(Metric.REQUESTS, feature=FLAG, on=False)
        ring.count(Metric.API)
        assert ring.write()
    assert sums(metric="requests", feature=FLAG, is_on=True) == (30, 3)
    assert sums(metric="requests", feature=FLAG, is_on=False) == (3, 0)
    assert sums(metric="api", feature="") == (3, 0)
    assert Sample.objects.count() <= 6, "of one slot, or of two where one ended in between"
    assert rings[0].write()
    assert sums() == (36, 3), "nothing is written twice"


@pytest.mark.django_db
def test_slots_are_the_databases(clock: Clock) -> None:
    """Whatever this machine takes for the time; only how long ago it was counts."""
    ring = Ring()
    ring.count("old")
    clock.at += 40
    ring.count("new")
    assert ring.write()
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now = cursor.fetchone()[0]
    old, new = (Sample.objects.get(metric=one) for one in ("old", "new"))
    assert new.begins_at.timestamp() % 10 == 0
    assert timedelta(0) <= now - new.begins_at < timedelta(seconds=12)
    assert new.begins_at - old.begins_at in (timedelta(seconds=s) for s in (30, 40, 50))


@pytest.mark.django_db
def test_what_cannot_be_written_is_kept_a_minute(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = Ring()
    ring.count("m", n=5)
    with monkeypatch.context() as broken:
        broken.setattr(watch, "ADD", "SELECT 1 / 0 -- %s %s %s %s %s %s")
        assert not ring.write()
        clock.at += watch.KEPT / 2
        ring.count("m", bad=True)
        assert not ring.write()
    clock.at += 1
    assert ring.write()
    assert sums() == (6, 1)
    ring.count("m", n=7)
    with monkeypatch.context() as broken:
        broken.setattr(watch, "ADD", "SELECT 1 / 0 -- %s %s %s %s %s %s")
        assert not ring.write()
        clock.at += watch.KEPT + 2
        ring.count("m")
        assert not ring.write()
    assert ring.write()
    assert sums() == (7, 1), "the seven were too old to be of use"


@pytest.mark.django_db(transaction=True)
def test_a_locked_table_makes_nobody_wait_for_long() -> None:
    ring = Ring()
    ring.count("m")
    done: list[bool] = []

    def write() -> None:
        done.append(ring.write())
        connection.close()

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE rollback_sample")
        thread = threading.Thread(target=write)
        thread.start()
        thread.join(10)
        assert done == [False]
    assert ring.write()
    assert sums() == (1, 0)


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_add_up_and_never_lock_each_other_out() -> None:
    """With their own connections, and each with its keys in another order."""
    keys = [(f"m{number}", on) for number in range(20) for on in (True, False)]

    def process(number: int) -> None:
        ring = Ring()
        for _round in range(10):
            for metric, on in keys if number % 2 else reversed(keys):
                ring.count(metric, on=on, bad=number == 0)
            assert ring.write()
        written.append(number)
        connection.close()

    written: list[int] = []
    threads = [threading.Thread(target=process, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(written) == [0, 1, 2, 3]
    assert sums() == (4 * 10 * len(keys), 10 * len(keys))


@pytest.mark.django_db
def test_hooks_are_told_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def broken() -> None:
        told.append("broken")
        raise ValueError

    monkeypatch.setattr(watch, "after_write", [broken, lambda: told.append("next")])
    monkeypatch.setattr(connection, "close", lambda: None)
    ring = Ring()
    ring._round()
    assert told == ["broken", "next"]
    ring.count("m")
    monkeypatch.setattr(watch, "ADD", "SELECT 1 / 0 -- %s %s %s %s %s %s")
    ring._round()
    assert told == ["broken", "next"], "not while the database does not answer"


def test_the_thread_starts_with_the_first_count_and_writes_when_the_process_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rounds: list[bool] = []
    monkeypatch.setattr(Ring, "_start", start_watching)
    monkeypatch.setattr(Ring, "_round", lambda ring, *, last=False: rounds.append(last))
    ring = Ring()
    ring.count("m")
    thread = ring._thread
    assert thread is not None
    assert thread.daemon
    ring.count("m")
    assert ring._thread is thread
    ring.leave()
    assert not thread.is_alive()
    assert rounds == [True]


@pytest.mark.django_db
def test_the_database_is_counted_by_its_connections() -> None:
    watch.ring.clear()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.11)")
        cursor.execute("SELECT 1")
    with watch.ring._taken() as counts:
        found = [cell for key, cell in counts.items() if key[1] == Metric.QUERIES_100_MS]
    assert [sum(cell[i] for cell in found) for i in (0, 1)] == [2, 1]


@pytest.mark.filterwarnings("ignore:This process")
def test_a_child_counts_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forked in the very moment in which a lock was held; its parent's counts are its parent's."""
    watch.count("of the parent")
    with watch.ring._folding:
        child = os.fork()
        if child == 0:
            try:
                watch.count("of the child")
                with watch.ring._taken() as counts:
                    is_right = [key[1] for key in counts] == ["of the child"]
                os._exit(0 if is_right else 1)
            finally:
                os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    with watch.ring._taken() as counts:
        assert [key[1] for key in counts] == ["of the parent"]


def sample(age: timedelta, *, seconds: int = 10, bad: int = 1, on: bool = True) -> None:
    Sample.objects.create(
        metric="requests",
        feature=FLAG,
        is_on=on,
        begins_at=NOW - age,
        seconds=seconds,
        total=10,
        bad=bad,
    )


@pytest.mark.django_db
def test_old_samples_become_fewer_and_their_sums_stay() -> None:
    for number in range(120):
        even = number % 2 == 0
        for age in (timedelta(0), timedelta(days=2), timedelta(days=35)):
            sample(age + timedelta(seconds=70 * number), on=even, bad=number % 3)
        sample(timedelta(days=30, minutes=number), seconds=60, on=even)
    before = {on: sums(is_on=on) for on in (True, False)}
    done = rollup.roll_up(now=NOW)
    assert done.minutes > 100
    assert 0 < done.hours < 12
    assert {on: sums(is_on=on) for on in (True, False)} == before
    hour = NOW.replace(minute=0)
    limits = ((10, timedelta(days=2)), (60, timedelta(days=30)))
    for seconds, limit in limits:
        found = Sample.objects.filter(seconds=seconds)
        assert found.exists()
        assert not found.filter(begins_at__lt=hour - limit).exists()
    assert all(one.begins_at.minute == 0 for one in Sample.objects.filter(seconds=3600))
    rows = Sample.objects.count()
    assert rollup.roll_up(now=NOW) == rollup.RolledUp(), "there is nothing left to do"
    assert Sample.objects.count() == rows


@pytest.mark.django_db
def test_what_comes_late_is_added() -> None:
    sample(timedelta(days=3), bad=2)
    rollup.roll_up(now=NOW)
    sample(timedelta(days=3), bad=3)
    rollup.roll_up(now=NOW)
    found = Sample.objects.get()
    assert (found.seconds, found.total, found.bad) == (60, 20, 5)


@pytest.mark.django_db
def test_after_a_year_they_are_gone() -> None:
    sample(timedelta(days=366), seconds=3600)
    sample(timedelta(days=364), seconds=3600)
    assert rollup.roll_up(now=NOW).deleted == 1
    assert Sample.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_at_once_and_beside_a_writer_count_each_once() -> None:
    now = timezone.now()
    Sample.objects.bulk_create(
        Sample(
            metric=f"m{number % 5}",
            is_on=True,
            begins_at=now - timedelta(days=3, seconds=10 * number),
            total=3,
            bad=1,
        )
        for number in range(2_000)
    )

    def roll() -> None:
        rollup.roll_up(now=now)
        connection.close()

    def write() -> None:
        for _ in range(20):
            ring.count("m1", n=2)
            assert ring.write()
        connection.close()

    ring = Ring()
    threads = [threading.Thread(target=target) for target in (roll, write, roll)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums() == (6_000 + 40, 2_000)
    assert not Sample.objects.filter(
        seconds=10, begins_at__lt=now - timedelta(days=2, hours=2)
    ).exists()
