"""Whoever stands in a kill's way: ended where that is allowed, passed by, or named in a sentence."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from rollback import plans, runner, triggers
from rollback.domain.metrics import Verdict
from rollback.domain.triggers import Evidence, Finding
from rollback.evaluate import acting
from rollback.evaluate.judging import Judged
from rollback.models import Flag, Incident, Latch, Plan, Trigger
from rollback.runner import Actor, ChangeBlocked
from tests.rollback import paths
from tests.rollback.paths import FLAG, World

ACTOR = Actor(name="a test")
HOLD = "UPDATE rollback_flag SET percent = percent"
SOMEBODY = "UPDATE enrollment_user SET email = email || 'x' WHERE id = %s"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(transactional_db: None) -> World:
    return paths.world()


def test_a_rollback_does_not_wait_for_whoever_deletes_the_actor(world: World) -> None:
    with paths.session() as other:
        other.autocommit = False
        other.execute("SELECT FROM enrollment_user WHERE id = %s FOR UPDATE", [world.boss.pk])
        started = time.monotonic()
        actor = runner.actor_of(world.boss)
        incident = runner.roll_back(flags=[FLAG], incident="x", actor=actor, reason="x").incident
        assert time.monotonic() - started < 1
    assert (incident.opened_by, incident.opened_by_name) == (None, "boss@school.example")


def test_who_holds_the_flags_and_waits_for_something_else_is_ended(world: World) -> None:
    with paths.session() as first, paths.session() as second:
        first.autocommit = second.autocommit = False
        first.execute(SOMEBODY, [world.late.pk])
        second.execute("SET statement_timeout = '8s'")
        second.execute(HOLD)
        ended = []

        def wait() -> None:
            try:
                second.execute(SOMEBODY, [world.late.pk])
            except psycopg.Error as error:
                ended.append(type(error))

        waiting = threading.Thread(target=wait)
        waiting.start()
        try:
            runner.kill(flag=FLAG, actor=ACTOR, reason="now")
        finally:
            waiting.join(10)
        assert ended == [psycopg.errors.AdminShutdown]
        first.execute("SELECT 1")  # holds no flag, so nobody touches it


@contextmanager
def forgotten(statement: str) -> Iterator[None]:
    """A `BEGIN` at some terminal, and nothing after this statement."""
    other = paths.session()
    other.autocommit = False
    other.execute(statement)
    try:
        yield
    finally:
        other.close()


def judged() -> Judged:
    row = Trigger.objects.create(
        name="completion", title="Few finish", metric="completion", method="share below",
        threshold=0.5, window_seconds=60, action="plan", flags=[FLAG],
    )  # fmt: skip
    finding = Finding(Verdict.BREACH, "40 %")
    evidence = Evidence(now=timezone.now())
    return Judged(row=row, rule=triggers.rule_of(row), evidence=evidence, finding=finding)


def down() -> Plan:
    steps = [(Decimal(30), 0), (Decimal(20), 0), (Decimal(0), 0)]
    return plans.start(direction="down", flags=[FLAG], steps=steps, actor=ACTOR, reason="too slow")


def test_a_way_down_waits_for_no_forgotten_begin(world: World) -> None:
    """Neither its start nor its steps."""
    with forgotten(HOLD):
        plan = down()
    assert Flag.objects.get(name=FLAG).percent == 30
    with forgotten("SELECT FROM rollback_flag FOR UPDATE"):
        assert plans.advance_due(by="a runner") == 2
    assert Flag.objects.get(name=FLAG).percent == 0
    plan.refresh_from_db()
    assert plan.state == "done"


def test_a_person_ends_a_way_down_whatever_holds_the_flags(world: World) -> None:
    plan = down()
    with forgotten(HOLD):
        plans.finish(plan=plan.pk, actor=ACTOR, reason="enough")
    assert Flag.objects.get(name=FLAG).percent == 0


def test_a_triggers_plan_waits_for_none_with_its_incident_either(world: World) -> None:
    with (
        forgotten("SELECT FROM rollback_switchboard FOR UPDATE"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        # Without a limit of its own it would wait here for this one.
        cursor.execute("SET LOCAL statement_timeout = '20s'")
        deed = acting.act(judged(), now=timezone.now())
    assert (deed.action, deed.why_not) == ("plan", "")
    assert Latch.objects.get().flag_name == FLAG
    assert Plan.objects.get().incident == deed.incident == Incident.objects.get()


def test_a_blocker_that_we_may_not_end_is_told_in_a_sentence(world: World) -> None:
    with paths.session() as superuser, connection.cursor() as cursor:
        superuser.autocommit = False
        superuser.execute(HOLD)
        cursor.execute("CREATE ROLE limited")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO limited")
        cursor.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO limited")
        cursor.execute("SET ROLE limited")
        try:
            with pytest.raises(ChangeBlocked):
                runner.kill(flag=FLAG, actor=ACTOR, reason="now")
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP OWNED BY limited")
            cursor.execute("DROP ROLE limited")
    assert not Flag.objects.get(name=FLAG).is_killed
