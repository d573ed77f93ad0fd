"""While its incident is unresolved, no path raises a latched flag; every path lowers it."""

import threading
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError
from django.db import IntegrityError, connection

from rollback import incidents, runner
from rollback.models import Flag, FlagChange, Incident, Latch, Switchboard
from rollback.runner import Actor, ChangeRefused
from tests.rollback import paths
from tests.rollback.paths import (
    FLAG,
    LOWERING,
    MASTER,
    OTHER,
    RAISING,
    REASON,
    Path,
    World,
    facts,
)

ACTOR = Actor(name="a test")
MACHINE = Actor(name="error rate", automatic=True)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(transactional_db: None) -> World:
    return paths.world()


@pytest.fixture
def incident(world: World) -> Incident:
    """The flag is latched as it is, at 50 %."""
    return latch(FLAG)


def latch(flag: str) -> Incident:
    return incidents.open_with_latches(title="Wrong times", flags=[flag], actor=ACTOR, cause="?")


def refusal(path: Path, world: World) -> str:
    try:
        return path.go(world) or ""
    except (ChangeRefused, CommandError, IntegrityError, psycopg.errors.RestrictViolation) as error:
        return str(error)


def resolve(incident: Incident) -> None:
    incidents.resolve(incident=incident.pk, actor=ACTOR, reason="mended")


def go_and_check_the_audit(path: Path, world: World) -> None:
    """One row, which says what really differs, who and why; or that nobody said so."""
    before, last = facts(path.name), paths.newest()
    path.go(world)
    row = FlagChange.objects.get(flag_name=path.name, pk__gt=last)
    assert (row.before, row.after) == (before, facts(path.name))
    if path.explained:
        assert row.actor_name == "boss@school.example" or row.actor_name.startswith("command")
        assert (row.reason, row.actor_kind) == (REASON, FlagChange.Kind.PERSON)
    else:
        assert row.is_unexplained
        assert row.actor_name.startswith("database user ")
        assert (row.reason, row.actor) == ("", None)
        assert row.session["user"] == connection.settings_dict["USER"]


@pytest.mark.parametrize("path", RAISING, ids=lambda path: path.id)
def test_no_path_raises_before_the_incident_is_resolved(
    path: Path, world: World, incident: Incident
) -> None:
    path.prepare(world)
    before, last = facts(path.name), paths.newest()
    words = refusal(path, world)
    assert f"is latched by incident {incident.pk} (Wrong times)" in words
    assert (facts(path.name), paths.newest()) == (before, last)
    resolve(incident)
    go_and_check_the_audit(path, world)


@pytest.mark.parametrize("path", LOWERING, ids=lambda path: path.id)
def test_every_path_lowers_what_is_latched(path: Path, world: World, incident: Incident) -> None:
    path.prepare(world)
    go_and_check_the_audit(path, world)


def test_the_runner_says_what_to_do(world: World, incident: Incident) -> None:
    with pytest.raises(ChangeRefused) as refused:
        runner.set_share(flag=FLAG, percent=Decimal(75), actor=ACTOR, reason="try")
    assert str(refused.value) == (
        f"{FLAG} is latched by incident {incident.pk} (Wrong times): its share may not go up. "
        f'Resolve it first: manage.py rollback incident resolve {incident.pk} --reason "…", '
        "or on its page in the admin."
    )


def test_a_master_is_its_own_matter_unless_a_latched_flag_would_follow_it(
    world: World, incident: Incident
) -> None:
    """The latched flag at 50 % below a master at 10 % is on for 10 %."""

    def raise_master(percent: int) -> None:
        runner.set_share(flag=MASTER, percent=Decimal(percent), actor=ACTOR, reason="try")

    raise_master(10)
    with pytest.raises(ChangeRefused, match=f"{FLAG} is latched .* of its master {MASTER}"):
        raise_master(100)
    runner.kill(flag=FLAG, actor=ACTOR, reason="no part of it any more")
    raise_master(100)
    assert facts(MASTER)["share"] == "100.00"


def test_a_latched_master_holds_no_other_flag(world: World) -> None:
    latch(MASTER)
    runner.set_share(flag=OTHER, percent=Decimal(5), actor=ACTOR, reason="its own matter")


def test_any_of_two_incidents_holds(world: World, incident: Incident) -> None:
    second = latch(FLAG)
    resolve(incident)
    with pytest.raises(ChangeRefused, match=f"incident {second.pk}"):
        runner.set_share(flag=FLAG, percent=Decimal(75), actor=ACTOR, reason="try")
    resolve(second)
    runner.set_share(flag=FLAG, percent=Decimal(75), actor=ACTOR, reason="try")


def test_the_switchboards_row_deleted_and_made_again_is_a_new_salt(world: World) -> None:
    salt = Switchboard.objects.get().salt
    Switchboard.objects.all().delete()
    latch(FLAG)
    with pytest.raises(IntegrityError, match="salt"):
        Switchboard.objects.create(pk=1, salt="0" * 32)
    assert not Switchboard.objects.exists()
    assert salt


def test_a_temporary_table_is_not_taken_for_the_latch(world: World, incident: Incident) -> None:
    with paths.session() as psql:
        psql.execute("CREATE TEMPORARY TABLE rollback_latch (LIKE public.rollback_latch)")
        psql.execute("CREATE TEMPORARY TABLE rollback_flagchange (LIKE rollback_flagchange)")
        with pytest.raises(psycopg.errors.RestrictViolation, match="latched"):
            psql.execute("UPDATE rollback_flag SET percent = 75 WHERE name = %s", [FLAG])


# ---------------------------------------------------------------- latch and incident stay


REFUSED_WHILE_OPEN = [
    "DELETE FROM rollback_latch",
    "UPDATE rollback_latch SET flag_name = 'ANOTHER'",
    "UPDATE rollback_latch SET incident_id = incident_id",
    "DELETE FROM rollback_latch; DELETE FROM rollback_incident",
    "UPDATE rollback_incident SET opened_at = now() - interval '1 year'",
    "UPDATE rollback_incident SET opened_by_name = 'somebody else'",
    # Resolved by hand, without saying that a person does it.
    "UPDATE rollback_incident SET resolved_at = now(), resolved_by_name = 'me', resolution = 'x'",
    "SELECT rollback_say('', 'm', 'automatic', '', 'x'); UPDATE rollback_incident"
    " SET resolved_at = now(), resolved_by_name = 'm', resolution = 'x'",
    "SELECT rollback_say('', 'm', 'person', '', 'x'); UPDATE rollback_incident"
    " SET resolved_at = now(), resolved_by_name = 'm', resolution = ' '",
    "UPDATE rollback_incident SET resolved_by_name = 'me'",
    "SET rollback.may_forget = ''; TRUNCATE rollback_latch",
]


def test_a_latch_and_its_incident_stay(world: World, incident: Incident) -> None:
    refused_each(REFUSED_WHILE_OPEN)


def refused_each(statements: list[str]) -> None:
    before = list(Latch.objects.values()), list(Incident.objects.values())
    for statement in statements:
        with paths.session() as psql, pytest.raises(psycopg.IntegrityError):
            psql.execute(statement)
        after = list(Latch.objects.values()), list(Incident.objects.values())
        assert after == before, statement


REFUSED_AFTERWARDS = [
    "UPDATE rollback_incident SET resolved_at = NULL, resolved_by_name = '', resolution = ''",
    "UPDATE rollback_incident SET resolution = 'another'",
    "UPDATE rollback_incident SET resolved_by_name = 'somebody else'",
    "DELETE FROM rollback_latch",
    "DELETE FROM rollback_latch; DELETE FROM rollback_incident",
]


def test_resolved_is_resolved(world: World, incident: Incident) -> None:
    resolve(incident)
    refused_each(REFUSED_AFTERWARDS)


def test_names_of_an_incident_can_be_forgotten(world: World) -> None:
    boss = runner.actor_of(world.boss)
    done = runner.roll_back(flags=[FLAG], incident="Wrong", actor=boss, reason="x")
    incidents.resolve(incident=done.incident.pk, actor=boss, reason="mended")
    name = f"person {world.boss.pk}"
    Incident.objects.update(opened_by_name=name, resolved_by_name=name)
    assert Incident.objects.get().resolved_by == world.boss


def test_resolving_needs_a_person_a_text_and_an_open_incident(
    world: World, incident: Incident
) -> None:
    number = incident.pk
    with pytest.raises(ChangeRefused, match="person"):
        incidents.resolve(incident=number, actor=MACHINE, reason="mended by itself")
    with pytest.raises(ChangeRefused, match="reason"):
        incidents.resolve(incident=number, actor=ACTOR, reason="  ")
    with pytest.raises(ChangeRefused, match="no incident 999"):
        incidents.resolve(incident=999, actor=ACTOR, reason="mended")
    resolve(incident)
    with pytest.raises(ChangeRefused, match="resolved already, by a test"):
        resolve(incident)


# ---------------------------------------------------------------- automatic actors


def test_rolled_back_is_off_latched_and_explained(world: World) -> None:
    done = runner.roll_back(flags=[FLAG], incident="Errors", actor=MACHINE, reason="4 % errors")
    assert [(row.action, row.actor_kind) for row in done.changes] == [("kill", "automatic")]
    assert facts(FLAG)["killed"]
    assert incidents.latches() == {FLAG: done.incident}
    assert incidents.latches() == {FLAG: done.incident}
    assert list(incidents.timeline(done.incident)) == done.changes
    with pytest.raises(ChangeRefused, match="latched"):
        runner.restore(flag=FLAG, actor=ACTOR, reason="try")
    resolve(done.incident)
    assert facts(FLAG)["killed"]
    assert len(runner.restore(flag=FLAG, percent=Decimal(1), actor=ACTOR, reason="mended")) == 1


def test_all_are_rolled_back_and_a_second_time_changes_nothing(world: World) -> None:
    first = runner.roll_back(incident="Everything", actor=ACTOR, reason="x")
    assert {row.flag_name for row in first.changes} == set(incidents.latches())
    second = runner.roll_back(incident="Again", actor=ACTOR, reason="x")
    assert second.changes == []
    with pytest.raises(ChangeRefused, match="There is no flag NO_SUCH"):
        runner.roll_back(flags=["NO_SUCH"], incident="x", actor=ACTOR, reason="x")
    with pytest.raises(ChangeRefused, match="title"):
        runner.roll_back(incident=" ", actor=ACTOR, reason="x")
    assert Incident.objects.count() == 2


def test_automation_raises_nothing(world: World) -> None:
    def early(*users: Any) -> None:
        runner.set_early(
            flag=FLAG, staff=False, superusers=False, users=users, actor=MACHINE, reason="x"
        )

    with pytest.raises(ChangeRefused, match="needs a person"):
        runner.set_share(flag=FLAG, percent=Decimal("50.01"), actor=MACHINE, reason="x")
    with pytest.raises(ChangeRefused, match="nobody else may get it early"):
        early(world.early, world.late)
    paths.kill(world)
    with pytest.raises(ChangeRefused, match="needs a person"):
        runner.restore(flag=FLAG, actor=MACHINE, reason="x")
    assert not FlagChange.objects.filter(actor_kind="automatic").exists()
    early()


def test_automation_raises_nothing_past_the_runner(world: World) -> None:
    by_machine = paths.sql(
        "SELECT rollback_say('', 'm', 'automatic', '', 'x');"
        "UPDATE rollback_flag SET percent = 51 WHERE name = {flag}"
    )
    with pytest.raises(psycopg.errors.RestrictViolation, match="person"):
        by_machine(world)


def test_one_automatic_step_in_half_an_hour_and_a_kill_at_any_time(world: World) -> None:
    def step(percent: int, actor: Actor = MACHINE) -> None:
        runner.set_share(flag=FLAG, percent=Decimal(percent), actor=actor, reason="x")

    step(40)
    with pytest.raises(ChangeRefused, match="30 minutes"):
        step(30)
    with pytest.raises(ChangeRefused, match="30 minutes"):
        runner.set_early(
            flag=FLAG, staff=False, superusers=False, users=[], actor=MACHINE, reason="x"
        )
    step(45, ACTOR)
    _let_pass("29 minutes")
    with pytest.raises(ChangeRefused, match="30 minutes"):
        step(20)
    _let_pass("2 minutes")
    step(20)
    assert len(runner.kill(flag=FLAG, actor=MACHINE, reason="x")) == 1


def _let_pass(time: str) -> None:
    """The database's clock is nobody's to turn, so the rows grow older instead."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            f"UPDATE rollback_flagchange SET changed_at = changed_at - interval '{time}'"
        )
        cursor.execute("SET session_replication_role = DEFAULT")


# ---------------------------------------------------------------- at the same time


def _in_background(psql: psycopg.Connection[Any], statement: str) -> tuple[Any, list[Any]]:
    outcome: list[Any] = []

    def work() -> None:
        try:
            psql.execute(statement)
            psql.commit()
            outcome.append("committed")
        except psycopg.Error as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, outcome


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_a_raise_that_waited_for_a_latch_is_refused(isolation: str, world: World) -> None:
    """It began, and looked, before the latch was there."""
    with paths.session() as raising, paths.session("latching") as latching:
        raising.autocommit = latching.autocommit = False
        raising.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
        raising.execute("SELECT FROM rollback_latch")
        latching.execute(
            "WITH i AS (INSERT INTO rollback_incident (title, cause, opened_by_name,"
            " resolved_by_name, resolution) VALUES ('x', '', 'me', '', '') RETURNING id)"
            " INSERT INTO rollback_latch (flag_name, incident_id) SELECT %s, id FROM i",
            [FLAG],
        )
        thread, outcome = _in_background(
            raising, f"UPDATE rollback_flag SET percent = 75 WHERE name = '{FLAG}'"
        )
        thread.join(0.3)
        assert outcome == []
        latching.commit()
        thread.join(5)
    assert isinstance(
        outcome[0], psycopg.errors.RestrictViolation | psycopg.errors.SerializationFailure
    )
    assert facts(FLAG)["share"] == "50.00"


def test_raising_and_rolling_back_race(world: World) -> None:
    """Whatever the order: once the rollback has answered, the flag is off and stays off."""
    stop, unexpected = threading.Event(), []

    def raise_again_and_again() -> None:
        with paths.session() as psql:
            while not stop.is_set():
                try:
                    psql.execute(
                        "UPDATE rollback_flag SET everyone = NULL, percent = 100 - percent"
                        " WHERE name = %s", [FLAG]
                    )  # fmt: skip
                except psycopg.errors.RestrictViolation:
                    continue
                except psycopg.Error as error:
                    unexpected.append(error)
                    return

    threads = [threading.Thread(target=raise_again_and_again) for _ in range(2)]
    for thread in threads:
        thread.start()
    for round_ in range(10):
        done = runner.roll_back(flags=[FLAG], incident=f"{round_}", actor=ACTOR, reason="x")
        for _ in range(20):
            assert Flag.objects.get(name=FLAG).is_killed
        resolve(done.incident)
    stop.set()
    for thread in threads:
        thread.join()
    assert unexpected == []
