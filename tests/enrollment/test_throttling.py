"""How often a program may ask: counted for all processes together, and cheap for whoever is not near."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from enrollment.api import throttling
from enrollment.api.throttling import Counts
from enrollment.models import Student
from tests.conftest import make_student
from tests.scheduling.conftest import NOW

pytestmark = pytest.mark.django_db
TEACHERS = "/api/v1/availability/teachers/"
BOOKINGS = "/api/v1/availability/bookings/"


@pytest.fixture(autouse=True)
def from_nothing(settings: Any) -> Iterator[None]:
    rates = {"user": "5/minute", "bookings": "2/minute", "anon": "3/minute"}
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": rates}
    throttling.counts.clear()
    cache.clear()
    with time_machine.travel(NOW, tick=False):
        yield
    throttling.counts.clear()
    cache.clear()


def as_user(student: Student) -> Client:
    client = Client()
    client.force_login(student.user)
    return client


def test_enough_is_enough_until_the_window_ends(student: Student) -> None:
    client = as_user(student)
    assert [client.get(TEACHERS).status_code for _n in range(6)] == [200] * 5 + [429]
    answer = client.get(TEACHERS)
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Retry-After"] == "60"
    # Somebody else is not to blame.
    assert as_user(make_student("ben@school.example")).get(TEACHERS).status_code == 200
    with time_machine.travel(NOW + timedelta(seconds=60), tick=False):
        assert client.get(TEACHERS).status_code == 200


def test_what_is_booked_counts_by_itself(student: Student) -> None:
    client = as_user(student)
    answers = [client.post(BOOKINGS, {}, content_type="application/json") for _n in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 429]
    assert client.get(TEACHERS).status_code == 200


def test_whoever_is_nobody_counts_by_address() -> None:
    def ask(address: str, **headers: str) -> int:
        return Client(REMOTE_ADDR=address, headers=headers).get(TEACHERS).status_code

    assert [ask("10.0.0.1") for _n in range(4)] == [401, 401, 401, 429]
    assert ask("10.0.0.1", Authorization="Token nonsense") == 429
    assert ask("10.0.0.2") == 401
    # Nobody in front of us: the header is anybody's word.
    assert ask("10.0.0.1", **{"X-Forwarded-For": "10.9.9.9"}) == 429


def test_a_person_behind_a_busy_address_is_let_in(student: Student) -> None:
    for _n in range(5):
        Client().get(TEACHERS)
    assert as_user(student).get(TEACHERS).status_code == 200


def test_processes_count_together() -> None:
    """Each tells the others in steps; so a limit is met, and passed by a step each at most."""
    now = datetime.timestamp(NOW)
    processes = [Counts(), Counts()]
    seen = [processes[n % 2].one_more("key", step=5, ends=now + 60, now=now) for n in range(40)]
    assert seen[-1] > 40 - 2 * 5
    assert max(seen) <= 40


def test_what_is_over_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "KEPT", 3)
    counts, now = Counts(), datetime.timestamp(NOW)
    for n in range(10):
        counts.one_more(f"key-{n}", step=5, ends=now + n + 1, now=now + n)
    assert len(counts._known) <= 4


def test_most_requests_cost_no_query(student: Student, settings: Any) -> None:
    rates = {"user": "600/minute"}
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": rates}
    client = as_user(student)
    costs = []
    for _n in range(30):
        with CaptureQueriesContext(connection) as queries:
            client.get(TEACHERS)
        costs.append(sum("django_cache" in query["sql"] for query in queries))
    assert sum(cost > 0 for cost in costs) == 1
