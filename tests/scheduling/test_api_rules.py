"""A teacher's own hours by a program: the model's rules, at their members."""

from collections import Counter
from datetime import date, time
from functools import partial
from typing import Any

import pytest
from django.test import Client

from enrollment.models import Student, Teacher, User
from scheduling.models import AvailabilityRule
from tests.conftest import make_teacher
from tests.enrollment.crowd import at_once

pytestmark = pytest.mark.django_db
RULES = "/api/v1/availability/rules/"
HOURS = {"weekday": 0, "starts": "09:00", "ends": "12:00"}


@pytest.fixture
def as_teacher(client: Client, teacher: Teacher) -> Client:
    client.force_login(teacher.user)
    return client


@pytest.fixture
def rule(teacher: Teacher) -> AvailabilityRule:
    return AvailabilityRule.objects.create(
        teacher=teacher, weekday=0, starts=time(14), ends=time(18), valid_from=date(2026, 1, 1)
    )


def send(client: Client, method: str, url: str, body: Any) -> Any:
    ask = getattr(client, method)
    return ask(url, body, content_type="application/json")


def test_added_read_changed_and_deleted(as_teacher: Client, teacher: Teacher) -> None:
    made = send(as_teacher, "post", RULES, HOURS)
    assert made.status_code == 201
    pk = AvailabilityRule.objects.get().pk
    url = f"{RULES}{pk}/"
    assert made["Location"] == f"http://testserver{url}"
    whole = {
        "id": pk,
        **HOURS,
        "ends_next_day": False,
        "every_weeks": 1,
        "valid_from": None,
        "valid_until": None,
        "zone": "Europe/Berlin",
    }
    assert made.json() == whole
    assert as_teacher.get(url).json() == whole
    assert as_teacher.get(RULES).json() == {"results": [whole]}
    changed = send(as_teacher, "patch", url, {"ends": "13:00", "valid_from": "2026-02-01"})
    assert changed.json() == whole | {"ends": "13:00", "valid_from": "2026-02-01"}
    # PUT says everything anew.
    assert send(as_teacher, "put", url, HOURS).json() == whole
    assert as_teacher.delete(url).status_code == 204
    assert as_teacher.delete(url).status_code == 404
    assert as_teacher.get(RULES).json() == {"results": []}


def test_past_midnight_and_every_other_week(as_teacher: Client) -> None:
    night = {"starts": "22:00", "ends": "02:00", "ends_next_day": True}
    weeks = {"every_weeks": 2, "valid_from": "2026-01-05"}
    made = send(as_teacher, "post", RULES, HOURS | night | weeks)
    assert made.status_code == 201
    assert made.json().items() >= (night | weeks).items()


@pytest.mark.parametrize(
    ("body", "status", "pointer", "sentence"),
    [
        ({"weekday": 7}, 400, "/weekday", "6"),
        ({"weekday": None}, 400, "/weekday", "null"),
        ({"weekday": "0"}, 400, "/weekday", "integer"),
        ({"starts": "9:00"}, 400, "/starts", "like 14:30"),
        ({"starts": "24:00"}, 400, "/starts", "like 14:30"),
        ({"starts": "09:00:00"}, 400, "/starts", "like 14:30"),
        ({"ends": 12}, 400, "/ends", "like 14:30"),
        ({"ends_next_day": "yes"}, 400, "/ends_next_day", "boolean"),
        ({"every_weeks": 53}, 400, "/every_weeks", "52"),
        ({"every_weeks": 0}, 400, "/every_weeks", "1"),
        ({"valid_from": "0001-01-01"}, 400, "/valid_from", "2000 and 2100"),
        ({"valid_from": "2026-02-30"}, 400, "/valid_from", "YYYY-MM-DD"),
        ({"teacher": 1}, 400, "/teacher", "Known are: weekday"),
        ({"ends": "08:00"}, 422, "/ends", "end later than they begin"),
        ({"ends": "13:00", "ends_next_day": True}, 422, "/ends", "24 hours at most"),
        ({"every_weeks": 2}, 422, "/valid_from", "from which day on"),
        (
            {"valid_from": "2026-02-02", "valid_until": "2026-02-01"},
            422,
            "/valid_until",
            "not before the first",
        ),
        ({"ends": "14:01"}, 422, "/starts", "Overlaps the hours on Monday 14:00–18:00"),
    ],
)
@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_what_is_wrong_is_said_at_its_member(
    as_teacher: Client,
    teacher: Teacher,
    rule: AvailabilityRule,
    method: str,
    body: dict[str, Any],
    status: int,
    pointer: str,
    sentence: str,
) -> None:
    url = RULES
    if method != "post":
        own = AvailabilityRule.objects.create(
            teacher=teacher, weekday=0, starts=time(9), ends=time(12)
        )
        url = f"{RULES}{own.pk}/"
    before = list(AvailabilityRule.objects.order_by("pk").values())
    answer = send(as_teacher, method, url, body if method == "patch" else HOURS | body)
    assert answer.status_code == status
    errors = answer.json()["errors"]
    assert {error["pointer"] for error in errors} == {pointer}
    assert sentence in " ".join(error["detail"] for error in errors)
    assert list(AvailabilityRule.objects.order_by("pk").values()) == before


def test_only_teachers_and_only_their_own(
    client: Client, rule: AvailabilityRule, student: Student, staff: User
) -> None:
    url = f"{RULES}{rule.pk}/"
    stranger = make_teacher("other@school.example")
    for user, own, theirs in (
        (stranger.user, 200, 404),
        (student.user, 403, 403),
        (staff, 403, 403),
    ):
        client.force_login(user)
        assert client.get(RULES).status_code == own
        for answer in (
            client.get(url),
            client.delete(url),
            send(client, "put", url, {"nonsense": 1}),
            send(client, "patch", url, {"ends": "19:00"}),
        ):
            assert answer.status_code == theirs
    client.force_login(stranger.user)
    assert client.get(RULES).json() == {"results": []}
    rule.refresh_from_db()
    assert rule.ends == time(18)


@pytest.mark.django_db(transaction=True)
def test_the_same_hours_from_many_programs(teacher: Teacher) -> None:
    first = Client()
    first.force_login(teacher.user)

    def add(minute: int) -> int:
        client = Client()
        client.cookies = first.cookies
        body = HOURS | {"starts": f"09:{minute:02}"}
        status: int = send(client, "post", RULES, body).status_code
        return status

    answers = at_once(*(partial(add, minute) for minute in range(8)))
    assert Counter(answers) == {201: 1, 422: 7}


@pytest.mark.django_db(transaction=True)
def test_two_who_change_different_things_lose_nothing(
    teacher: Teacher, rule: AvailabilityRule
) -> None:
    client = Client()
    client.force_login(teacher.user)
    url = f"{RULES}{rule.pk}/"

    def change(**said: str) -> int:
        own = Client()
        own.cookies = client.cookies
        status: int = send(own, "patch", url, said).status_code
        return status

    answers = at_once(partial(change, starts="13:00"), partial(change, valid_until="2099-06-30"))
    assert answers == [200, 200]
    rule.refresh_from_db()
    assert (rule.starts, rule.valid_until) == (time(13), date(2099, 6, 30))
