"""The tables are locked all at once, in so long, and without anybody waiting for what they need not."""

import time
from collections.abc import Iterator
from threading import Thread, Timer
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from rollback import processes
from rollback.models import LedgerEntry
from rollback.schema import locking, reverse
from rollback.schema.locking import Waiting
from rollback.schema.prepared import Prepared
from tests.rollback.archiving import APPS, bring_home
from tests.rollback.others import eventually, other_session

pytestmark = [pytest.mark.django_db(transaction=True)]

AWAY = ("archive", "scheduling_timeoff")


@pytest.fixture(autouse=True)
def home_again(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(locking, "PAUSE", (0.0, 0.05))
    yield
    monkeypatch.undo()
    bring_home()


@pytest.fixture
def tables() -> Iterator[list[locking.Table]]:
    names = ["lock_one", "lock_two", "lock_three"]
    run(*(f"CREATE TABLE {name} (a int)" for name in names))
    yield list(names)
    run(*(f"DROP TABLE {name}" for name in names))


def run(*statements: str) -> Any:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else None


def setting(name: str) -> str:
    return str(run(f"SHOW {name}")[0][0])


def test_whoever_reads_the_archive_keeps_nobody_waiting_for_the_ground_floor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And it is tried again, until they have read."""
    monkeypatch.setattr(locking, "PATIENCE", 1.5)
    reverse.take_away(apps=APPS)
    heard: list[str] = []
    with other_session() as reader, other_session(autocommit=True) as person:
        reader.execute("SELECT FROM archive.scheduling_timeoff")
        person.execute("SET statement_timeout = '500ms'")

        def waits(holders: Any) -> None:
            heard.append(locking.in_words(holders))
            reader.rollback()

        ended: list[reverse.Moved] = []
        home = Thread(target=_bring_back, args=(waits, ended))
        home.start()
        assert eventually(lambda: _waits_for(person, "archive.scheduling_timeoff"), within=10)
        person.execute("SELECT count(*) FROM enrollment_user")  # or it is canceled
        home.join(20)
        assert f"process {reader.info.backend_pid} " in heard[0]
    assert ended[0].tries == 2
    assert not LedgerEntry.objects.filter(back_at=None).exists()


def _bring_back(waits: Any, ended: list[reverse.Moved]) -> None:
    try:
        ended.append(reverse.bring_back(apps=APPS, along=reverse.Along(waits=waits)))
    finally:
        connection.close()


def _waits_for(session: psycopg.Connection[Any], table: str) -> bool:
    found = session.execute(
        "SELECT FROM pg_locks WHERE NOT granted AND relation = to_regclass(%s)", [table]
    )
    return found.fetchone() is not None


def test_what_waits_too_long_in_the_middle_is_done_again_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For a table, or a row, that nobody has thought of."""
    usual, tries = Prepared.run, []

    def something_is_held(self: Prepared) -> None:
        usual(self)
        tries.append(1)
        if len(tries) == 1:
            with other_session() as other:
                other.execute("LOCK TABLE django_session")
                run("LOCK TABLE django_session NOWAIT")

    monkeypatch.setattr(Prepared, "run", something_is_held)
    moved = reverse.take_away(apps=APPS)
    assert (moved.tries, len(moved.migrations)) == (2, 5)
    assert not reverse.present(APPS)
    tries.clear()
    moved = reverse.bring_back(apps=APPS)
    assert moved.tries == 2
    assert len(reverse.present(APPS)) == len(reverse.tables(APPS))


def test_what_fails_after_commit_is_not_done_again(tables: list[locking.Table]) -> None:
    done = []

    def do(waiting: Waiting) -> None:
        done.append(1)
        transaction.on_commit(after)

    def after() -> None:
        with other_session() as other:
            other.execute("LOCK TABLE lock_one")
            run("SET lock_timeout = '1ms'", "SELECT FROM lock_one")

    try:
        with pytest.raises(OperationalError):
            locking.held(lambda: tables, do)
    finally:
        run("SET lock_timeout = 0")
    assert len(done) == 1


def test_a_try_takes_two_seconds_for_all_tables_together(
    tables: list[locking.Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is free after most of that, the last never."""
    monkeypatch.setattr(locking, "PATIENCE", 1.2)
    with other_session() as one, other_session() as other:
        one.execute("LOCK TABLE lock_one")
        other.execute("LOCK TABLE lock_three")
        freeing = Timer(0.9, one.rollback)
        freeing.start()
        began = time.monotonic()
        with pytest.raises(locking.TablesAreHeld, match=f"process {other.info.backend_pid} "):
            locking.held(lambda: tables, lambda waiting: None, deadline=0)
        took = time.monotonic() - began
        freeing.join()
    assert 0.9 < took < 2, "one after the other it would be 2.1"


def test_its_patience_is_its_own_also_when_the_roll_is_called_first(
    tables: list[locking.Table],
) -> None:
    """PostgreSQL lets a vacuum step aside after a second, so that 200 ms would never do."""
    seen: list[str] = []

    def watched(execute: Any, statement: str, *args: Any) -> Any:
        if "LOCK TABLE" in str(statement):
            seen.extend((setting("lock_timeout"), setting("statement_timeout")))
        return execute(statement, *args)

    def called() -> None:
        processes.roll_call()

    before = setting("statement_timeout")
    with connection.execute_wrapper(watched):
        within = locking.held(
            lambda: tables,
            lambda waiting: (setting("lock_timeout"), setting("statement_timeout")),
            first=called,
        )[0]
    assert seen == ["2s", "2s"]
    assert within == ("2s", before)


def test_a_roll_call_leaves_its_caller_as_patient_as_he_was() -> None:
    with transaction.atomic():
        run("SET LOCAL lock_timeout = '7s'")
        processes.roll_call()
        assert setting("lock_timeout") == "7s"


def test_whoever_stops_us_is_obeyed(tables: list[locking.Table]) -> None:
    ours = connection.connection.info.backend_pid
    with other_session() as one, other_session(autocommit=True) as person:
        one.execute("LOCK TABLE lock_one")

        def stop() -> None:
            assert eventually(lambda: _waits_for(person, "lock_one"), within=5)
            person.execute("SELECT pg_cancel_backend(%s)", [ours])

        stopping = Thread(target=stop)
        stopping.start()
        with pytest.raises(OperationalError, match="user request"):
            locking.held(lambda: tables, lambda waiting: None)
        stopping.join()
