"""Whoever stands in a kill's way: ended where that is allowed, passed by, or named in a sentence."""

import threading
import time

import psycopg
import pytest
from django.db import connection

from rollback import runner
from rollback.models import Flag
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
