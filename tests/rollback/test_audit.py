"""Every change of a flag leaves its audit row, whichever way it is made; and the rows stay."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollback import audit, runner
from rollback.models import ALL_FLAGS, Flag, FlagChange, Switchboard
from rollback.runner import Actor
from tests.conftest import make_user
from tests.rollback import paths
from tests.rollback.paths import FLAG, MASTER, OTHER, World, facts
from tests.rollback.undoing import undone

ACTOR = Actor(name="a test")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(transactional_db: None) -> World:
    return paths.world()


def test_a_session_is_named_with_its_application(world: World) -> None:
    paths.sql("UPDATE rollback_flag SET percent = 25 WHERE name = {flag}")(world)
    row = FlagChange.objects.filter(flag_name=FLAG).order_by("-pk")[0]
    assert row.session["application"] == "psql"
    assert "claimed" not in row.session


def test_truncate_is_audited_for_each_flag(world: World) -> None:
    last = paths.newest()
    paths.sql("TRUNCATE rollback_flag CASCADE")(world)
    assert set(_since(last).values_list("flag_name", "action")) == {
        (feature, "deleted") for feature in (MASTER, FLAG, OTHER, "ENABLE_AVAILABILITY_API")
    }


def test_what_is_changed_back_or_rolled_back_leaves_nothing(world: World) -> None:
    last = paths.newest()
    with transaction.atomic():
        Flag.objects.filter(name=FLAG).update(percent=0)
        world.row.users.clear()
        Flag.objects.filter(name=FLAG).update(percent=50)
        world.row.users.add(world.early)
    with transaction.atomic():
        Flag.objects.filter(name=FLAG).update(percent=0)
        transaction.set_rollback(True)
    assert not _since(last)


def test_each_part_of_a_transaction_is_whose_it_is(world: World) -> None:
    last = paths.newest()
    with transaction.atomic():
        Flag.objects.filter(name=FLAG).update(percent=40)
        runner.set_share(flag=FLAG, percent=Decimal(30), actor=ACTOR, reason="by the runner")
        Flag.objects.filter(name=FLAG).update(percent=20)
    told = _since(last).order_by("pk").values_list("actor_kind", "reason", "after__share")
    assert list(told) == [
        ("unexplained", "", "40.00"),
        ("person", "by the runner", "30.00"),
        ("unexplained", "", "20.00"),
    ]


def test_another_salt_reaches_the_processes(world: World) -> None:
    """It decides who is in the share, so it must not be seen by new processes alone."""
    before = Switchboard.objects.get()
    with paths.session() as psql:
        psql.execute("LISTEN rollback_flags")
        paths.sql("UPDATE rollback_switchboard SET salt = gen_random_uuid()")(world)
        assert list(psql.notifies(timeout=1, stop_after=1))
    after = Switchboard.objects.get()
    assert after.version == before.version + 1
    # Else the processes' delays would count from the change before.
    assert after.changed_at > before.changed_at
    assert FlagChange.objects.filter(flag_name=ALL_FLAGS).order_by("-pk")[0].is_unexplained


CLAIMS = ["abc", "-1", "999999999", "9" * 40, "1 OR true", "'; DROP TABLE rollback_flag; --"]


def test_nonsense_about_who_it_was_does_not_stop_a_change(world: World) -> None:
    for percent, claim in enumerate(CLAIMS):
        row = said(claim, "me", "person", "kill", "because", percent=percent)
        assert row.after["share"] == f"{percent}.00"
        assert row.is_unexplained
        assert row.session["claimed"] == {
            "id": claim, "name": "me", "kind": "person", "reason": "because"
        }  # fmt: skip


def test_who_says_half_has_said_nothing(world: World) -> None:
    halves = [
        ("", "me", "person", "", " "),
        ("", "", "person", "", "x"),
        ("", "me", "god", "", "x"),
    ]
    for percent, half in enumerate(halves):
        assert said(*half, percent=percent).is_unexplained


def said(*words: str, percent: int) -> FlagChange:
    with paths.session() as psql, psql.transaction():
        psql.execute("SELECT rollback_say(%s, %s, %s, %s, %s)", words)
        psql.execute("UPDATE rollback_flag SET percent = %s WHERE name = %s", [percent, FLAG])
    return FlagChange.objects.filter(flag_name=FLAG).order_by("-pk")[0]


@contextmanager
def held(statement: str, *values: Any) -> Iterator[psycopg.Connection[Any]]:
    """A forgotten transaction at some terminal."""
    psql = paths.session()
    psql.autocommit = False
    psql.execute(statement, values)
    yield psql
    psql.close()


def test_a_kill_does_not_wait_for_whoever_deletes_the_actor(world: World) -> None:
    with held("SELECT FROM enrollment_user WHERE id = %s FOR UPDATE", world.boss.pk):
        started = time.monotonic()
        (row,) = runner.kill(flag=FLAG, actor=runner.actor_of(world.boss), reason="now")
        assert time.monotonic() - started < 1
    assert (row.actor, row.actor_name) == (None, "boss@school.example")
    assert row.actor_kind == FlagChange.Kind.PERSON


@pytest.mark.parametrize("table", ["rollback_flagchange", "rollback_latch", "rollback_incident"])
def test_a_kill_does_not_wait_for_the_audits_tables(table: str, world: World) -> None:
    with held(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE") as other:
        started = time.monotonic()
        done = runner.roll_back(flags=[FLAG], incident="wrong", actor=ACTOR, reason="now")
        assert time.monotonic() - started < 4
        assert [change.flag_name for change in done.changes] == [FLAG]
        with pytest.raises(psycopg.OperationalError):
            other.execute("SELECT 1")


# ---------------------------------------------------------------- the rows stay


REFUSED = [
    "UPDATE rollback_flagchange SET reason = 'another'",
    "UPDATE rollback_flagchange SET after = '{}'",
    "UPDATE rollback_flagchange SET actor_name = 'somebody else'",
    "DELETE FROM rollback_flagchange",
    "INSERT INTO rollback_flagchange (flag_name, actor_name, action, reason, before, after)"
    " VALUES ('ENABLE_CALENDAR_DISPLAY', 'me', 'set share', 'x', '{}', '{\"share\": \"100\"}')",
    "SET rollback.may_forget = 'off'; TRUNCATE rollback_flagchange",
    "SET rollback.may_forget = 'off'; TRUNCATE rollback_incident CASCADE",
    "SET rollback.may_forget = 'off'; TRUNCATE rollback_latch",
    "SET rollback.may_forget = 'off'; TRUNCATE enrollment_user CASCADE",
]


def test_audit_rows_are_only_added(world: World) -> None:
    rows = list(FlagChange.objects.values())
    for statement in REFUSED:
        with paths.session() as psql, pytest.raises(psycopg.errors.RestrictViolation):
            psql.execute(statement)
        assert list(FlagChange.objects.values()) == rows, statement


def test_the_orm_cannot_write_them_either(world: World) -> None:
    row = FlagChange.objects.all()[0]
    for write in (
        row.save,
        row.delete,
        FlagChange.objects.all().delete,
        lambda: FlagChange.objects.create(
            flag_name=FLAG, actor_name="me", action="x", reason="x", before={}, after={}
        ),
    ):
        with pytest.raises(IntegrityError):
            write()


def test_a_name_can_be_forgotten_and_not_replaced(world: World) -> None:
    (row,) = runner.kill(flag=FLAG, actor=runner.actor_of(world.boss), reason="now")
    rows = FlagChange.objects.filter(pk=row.pk)
    rows.update(actor_name=f"person {world.boss.pk}")
    for name in ("me", f"person {world.late.pk}"):
        with pytest.raises(IntegrityError, match="only added"):
            rows.update(actor_name=name)


def test_migrations_can_be_undone_and_done_again(world: World) -> None:
    """Data of both directions: explained and unexplained rows, a flag changed in between."""
    Flag.objects.filter(name=FLAG).update(percent=40)
    rows = FlagChange.objects.count()
    with undone("0003"), connection.cursor() as cursor:
        cursor.execute("UPDATE rollback_flag SET percent = 30 WHERE name = %s", [FLAG])
        cursor.execute("SELECT count(*) FROM rollback_flagchange WHERE reason = ''")
        assert cursor.fetchone() == (0,)
    assert FlagChange.objects.count() == rows + 1
    newest = FlagChange.objects.filter(flag_name=FLAG).order_by("-pk")[0]
    assert (newest.actor_name, newest.before["share"]) == ("migration", "40.00")
    assert newest.after == facts(FLAG)


# ---------------------------------------------------------------- the audit replays to the flags


def _since(last: int) -> Any:
    return FlagChange.objects.filter(pk__gt=last)


def _as_it_is() -> dict[str, Any]:
    names = [*Flag.objects.values_list("name", flat=True), ALL_FLAGS]
    return {name: facts(name) for name in names}


def _replay(state: dict[str, Any], last: int) -> dict[str, Any]:
    """`state` and the rows after `last`; each row must begin where the one before it ended."""
    for change in _since(last).order_by("pk"):
        assert state.get(change.flag_name, {}) == change.before
        assert change.before != change.after
        state = {**state, change.flag_name: change.after}
    return {name: after for name, after in state.items() if after}


NAMES = [FLAG, OTHER, "ENABLE_AVAILABILITY_API", "A_NEW_ONE"]
SHARES = st.sampled_from(["0", "0.01", "25", "50", "99.99", "100"]).map(Decimal)


def _flags(row: Flag) -> Any:
    return Flag.objects.filter(pk=row.pk)


def _save(row: Flag, share: Decimal, world: World) -> None:
    row.percent = share
    row.save()


def _bulk(row: Flag, share: Decimal, world: World) -> None:
    row.percent = share
    Flag.objects.bulk_update([row], ["percent"])


def _rename(row: Flag, share: Decimal, world: World) -> None:
    free = [name for name in NAMES if not Flag.objects.filter(name=name).exists()]
    _flags(row).update(name=free[0] if free else row.name)


def _truncate(row: Flag, share: Decimal, world: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("TRUNCATE rollback_flag_users")


def _sql(row: Flag, share: Decimal, world: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE rollback_flag SET percent = %s WHERE id = %s", [share, row.pk])


def _master() -> Flag:
    row: Flag = Flag.objects.get(name=MASTER)
    return row


STEPS: dict[str, Callable[[Flag, Decimal, World], Any]] = {
    "save": _save,
    "bulk": _bulk,
    "update": lambda row, share, world: _flags(row).update(percent=share),
    "kill": lambda row, share, world: _flags(row).update(everyone=False),
    "unkill": lambda row, share, world: _flags(row).update(everyone=None),
    "staff": lambda row, share, world: _flags(row).update(staff=share > 50),
    "add": lambda row, share, world: row.users.add(world.early, world.late),
    "clear": lambda row, share, world: row.users.clear(),
    "delete": lambda row, share, world: row.delete(),
    "rename": _rename,
    "master": lambda row, share, world: _flags(row).update(
        requires=_master() if share > 50 else None
    ),
    "runner": lambda row, share, world: runner.kill(flag=row.name, actor=ACTOR, reason="random"),
    "sql": _sql,
    "truncate users": _truncate,
    "salt": lambda row, share, world: Switchboard.objects.update(salt=UUID(int=int(share * 100))),
}


def _step(what: str, name: str, share: Decimal, world: World) -> None:
    row = Flag.objects.filter(name=name).first()
    if row is None:
        Flag(name=name, percent=share, requires=_master()).save(force_insert=True)
    else:
        STEPS[what](row, share, world)


Steps = list[tuple[str, str, Decimal]]
SOME_STEPS = st.lists(
    st.tuples(st.sampled_from(list(STEPS)), st.sampled_from(NAMES), SHARES), min_size=1, max_size=5
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(SOME_STEPS, st.booleans()), min_size=1, max_size=4))
def test_the_audit_replays_to_the_flags(
    world: World, transactions: list[tuple[Steps, bool]]
) -> None:
    """Of each transaction: its steps, and whether it is taken back."""
    for steps, taken_back in transactions:
        before, last = _as_it_is(), paths.newest()
        with transaction.atomic():
            for what, name, share in steps:
                _step(what, name, share, world)
            transaction.set_rollback(taken_back)
        assert _replay(before, last) == _as_it_is()
        assert not (taken_back and _since(last))


def test_many_early_users_are_one_row(world: World) -> None:
    people = [make_user(f"{n}@school.example") for n in range(200)]
    last = paths.newest()
    runner.set_early(
        flag=FLAG, staff=False, superusers=False, users=people, actor=ACTOR, reason="many"
    )
    assert _since(last).count() == 1


def test_audit_told_needs_a_reason(world: World) -> None:
    with pytest.raises(runner.ChangeRefused, match="reason"), audit.told(actor=ACTOR, reason=" "):
        pytest.fail("nothing may be done without a reason")
