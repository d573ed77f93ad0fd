"""Programs log in by a token: made by its owner, shown once, revoked at once, known at the door."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from enrollment.models import ApiToken, Course, Student, Teacher, User
from enrollment.operations import tokens
from rollback import switchboard
from tests.conftest import Switches, make_student

API = "ENABLE_AVAILABILITY_API"
PAGE = "/my/tokens/"

pytestmark = pytest.mark.django_db


def make(user: User, name: str = "a script", days: int = 30) -> str:
    now = timezone.now()
    return tokens.make_token(user=user, name=name, lifetime=timedelta(days=days), now=now)[1]


def program(token: str, scheme: str = "Token") -> Client:
    return Client(headers={"Authorization": f"{scheme} {token}"})


@pytest.fixture
def slots(teacher: Teacher, course: Course) -> str:
    return reverse("availability-api:slots", args=[teacher.pk]) + f"?course={course.slug}"


@pytest.fixture
def as_student(client: Client, student: Student) -> Client:
    client.force_login(student.user)
    return client


def test_a_token_is_made_shown_once_used_and_revoked(
    as_student: Client, student: Student, slots: str
) -> None:
    page = as_student.post(PAGE, {"name": "my phone", "lifetime": "90"})
    secret = page.context["secret"]
    assert secret in page.content.decode()
    assert page.headers["Cache-Control"].count("no-store")
    assert secret not in as_student.get(PAGE).content.decode()
    row = ApiToken.objects.get()
    assert secret not in (row.digest, row.token_key)
    assert (row.expiry - timezone.now()).days in (89, 90)

    assert program(secret).get(slots).status_code == 200
    row.refresh_from_db()
    assert row.last_used_at is not None

    gone = as_student.post(reverse("enrollment:revoke_token", args=[row.token_key]))
    assert gone.status_code == 302
    refused = program(secret).get(slots)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Token"
    assert "Revoked" in as_student.get(PAGE).content.decode()


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        ({"name": "", "lifetime": "90"}, "required"),
        ({"name": "x" * 61, "lifetime": "90"}, "60"),
        ({"name": "x\x00", "lifetime": "90"}, "Null characters"),
        ({"name": "x", "lifetime": "100000"}, "Select a valid choice"),
        ({"name": "x", "lifetime": "soon"}, "Select a valid choice"),
    ],
)
def test_bad_input_is_told_at_the_field(
    as_student: Client, answers: dict[str, str], complaint: str
) -> None:
    page = as_student.post(PAGE, answers)
    assert page.status_code == 422
    assert complaint in page.content.decode()
    assert not ApiToken.objects.exists()


def test_ten_live_tokens_are_enough(as_student: Client, student: Student) -> None:
    secrets = [make(student.user) for _n in range(tokens.MOST_TOKENS)]
    page = as_student.post(PAGE, {"name": "one more", "lifetime": "90"})
    assert "You have 10 tokens already" in page.content.decode()
    now = timezone.now()
    tokens.revoke_token(key=secrets[0][:15], user=student.user, by=student.user, now=now)
    assert as_student.post(PAGE, {"name": "one more", "lifetime": "90"}).status_code == 200


def test_nobody_revokes_or_sees_another_ones(as_student: Client) -> None:
    other = make_student("other@school.example")
    key = make(other.user, "theirs")[:15]
    assert as_student.post(reverse("enrollment:revoke_token", args=[key])).status_code == 404
    assert "theirs" not in as_student.get(PAGE).content.decode()
    assert ApiToken.objects.get().revoked_at is None


def test_a_page_about_tokens_asks_for_a_login(client: Client) -> None:
    assert client.get(PAGE).status_code == 302
    assert client.post(reverse("enrollment:revoke_token", args=["x"])).status_code == 302


@pytest.mark.parametrize(
    "headers",
    ["Token nonsense", "Token", "Token a b", "Token \xff\xfe", "Bearer x", "Token " + "0" * 64],
)
def test_what_is_no_token_is_401(slots: str, headers: str) -> None:
    assert Client(headers={"Authorization": headers}).get(slots).status_code == 401


def test_an_expired_one_and_one_of_an_inactive_person_are_refused(
    student: Student, slots: str
) -> None:
    secret = make(student.user)
    ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert program(secret).get(slots).status_code == 401
    assert ApiToken.objects.count() == 1
    ApiToken.objects.update(expiry=None)
    assert program(secret).get(slots).status_code == 200
    User.objects.filter(pk=student.user.pk).update(is_active=False)
    assert program(secret).get(slots).status_code == 401


def test_a_token_opens_no_page_and_no_office(admin: User, student: Student) -> None:
    assert program(make(student.user)).get("/my/courses/").status_code == 302
    assert program(make(admin)).get("/admin/").status_code == 302


def test_two_queries_for_a_token_that_was_used_lately(
    student: Student, slots: str, django_assert_max_num_queries: Any
) -> None:
    caller = program(make(student.user))
    caller.get(slots)
    with CaptureQueriesContext(connection) as queries:
        caller.get(slots)
    assert sum("enrollment_apitoken" in query["sql"] for query in queries) == 1
    assert not [query for query in queries if query["sql"].startswith("UPDATE")]


# ---------------------------------------------------------------- at the door


def test_the_door_knows_whose_program_it_is(slots: str, switches: Switches) -> None:
    """At 50 %: a token gets its owner's answer, the same as in the browser, every time."""
    switches.share(50)
    seen = set()
    for n in range(20):
        student = make_student(f"s{n}@school.example")
        caller, browser = program(make(student.user)), Client()
        browser.force_login(student.user)
        answers = {caller.get(slots).status_code for _again in range(2)}
        answers.add(browser.get(slots).status_code)
        assert answers == {200 if switchboard.is_on(API, student.user) else 503}
        seen |= answers
    assert seen == {200, 503}


def test_a_killed_api_is_503_for_every_token(
    student: Student, slots: str, switches: Switches
) -> None:
    switches.kill(API)
    assert program(make(student.user)).get(slots).status_code == 503
    assert program("nonsense").get(slots).status_code == 503


def test_a_program_nobody_is_known_by_gets_one_answer(slots: str, switches: Switches) -> None:
    """Without a cookie it would be another visitor each time, and at 50 % get both answers."""
    switches.share(50)
    assert {Client().get(slots).status_code for _again in range(20)} == {401}
    assert {program("nonsense").get(slots).status_code for _again in range(20)} == {401}
    switches.share(0)
    assert Client().get(slots).status_code == 503


# ---------------------------------------------------------------- the office


def test_the_office_sees_and_revokes_but_makes_none(
    client: Client, staff: User, student: Student
) -> None:
    secret = make(student.user, "stolen phone")
    client.force_login(staff)
    changelist = reverse("admin:enrollment_apitoken_changelist")
    page = client.get(changelist).content.decode()
    assert "stolen phone" in page
    assert client.get(reverse("admin:enrollment_apitoken_add")).status_code == 403
    # Whoever could give a token to an administrator would be one.
    change = reverse("admin:enrollment_apitoken_change", args=[ApiToken.objects.get().pk])
    assert client.post(change, {"user": staff.pk, "name": "mine"}).status_code == 403
    assert ApiToken.objects.get().user == student.user
    client.post(
        changelist, {"action": "revoke_selected", "_selected_action": [ApiToken.objects.get().pk]}
    )
    row = ApiToken.objects.get()
    assert row.revoked_at is not None
    assert secret[:15] == row.token_key
