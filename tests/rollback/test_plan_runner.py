"""The runner as a process of its own: killed, frozen, without its database, and told to end."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from config.local.place import BASE_DIR
from enrollment.models import Course
from rollback import incidents, plans, runner, stepping, switchboard
from rollback.domain.shares import bucket_of
from rollback.management.plan_runner import Runner
from rollback.models import EnrollmentDraft, Flag, Plan
from rollback.processes import RUNNER
from rollback.runner import Actor
from tests.conftest import make_student, make_user
from tests.rollback.others import START, address_of_this_test, eventually

MASTER = "ENABLE_TEACHER_SCHEDULING"
CALENDAR = "ENABLE_CALENDAR_DISPLAY"
ACTOR = Actor(name="a test")
# Four at a time, so that it is soon over, and so that they are in each other's way as well.
ROUNDS, LIVES_AT_ONCE = 50, 4
# In seconds, to begin with. How long a step takes depends on the machine, so it is found out meanwhile.
LONGEST_LIFE = 0.2

# A child for each word, so that 200 of them need no 200 starts of Django. Each is as a new process:
# nothing is connected before the fork.
LIVES = """
import os, signal, sys, time, django
from datetime import timedelta
django.setup()
from rollback import blast, plans
between = blast.between
def freeze(**facts):
    os.kill(os.getpid(), signal.SIGSTOP)
    return between(**facts)
for line in sys.stdin:
    if line == "reap\\n":
        print(os.wait()[1], flush=True)
        continue
    child = os.fork()
    if child == 0:
        if line == "freeze\\n":
            blast.between = freeze
            plans.LONGEST_SILENCE = plans.LONGEST_SILENCE.replace("5s", "300ms")
            plans.LEASE = timedelta(seconds=0.6)
            plans.advance_due(by="the frozen one")
        while line == "go\\n":
            plans.advance_due(by="the runner")
            time.sleep(0.005)
        os._exit(0)
    print(child, flush=True)
"""

# One statement, so that it all belongs together whatever is committed meanwhile.
LOOK = """
SELECT jsonb_build_object(
    'done', (SELECT count(*) FROM rollback_planstep WHERE plan_id = p.id AND done_at IS NOT NULL),
    'share', (SELECT s.percent FROM rollback_planstep s
               WHERE s.plan_id = p.id AND s.done_at IS NOT NULL ORDER BY s.number DESC LIMIT 1),
    'shares', (SELECT jsonb_agg(DISTINCT percent) FROM rollback_flag WHERE name = ANY(p.flags)),
    'audit', (SELECT count(*) FROM rollback_flagchange WHERE action = 'plan ' || p.id),
    'told', (SELECT count(*) FROM rollback_incidentevent
              WHERE incident_id = p.incident_id AND kind = 'stepped'),
    'people', (SELECT coalesce(jsonb_agg(one ORDER BY one), '[]')
                 FROM rollback_planstep s, unnest(s.people) AS one WHERE s.plan_id = p.id),
    'drains', (SELECT count(*) FROM rollback_draining),
    'leased', p.lease_owner <> '')::text
  FROM rollback_plan p WHERE p.id = %s
"""


@pytest.fixture
def school(real_switchboard: Any) -> None:
    for name in (MASTER, CALENDAR):
        runner.set_share(flag=name, percent=Decimal(100), actor=ACTOR, reason="a test begins")


@contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[str]]:
    env = {**os.environ, "DATABASE_URL": address_of_this_test(), "LOG_LEVEL": "ERROR"}
    started = subprocess.Popen(
        [sys.executable, *command],
        env={**env, "PYTHONPATH": str(BASE_DIR), "PYTHONUNBUFFERED": "1"},
        cwd=BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def live(lives: subprocess.Popen[str], how: str = "go") -> int:
    """:returns: the number of a process that takes steps from now on."""
    return _asked(lives, how)


def how_one_ended(lives: subprocess.Popen[str]) -> int:
    """0, or the signal it was killed by."""
    return _asked(lives, "reap")


def _asked(lives: subprocess.Popen[str], word: str) -> int:
    assert lives.stdin is not None
    assert lives.stdout is not None
    lives.stdin.write(f"{word}\n")
    lives.stdin.flush()
    return int(lives.stdout.readline())


def kill_all(lives: subprocess.Popen[str], *, within: float) -> None:
    """Each at a moment of its own."""
    born = time.monotonic()
    deaths = sorted(random.uniform(0, within) for _ in range(LIVES_AT_ONCE))
    for child, death in zip([live(lives) for _ in deaths], deaths, strict=True):
        time.sleep(max(0.0, born + death - time.monotonic()))
        os.kill(child, signal.SIGKILL)
    for _ in deaths:
        assert how_one_ended(lives) == signal.SIGKILL, "it had ended by itself"


def look(plan: Plan) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(LOOK, [plan.pk])
        found: dict[str, Any] = json.loads(cursor.fetchone()[0])
    return found


def begin(steps: Any, **options: Any) -> Plan:
    usual = {"direction": "down", "actor": ACTOR, "reason": "too slow", "flags": [MASTER, CALENDAR]}
    made: Plan = plans.start(**{**usual, **options}, steps=steps)
    return made


def test_killed_200_times_it_is_before_or_after_a_step_and_never_between(school: None) -> None:
    """Really killed, with SIGKILL, at any moment from the fork to the third step or so."""
    people = [make_user(f"p{number}@school.example").pk for number in range(30)]
    student = make_student()
    people.append(student.user_id)
    course = Course.objects.create(title="Violin", slug="violin", lesson_minutes=45)
    EnrollmentDraft.objects.create(student=student, course=course, saved_at=timezone.now())
    salt = switchboard.read_here().salt
    buckets = {pk: bucket_of(salt, f"u:{pk}") for pk in people}
    incident = incidents.open_with_latches(title="Slow", flags=[], actor=ACTOR, cause="slow")
    steps = [(Decimal(100) - number * Decimal("0.25"), 0) for number in range(1, 401)]
    plan = begin(steps, mode="drain", drain_seconds=3600, incident=incident)
    between, done, life = 0, 1, LONGEST_LIFE
    with process("-c", LIVES) as lives:
        for number in range(ROUNDS):
            kill_all(lives, within=life)
            found = look(plan)
            between += found["leased"]
            # About as long as a step, so that they die in all parts of one.
            life *= 0.9 if found["done"] > done else 1.1
            done = found["done"]
            share = found["share"]
            gone = sorted(pk for pk, bucket in buckets.items() if bucket >= share * 100)
            assert found["shares"] == [share], number
            assert found["audit"] == 2 * found["done"], number
            assert found["told"] == found["done"], number
            assert found["people"] == gone, number
            assert found["drains"] == (2 if student.user_id in gone else 0), number
    assert done > 5, "hardly any step was taken"
    assert between > ROUNDS / 5, "hardly ever was one in the middle of a step"
    next_ones = range(done + 2, 400)
    plan.steps.filter(number__in=next_ones).update(done_at=timezone.now(), blast={"skipped": True})
    assert plans.advance_due(by="the runner") == 2, "whoever comes just goes on"
    assert set(Flag.objects.filter(name__in=plan.flags).values_list("percent", flat=True)) == {0}


def test_frozen_in_the_middle_of_a_step_another_takes_over(school: None) -> None:
    plan = begin([(Decimal(50), 0), (Decimal(25), 0)])
    with process("-c", LIVES) as lives:
        child = live(lives, "freeze")
        assert eventually(lambda: is_stopped(child), within=START)
        begun = time.monotonic()
        assert plans.advance_due(by="another") == 0, "it has it in its hands"
        assert eventually(lambda: plans.advance_due(by="another") == 1, within=30)
        assert time.monotonic() - begun > 0.25
        os.kill(child, signal.SIGCONT)
        assert how_one_ended(lives) != 0, "its session was ended, so it could do nothing any more"
    found = look(plan)
    assert (found["shares"], found["audit"], found["done"]) == ([25], 4, 2)


def test_as_a_process_it_survives_its_database_and_ends_when_told(school: None) -> None:
    with process("manage.py", "rollback", "run") as running:
        plan = begin([(Decimal(50), 1), (Decimal(25), 1), (Decimal(0), 0)])
        assert running.stdout is not None
        told = iter(running.stdout.readline, "")
        assert [next(told), next(told)] == ["1 step taken.\n"] * 2
        assert Plan.objects.get(pk=plan.pk).state == "done"
        assert eventually(lambda: end_sessions_of_the_runner() > 0, within=5)
        assert next(told).startswith("The database was lost (")
        assert next(told) == "The database is back.\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=20) == 0


def test_the_database_ends_its_session_in_the_middle_of_a_step(
    school: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what it has done of the step is undone; the next look takes it whole."""
    plan = begin([(Decimal(50), 0), (Decimal(25), 0)])
    said: list[str] = []
    killed = iter([True])
    real = stepping._tell

    def cut(*args: Any, **facts: Any) -> None:
        if next(killed, False):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        real(*args, **facts)

    monkeypatch.setattr(stepping, "_tell", cut)
    one = Runner(say=said.append)
    one.look()
    assert look(plan)["done"] == 1
    assert Flag.objects.get(name=MASTER).percent == 50
    one.look()
    found = look(plan)
    assert (found["shares"], found["audit"], found["done"]) == ([25], 4, 2)
    assert [word.partition(" (")[0] for word in said] == [
        "The database was lost",
        "The database is back.",
        "1 step taken.",
    ]


def is_stopped(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"


def end_sessions_of_the_runner() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND application_name = %s",
            [RUNNER],
        )
        return int(cursor.fetchone()[0])
