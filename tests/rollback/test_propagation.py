"""A switch that is turned in one process reaches another, whatever happens to the database between.

The other process is a real one: Django, the switchboard, nothing of this test's memory.
"""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.test import RequestFactory
from django.utils.functional import SimpleLazyObject

from config.local import database
from enrollment.models import User
from rollback import registry, runner, switchboard
from rollback.domain.shares import FlagState, Snapshot
from rollback.doors.context import Features
from rollback.switchboard import Switchboard
from tests.conftest import make_user
from tests.rollback.others import (
    ACTOR,
    CHILD,
    MASTER,
    START,
    address_of_this_test,
    eventually,
    frozen,
    other_process,
    school_server,
    stop_at_once,
)

# Seconds.
WITH_LISTEN, WITHOUT_LISTEN, STALE, BACK = 1.0, 2.5, switchboard.STALE + 1.5, 10.0
CHECK = 0.005  # 99 of 100 checks, whatever the database does

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("propagation")]


def switch_on(*flags: str) -> None:
    for flag in flags:
        runner.set_share(flag=flag, percent=Decimal(100), actor=ACTOR, reason="test")


@pytest.mark.parametrize(
    ("pooled", "poll", "limit"),
    # With LISTEN the poll is so rare that only the notification can be in time.
    [(False, 600.0, WITH_LISTEN), (True, switchboard.POLL, WITHOUT_LISTEN)],
    ids=["listen", "poll alone"],
)
def test_a_kill_reaches_another_process(
    real_switchboard: Switchboard, pooled: bool, poll: float, limit: float
) -> None:
    switch_on(MASTER)
    with other_process(address_of_this_test(), pooled=pooled, poll=poll) as other:
        assert other.next_answer(within=START)[0] == "on"
        with transaction.atomic():
            runner.kill(flag=MASTER, actor=ACTOR, reason="test")
            committing_at = time.monotonic()
        word, at = other.next_answer(within=limit + 1)
        assert word == "off"
        assert at - committing_at <= limit
        assert other.stays_as_it_is()
        runner.restore(flag=MASTER, actor=ACTOR, reason="test")
        assert other.next_answer(within=limit + 1)[0] == "on"


@pytest.fixture(scope="module")
def own_server() -> Iterator[Path]:
    with school_server() as data_dir:
        yield data_dir


@pytest.mark.parametrize("stop", [database.stop, stop_at_once], ids=["fast", "immediate"])
def test_a_stopped_database_is_off_and_a_started_one_on_again(
    own_server: Path, stop: Callable[[Path], None]
) -> None:
    with other_process(database.url(own_server)) as other:
        assert other.next_answer(within=START)[0] == "on"
        stopping_at = time.monotonic()
        stop(own_server)
        word, at = other.next_answer(within=STALE)
        assert word == "off"
        assert at - stopping_at <= STALE
        assert other.stays_as_it_is()
        database.ensure_running(own_server, database.THROWAWAY)
        assert other.next_answer(within=BACK)[0] == "on"
        assert other.p99 <= CHECK


def test_a_database_that_hangs_is_off(own_server: Path) -> None:
    """Nothing is closed and nothing answers: only the age of the last answer tells."""
    with other_process(database.url(own_server)) as other:
        assert other.next_answer(within=START)[0] == "on"
        with frozen(own_server):
            frozen_at = time.monotonic()
            word, at = other.next_answer(within=STALE + 1)
            assert word == "off"
            assert at - frozen_at <= STALE
            assert other.p99 <= CHECK
        assert other.next_answer(within=BACK)[0] == "on"
        assert other.p99 <= CHECK


def test_a_restored_backup_is_followed_though_its_version_is_older(own_server: Path) -> None:
    """A real one: the database of some changes ago in the place of today's."""
    admin = database.url(own_server, "postgres")
    with other_process(database.url(own_server)) as other:
        assert other.next_answer(within=START)[0] == "on"
        _write(own_server, "UPDATE rollback_flag SET everyone = false")
        assert other.next_answer(within=2)[0] == "off"
        _copy(admin, source="school", to="backup")
        _write(own_server, "UPDATE rollback_flag SET everyone = NULL")
        _write(own_server, "UPDATE rollback_flag SET percent = 99.99")
        assert other.next_answer(within=BACK)[0] == "on"
        _copy(admin, source="backup", to="school")
        assert other.next_answer(within=2)[0] == "off"
        assert eventually(lambda: _follows(own_server), within=BACK)
        assert other.stays_as_it_is(seconds=switchboard.POLL + 0.5)


def _follows(data_dir: Path) -> bool:
    """By the process's own word, in the table of the restored database."""
    question = """SELECT p.version = s.version FROM rollback_switchboard s, rollback_process p
                  ORDER BY p.seen_at DESC LIMIT 1"""
    with psycopg.connect(database.url(data_dir)) as asked:
        return asked.execute(question).fetchone() == (True,)


def _write(data_dir: Path, words: str) -> None:
    with psycopg.connect(database.url(data_dir)) as writing:
        writing.execute(words)


def _copy(admin: str, *, source: str, to: str) -> None:
    with psycopg.connect(admin, autocommit=True) as copying:
        copying.execute(f"DROP DATABASE IF EXISTS {to} WITH (FORCE)")
        copying.execute(f"ALTER DATABASE {source} ALLOW_CONNECTIONS false")
        copying.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            [source],
        )
        copying.execute(f"CREATE DATABASE {to} TEMPLATE {source}")
        copying.execute(f"ALTER DATABASE {source} ALLOW_CONNECTIONS true")
        copying.execute(f"ALTER DATABASE {to} ALLOW_CONNECTIONS true")


# ---------------------------------------------------------------- in one process, without a query


def test_a_page_asks_for_all_its_flags_without_a_query(
    real_switchboard: Switchboard, django_assert_num_queries: Any
) -> None:
    switch_on(*(feature.flag for feature in registry.features()))
    request = RequestFactory().get("/")
    request.user = make_user("u@school.example")
    assert switchboard.is_on(MASTER, request)
    with django_assert_num_queries(0):
        assert switchboard.is_on(CHILD, request.user)
        assert all(Features(request)[feature.name] for feature in registry.features())


def test_a_login_in_the_middle_of_a_request_is_seen() -> None:
    """The request keeps who it is for its next questions, and so must notice that they changed."""
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    assert switchboard.subject_of(request).key == ""
    request.visitor = "abc"  # type: ignore[attr-defined]
    assert switchboard.subject_of(request).key == "a:abc"
    user = User(pk=7, email="u@school.example", is_staff=True)
    request.user = SimpleLazyObject(lambda: user)  # type: ignore[assignment]
    for _ in range(2):
        assert switchboard.subject_of(request) == switchboard.subject_of(user)
    request.user = User(pk=8)
    assert switchboard.subject_of(request).user_id == 8


def test_flags_that_are_each_others_master_are_off_for_anyone() -> None:
    flags = {
        one: FlagState(name=one, share=10_000, requires=other)
        for one, other in ((MASTER, CHILD), (CHILD, MASTER))
    }
    with switchboard.board.pinned(Snapshot(version=1, flags=flags)):
        assert not switchboard.is_on_for_anyone(MASTER)
