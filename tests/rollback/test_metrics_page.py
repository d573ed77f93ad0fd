"""/metrics: who may read it, what stands in it, and that one part which is broken costs no other."""

import re
from datetime import timedelta
from decimal import Decimal
from ipaddress import ip_network
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from enrollment.models import Course, Student
from rollback.audit import Actor
from rollback.health import asking, exported, ready
from rollback.health.exported import PARTS
from rollback.models import (
    Complaint,
    DoorCount,
    EnrollmentSession,
    Flag,
    Heartbeat,
    LocalTrip,
    Plan,
    PlanStep,
    Process,
    Sample,
    Trigger,
)
from rollback.runner import roll_back
from tests.conftest import make_student, make_user
from tests.rollback.flag_rows import seed_flags

CALENDAR = "ENABLE_CALENDAR_DISPLAY"
TOKEN = "a-token-of-more-than-twenty"
Numbers = dict[tuple[str, ...], float]


@pytest.fixture
def allowed(settings: Any) -> None:
    settings.METRICS_ALLOW = [ip_network("127.0.0.1")]


def read(client: Client) -> dict[str, Numbers]:
    """Name → label values, in the order of their names → number."""
    response = client.get("/metrics")
    assert response.status_code == 200
    found: dict[str, Numbers] = {}
    for family in text_string_to_metric_families(response.content.decode()):
        found[family.name] = {
            tuple(value for _name, value in sorted(one.labels.items())): one.value
            for one in family.samples
        }
    return found


# ---------------------------------------------------------------- who may read it


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN} ", 200),
        (f"Bearer {TOKEN}x", 403),
        (f"Bearer {TOKEN[:-1]}", 403),
        ("Bearer ", 403),
        ("Bearer \u00e4\u00f6", 403),
        (f"Basic {TOKEN}", 403),
        (TOKEN, 403),
        ("", 403),
    ],
)
def test_the_token_and_nothing_else(
    client: Client, db: Any, settings: Any, header: str, status: int
) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert client.get("/metrics", headers={"authorization": header}).status_code == status
    assert client.get(f"/metrics?token={TOKEN}").status_code == 403


def test_without_anybody_named_there_is_no_such_page(client: Client, db: Any) -> None:
    for header in ("", "Bearer ", "Bearer x"):
        assert client.get("/metrics", headers={"authorization": header}).status_code == 404


@pytest.mark.parametrize(
    ("proxies", "forwarded", "remote", "status"),
    [
        (0, None, "10.1.2.3", 200),
        (0, None, "10.2.0.1", 403),
        (0, None, "::ffff:10.1.2.3", 200),
        (0, None, "", 403),
        # Nobody of ours writes this header: whoever sends it made it up.
        (0, "10.1.2.3", "203.0.113.9", 403),
        (1, "203.0.113.9", "10.1.0.1", 403),
        (1, "10.1.2.3", "10.9.9.9", 200),
        # The asker sent one along; the proxy wrote down who really asked.
        (1, "10.1.2.3, 203.0.113.9", "10.9.9.9", 403),
        (1, "10.1.2.3, 10.1.2.3, 203.0.113.9", "10.9.9.9", 403),
        (2, "10.1.2.3, 203.0.113.9, 10.9.9.8", "10.9.9.9", 403),
        (2, "203.0.113.9, 10.1.2.3, 10.9.9.8", "10.9.9.9", 200),
        # Not by way of all the proxies that there should be.
        (2, "10.1.2.3", "10.9.9.9", 403),
        (1, "nonsense", "10.1.2.3", 403),
        (1, "", "10.1.2.3", 403),
        # Prometheus asks the process itself, past the proxy.
        (1, None, "10.1.2.3", 200),
    ],
)
def test_the_real_client_counts(
    client: Client,
    db: Any,
    settings: Any,
    proxies: int,
    forwarded: str | None,
    remote: str,
    status: int,
) -> None:
    settings.METRICS_ALLOW = [ip_network("10.1.0.0/16")]
    settings.PROXIES = proxies
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    response = client.get("/metrics", headers=headers, REMOTE_ADDR=remote)
    assert response.status_code == status
    assert not response.cookies


def test_the_request_itself_costs_no_query_of_its_own_connection(
    client: Client, db: Any, allowed: None
) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert client.get("/metrics").status_code == 200
    assert not asked.captured_queries


# ---------------------------------------------------------------- what stands in it


@pytest.fixture
def school(transactional_db: Any, course: Course, student: Student) -> None:
    """One of everything, committed: the page reads on a connection of its own."""
    seed_flags()
    Flag.objects.filter(name="ENABLE_TEACHER_SCHEDULING").update(percent=Decimal(100))
    Flag.objects.filter(name=CALENDAR).update(percent=Decimal(50))
    make_user("gone@school.example", is_active=False)
    now = timezone.now()
    for seconds, is_on, total, bad in ((20, True, 10, 2), (60, True, 5, 1), (30, False, 7, 0)):
        Sample.objects.create(
            metric="requests", feature=CALENDAR, is_on=is_on, total=total, bad=bad,
            begins_at=now - timedelta(seconds=seconds),
        )  # fmt: skip
    Sample.objects.create(
        metric="requests", feature=CALENDAR, is_on=True, total=99, bad=99,
        begins_at=now - timedelta(minutes=6),
    )  # fmt: skip
    for reporter, kind, minutes in (
        ("u:1", "slow", 1), ("u:1", "slow", 2), ("u:1", "broken", 3), ("a:x", "slow", 4),
        ("u:2", "slow", 61),
    ):  # fmt: skip
        Complaint.objects.create(
            kind=kind, text="x", reporter=reporter, reported_at=now - timedelta(minutes=minutes)
        )
    DoorCount.objects.create(feature=CALENDAR, door="page", on_date=now.date(), turned_away=12)
    DoorCount.objects.create(
        feature=CALENDAR, door="page", on_date=now.date() - timedelta(days=1), turned_away=99
    )
    other = make_student("other@school.example")
    last = make_student("last@school.example")
    for who, changed, finished in (
        (student, 1, None), (other, 40, None), (last, 2, now)
    ):  # fmt: skip
        EnrollmentSession.objects.create(
            student=who, course=course, is_on=True, began_in="new", flow="new",
            started_at=now - timedelta(hours=1), changed_at=now - timedelta(minutes=changed),
            finished_at=finished, is_open=finished is None,
        )  # fmt: skip
    LocalTrip.objects.create(
        uuid=uuid4(), number=1, kind="web", host="h", pid=1, failures=3,
        tripped_at=now - timedelta(minutes=3), back_at=now - timedelta(minutes=2),
    )  # fmt: skip
    plan = Plan.objects.create(direction="down", flags=[CALENDAR], actor_name="x", reason="x")
    for number, done in ((1, now), (2, None), (3, None)):
        PlanStep.objects.create(plan=plan, number=number, percent=50, done_at=done)
    for name, action in (("slow", "kill"), ("errors", "alert"), ("odd", "case"), ("off", "alert")):
        Trigger.objects.create(
            name=name, title="x", metric="requests", method="more than", threshold=1,
            window_seconds=60, action=action, flags=[CALENDAR], is_enabled=name != "off",
        )  # fmt: skip
    Heartbeat.objects.create(
        name="evaluator",
        by="x",
        milliseconds=250,
        beat_at=now - timedelta(seconds=40),
        verdicts={
            "slow": {"verdict": "BREACH", "rate": 0.31},
            "errors": {"verdict": "OK"},
            "odd": 7,
        },
    )


def test_every_number_is_the_databases(client: Client, school: None, allowed: None) -> None:
    newest = Flag.objects.count()
    assert newest == 4
    Process.objects.all().delete()
    done = roll_back(
        flags=[CALENDAR], incident="x", actor=Actor(name="watch", automatic=True), reason="x"
    )
    version = Flag.objects.raw("SELECT 1 AS id, version FROM rollback_switchboard")[0].version
    for kind, behind, silent in (("web", 0, 0), ("web", 0, 0), ("worker", 1, 0), ("beat", 0, 60)):
        Process.objects.create(
            uuid=uuid4(), kind=kind, host="h", pid=1, version=version - behind,
            started_at=Now() - timedelta(hours=1), reached_at=Now(),
            seen_at=Now() - timedelta(seconds=silent),
        )  # fmt: skip
    found = read(client)
    assert found["school_feature_share"]["ENABLE_TEACHER_SCHEDULING",] == 1
    assert found["school_feature_share"][CALENDAR,] == 0.5
    assert found["school_feature_killed"][CALENDAR,] == 1
    assert found["school_feature_latched"] == {
        (name,): float(name == CALENDAR) for (name,) in found["school_feature_latched"]
    }
    # Three students, a teacher; nobody who is inactive.
    assert found["school_people"] == {(): 4}
    assert found["school_feature_people"]["ENABLE_TEACHER_SCHEDULING",] == 4
    assert found["school_feature_people"][CALENDAR,] == 0
    assert done.incident is not None
    assert found["school_incidents_open"] == {("1",): 0, ("2",): 1, ("3",): 0, ("4",): 0}
    waiting = found["school_incidents_unacknowledged"]
    assert (sum(waiting.values()), len(waiting)) == (1, 4)
    verdicts = found["school_trigger_verdict"]  # action, trigger, verdict
    assert {key for key, value in verdicts.items() if value} == {
        ("kill", "slow", "BREACH"),
        ("alert", "errors", "OK"),
        ("case", "odd", "UNKNOWN"),
    }
    assert len(verdicts) == 9
    assert found["school_trigger_share"] == {("slow",): 0.31}
    assert 40 <= found["school_evaluator_age_seconds"][()] < 60
    assert found["school_evaluator_seconds"] == {(): 0.25}
    key = (CALENDAR, "requests")  # feature, metric, on
    assert found["school_watched_last_5m"] == {(*key, "yes"): 15, (*key, "no"): 7}
    assert found["school_watched_bad_last_5m"] == {(*key, "yes"): 3, (*key, "no"): 0}
    assert found["school_enrollment_sessions_last_day"] == {
        ("new", "yes", "open"): 1,
        ("new", "yes", "abandoned"): 1,
        ("new", "yes", "finished"): 1,
    }
    assert found["school_complaining_people_last_hour"] == {(): 2}
    by_kind = found["school_complaining_people_by_kind_last_hour"]
    assert (by_kind["slow",], by_kind["broken",], by_kind["payment",]) == (2, 1, 0)
    assert found["school_complaints_open"]["slow",] == 4
    assert found["school_processes"] == {
        ("web", "up_to_date"): 2,
        ("worker", "behind"): 1,
        ("beat", "silent"): 1,
    }
    assert found["school_flags_version"] == {(): version}
    assert found["school_plans_live"] == {("down", "running"): 1}
    assert found["school_plan_steps"] == {("down", "yes"): 1, ("down", "no"): 2}
    assert found["school_turned_away_today"] == {("page", CALENDAR): 12}
    assert found["school_database_losses_last_hour"] == {(): 1}
    assert found["school_database_answers"] == {(): 1}
    assert set(found["school_part_read"].values()) == {1}


def test_nobody_is_named(client: Client, school: None, allowed: None) -> None:
    text = client.get("/metrics").content.decode()
    assert "@" not in text
    assert "Ada" not in text


def test_an_empty_school_has_all_names_too(
    client: Client, transactional_db: Any, allowed: None
) -> None:
    """Nobody has evaluated anything, no flag is there: the names are, and what is not known is not 0."""
    found = read(client)
    assert found["school_evaluator_age_seconds"] == {}
    assert found["school_incidents_open"][("1",)] == 0
    assert found["school_part_read"][("evaluator",)] == 1


@pytest.mark.django_db(transaction=True)
def test_a_part_that_is_locked_or_gone_costs_no_other(client: Client, allowed: None) -> None:
    """Another session holds the complaints; the doors' table has been renamed away."""
    seed_flags()
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("LOCK TABLE rollback_complaint IN ACCESS EXCLUSIVE MODE")
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE rollback_doorcount RENAME TO elsewhere")
        try:
            found = read(client)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE elsewhere RENAME TO rollback_doorcount")
    finally:
        other.close()
    lost = {part for (part,), value in found["school_part_read"].items() if not value}
    assert lost == {"complaints", "doors"}
    assert "school_complaints_open" not in found
    assert len(found["school_feature_share"]) == 4
    assert found["school_database_answers"] == {(): 1}


@pytest.mark.django_db(transaction=True)
def test_locked_flags_cost_what_is_asked_of_them_and_never_ready(
    client: Client, allowed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a migration that waits, or a forgotten BEGIN: no question hangs until it is over."""
    monkeypatch.setattr(ready, "KEPT", -1.0)
    seed_flags()
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("LOCK TABLE rollback_flag IN ACCESS EXCLUSIVE MODE")
        for _ in range(asking.MOST["metrics"] + 1):
            found = read(client)
            lost = {part for (part,), value in found["school_part_read"].items() if not value}
            assert lost == {"features", "people"}
            assert found["school_database_answers"] == {(): 1}
        assert "database" not in client.get("/readyz").json()["reasons"]
    finally:
        other.close()
    assert set(read(client)["school_part_read"].values()) == {1}


def test_without_a_database_the_page_says_that(
    client: Client, db: Any, allowed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = connection.get_connection_params() | {"host": "127.0.0.1", "port": "1"}
    monkeypatch.setattr(connection, "get_connection_params", lambda: dict(parameters))
    found = read(client)
    assert found["school_database_answers"] == {(): 0}
    assert set(found["school_part_read"].values()) == {0}
    assert len(found["school_part_read"]) == len(PARTS)


def test_what_was_read_in_time_is_told(
    client: Client, db: Any, allowed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One part hangs past every timeout of the database: those before it are there."""

    def hangs(asked: Any) -> Any:
        asked.execute("SELECT pg_sleep(1.5)")
        return ()

    monkeypatch.setattr(exported, "PARTS", (exported.doors, hangs, exported.trips))
    monkeypatch.setattr(exported, "SECONDS", 0.7)
    found = read(client)
    assert found["school_part_read"] == {("doors",): 1, ("hangs",): 0, ("trips",): 0}
    assert found["school_database_answers"] == {(): 1}


def test_each_name_says_what_it_is(client: Client, db: Any, allowed: None) -> None:
    text = client.get("/metrics").content.decode()
    names = re.findall(r"^# TYPE (\S+) gauge$", text, re.MULTILINE)
    assert len(names) == len(set(names)) > 20
    assert names == re.findall(r"^# HELP (\S+) \S+", text, re.MULTILINE)
