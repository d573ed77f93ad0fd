"""Tables taken away and brought back while others write, alter, or were there before."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import StateApps
from django.utils import timezone

from rollback.schema import archive, locking, reverse
from rollback.schema.prepared import Prepared
from scheduling.models import TimeOff
from tests.conftest import make_teacher

pytestmark = [pytest.mark.django_db(transaction=True)]

APPS = ("scheduling", "holidays")
LOCKED = """
    SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND granted
       AND mode = 'AccessExclusiveLock' AND relation = %s::regclass
"""


@pytest.fixture(autouse=True)
def home_again() -> Iterator[None]:
    yield
    if len(reverse.present(APPS)) < len(reverse.tables(APPS)):
        with suppress(reverse.NothingToDo):
            reverse.bring_back(apps=APPS, accept_changes=True)


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_while_the_tables_are_locked_no_model_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which Django does for each operation: seconds in which everybody would wait."""
    made = []
    usual, run_usual = StateApps.render_multiple, Prepared.run

    def counted(self: StateApps, models: list[Any]) -> None:
        made.append(len(models))
        usual(self, models)

    def run(self: Prepared) -> None:
        made.clear()
        run_usual(self)
        assert not made

    monkeypatch.setattr(StateApps, "render_multiple", counted)
    monkeypatch.setattr(Prepared, "run", run)
    assert len(reverse.take_away(apps=APPS).migrations) == 5
    assert len(reverse.bring_back(apps=APPS).migrations) == 5


def test_whoever_migrated_while_we_waited_has_changed_the_plan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = locking._lock

    def slow(*args: object) -> None:
        monkeypatch.setattr(locking, "_lock", usual)
        MigrationExecutor(connection).migrate([("holidays", "0002_expand_calendar_changes")])
        usual(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(locking, "_lock", slow)
    moved = reverse.take_away(apps=APPS)
    assert "holidays.0003_expand_differences" not in moved.migrations
    assert len(moved.migrations) == 4
    assert not reverse.present(APPS)


@pytest.mark.parametrize("what", ["table", "column"])
def test_it_is_locked_before_it_is_read(what: str) -> None:
    """Or what somebody writes in between, told that it is written, would be gone."""
    table = "holidays_holidaysource"
    with transaction.atomic(), connection.cursor() as cursor:
        if what == "column":
            archive.put_column_away(
                cursor, app="holidays", table=table, pk="id", column="difference"
            )
            cursor.execute(LOCKED, [f"public.{table}"])
        else:
            with pytest.raises(archive.TableIsUsed):
                archive.put_away(cursor, app="holidays", table=table)
            cursor.execute(LOCKED, [f"public.{table}"])
        assert cursor.fetchone() == (1,)
        transaction.set_rollback(True)


def test_one_of_that_name_in_the_archive_already_is_a_sentence() -> None:
    run("CREATE SCHEMA IF NOT EXISTS archive")
    run("CREATE TABLE archive.scheduling_timeoff (id bigint)")
    try:
        with pytest.raises(archive.ArchiveRefused, match="does not know"):
            reverse.take_away(apps=APPS)
    finally:
        run("DROP TABLE archive.scheduling_timeoff")
    assert len(reverse.present(APPS)) == len(reverse.tables(APPS))


def test_rows_that_a_new_check_refuses_are_a_sentence() -> None:
    now = timezone.now()
    TimeOff.objects.create(teacher=make_teacher(), period=(now, now + timedelta(days=1)))
    reverse.take_away(apps=APPS)
    run("ALTER TABLE archive.scheduling_timeoff DROP CONSTRAINT time_off_period_finite")
    run("UPDATE archive.scheduling_timeoff SET period = 'empty'")
    with pytest.raises(archive.ShapeChanged, match="do not fit") as refused:
        reverse.bring_back(apps=APPS, accept_changes=True)
    # It goes into a timeline that nobody may change, nor erase anybody from.
    assert "time_off_period_finite" in str(refused.value)
    assert "Failing row" not in str(refused.value)
    assert not reverse.present(APPS)
    run("UPDATE archive.scheduling_timeoff SET period = '[2030-01-01,2030-01-02)'")
    reverse.bring_back(apps=APPS, accept_changes=True)
    assert TimeOff.objects.count() == 1


def test_what_a_dba_has_hung_on_a_table_comes_home_with_it() -> None:
    """Nothing of it is Django's: statistics, a policy, a grant, a comment, who is to be replicated."""
    run("CREATE STATISTICS dba (dependencies) ON teacher_id, reason FROM scheduling_timeoff")
    run("ALTER TABLE scheduling_timeoff ENABLE ROW LEVEL SECURITY, REPLICA IDENTITY FULL")
    run("CREATE POLICY dba ON scheduling_timeoff USING (true)")
    run("GRANT SELECT ON scheduling_timeoff TO PUBLIC")
    run("COMMENT ON COLUMN scheduling_timeoff.reason IS 'theirs'")
    before = hung_on()
    try:
        reverse.take_away(apps=APPS)
        reverse.bring_back(apps=APPS)
        assert hung_on() == before
    finally:
        run("DROP POLICY dba ON scheduling_timeoff; DROP STATISTICS dba")
        run("ALTER TABLE scheduling_timeoff DISABLE ROW LEVEL SECURITY, REPLICA IDENTITY DEFAULT")
        run("REVOKE SELECT ON scheduling_timeoff FROM PUBLIC")
        run("COMMENT ON COLUMN scheduling_timeoff.reason IS NULL")


def hung_on() -> object:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relrowsecurity, relreplident, relacl::text, polname, stxname, description"
            "  FROM pg_class c JOIN pg_policy ON polrelid = c.oid"
            "  JOIN pg_statistic_ext ON stxrelid = c.oid"
            "  JOIN pg_description d ON d.objoid = c.oid AND d.objsubid > 0"
            " WHERE c.oid = 'public.scheduling_timeoff'::regclass"
        )
        return cursor.fetchall()


def test_numbers_that_were_given_are_not_given_again() -> None:
    """Also where the last row, or every row, was deleted before."""
    now = timezone.now()
    teacher = make_teacher()
    first = TimeOff.objects.create(teacher=teacher, period=(now, now + timedelta(days=1)))
    TimeOff.objects.all().delete()
    reverse.take_away(apps=APPS)
    reverse.bring_back(apps=APPS)
    again = TimeOff.objects.create(teacher=teacher, period=(now, now + timedelta(days=1)))
    assert again.pk > first.pk
