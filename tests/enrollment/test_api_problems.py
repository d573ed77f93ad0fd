"""Whatever goes wrong, a program gets problem details (RFC 9457), and a person a page."""

from typing import Any

import pytest
from django.test import Client
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from enrollment.api import problems
from enrollment.models import Course, Student, Teacher
from tests.conftest import Switches

pytestmark = pytest.mark.django_db
API = "/api/v1/availability/"
BOOKINGS = f"{API}bookings/"


@pytest.fixture
def as_student(client: Client, student: Student) -> Client:
    client.force_login(student.user)
    return client


def check(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["type"]) == (status, "about:blank")
    assert body["title"]
    assert body["detail"]
    assert body["instance"].startswith("/api/")
    return body


def test_not_logged_in(client: Client) -> None:
    for headers in ({}, {"Authorization": "Token nonsense"}, {"Authorization": "Token \x80"}):
        answer = client.get(f"{API}teachers/", headers=headers)
        check(answer, 401)
        assert answer["WWW-Authenticate"] == "Token"


def test_a_session_without_its_csrf_token(student: Student) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(student.user)
    answer = client.post(BOOKINGS, {}, content_type="application/json")
    assert "CSRF Failed" in check(answer, 403)["detail"]


@pytest.mark.parametrize(
    "path", ["nowhere/", "teachers/x/slots/", "bookings/-1/", "bookings/\x00/"]
)
def test_nothing_there(as_student: Client, path: str) -> None:
    check(as_student.get(API + path), 404)
    check(as_student.post(API + path), 404)
    check(Client().get("/api/nothing"), 404)


def test_people_get_their_page(as_student: Client) -> None:
    answer = as_student.get("/nowhere/")
    assert answer.status_code == 404
    assert "<html" in answer.content.decode()


def test_wrong_methods(as_student: Client) -> None:
    for method in ("post", "put", "patch", "delete", "options", "trace"):
        answer = getattr(as_student, method)(f"{API}teachers/")
        check(answer, 405)
        assert answer["Allow"] == "GET, HEAD"
    assert as_student.head(f"{API}teachers/").status_code == 200


def test_only_json_is_answered_and_read(as_student: Client) -> None:
    check(as_student.get(f"{API}teachers/", headers={"Accept": "text/csv"}), 406)
    for kind in ("text/plain", "application/xml", "multipart/form-data; boundary=x"):
        check(as_student.post(BOOKINGS, b"x", content_type=kind), 415)


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"\xff",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b"[" * 100_000,
        b'{"teacher": ' + b"9" * 5000 + b"}",
        "{}".encode("utf-16"),
    ],
)
def test_what_is_no_json(as_student: Client, raw: bytes) -> None:
    check(as_student.post(BOOKINGS, raw, content_type="application/json"), 400)


@pytest.mark.parametrize("charset", ["utf-16", "hex", "rot13", "nonsense"])
def test_json_is_utf_8_whatever_is_said(as_student: Client, charset: str) -> None:
    # As it is: Django's client would else write the body in that charset.
    kind = f"application/json; charset={charset}"
    answer = as_student.generic("POST", BOOKINGS, b"{}", content_type=kind)
    assert {error["pointer"] for error in check(answer, 400)["errors"]} == {
        "/course",
        "/teacher",
        "/start",
    }


@pytest.mark.parametrize("raw", [b"[]", b"null", b"5", b'"x"', b"true"])
def test_json_of_another_kind(as_student: Client, raw: bytes) -> None:
    (error,) = check(as_student.post(BOOKINGS, raw, content_type="application/json"), 400)["errors"]
    assert error["pointer"] == ""


def test_too_much_is_not_read(as_student: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = b'{"note": "' + b"x" * 1000 + b'"}'
    check(as_student.post(BOOKINGS, body, content_type="application/json"), 413)


def test_a_hundred_questions_too_many(as_student: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 10
    check(as_student.get(f"{API}slots/?" + "x=1&" * 20), 400)


def test_a_fault_of_ours(as_student: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_asked: Any, **_more: Any) -> Any:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr("scheduling.api.reading.teachers", breaks)
    as_student.raise_request_exception = False
    answer = as_student.get(f"{API}teachers/")
    check(answer, 500)
    assert "secret" not in answer.content.decode()


def test_off_names_the_way_that_is_left(
    as_student: Client, teacher: Teacher, course: Course, switches: Switches
) -> None:
    switches.kill("ENABLE_AVAILABILITY_API")
    for method in ("get", "post", "delete"):
        answer = getattr(as_student, method)(BOOKINGS)
        body = check(answer, 503)
        assert answer["Retry-After"] == "300"
        assert body["feature"] == "availability"
        assert body["fallback"] == "http://testserver/home/"
    assert as_student.get("/home/", follow=True).status_code == 200


def test_the_schema_and_its_page_answer_in_json_too(client: Client, as_student: Client) -> None:
    check(Client().get("/api/schema/"), 401)
    check(as_student.post("/api/schema/"), 405)
    check(as_student.post("/api/docs/"), 405)
    check(as_student.get("/api/schema/", headers={"Accept": "text/csv"}), 406)


def test_the_schema_in_every_language_and_kind(as_student: Client) -> None:
    for asked in ("", "?lang=de", "?lang=nonsense", "?lang=../../x", "?lang=%00", "?version=%00"):
        assert as_student.get(f"/api/schema/{asked}").status_code in (200, 400)
    as_json = as_student.get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert as_json.json()["openapi"].startswith("3.")


# ---------------------------------------------------------------- places


class Inner(serializers.Serializer[Any]):
    number = serializers.IntegerField()


class Outer(serializers.Serializer[Any]):
    inner = Inner(many=True)


def test_a_place_deep_inside() -> None:
    outer = Outer(data={"inner": [{"number": 1}, {"number": "x"}]})
    with pytest.raises(ValidationError) as raised:
        outer.is_valid(raise_exception=True)
    (error,) = problems.of(raised.value, "/api/")["errors"]
    assert error["pointer"] == "/inner/1/number"


def test_one_with_a_name_says_where_it_is_described() -> None:
    problem = problems.Problem(status=409, code="slot-taken", detail="Taken.", alternatives=[])
    assert problems.of(problem, "/api/x/") == {
        "type": "http://localhost:8000/api/docs/#slot-taken",
        "title": "Conflict",
        "status": 409,
        "detail": "Taken.",
        "instance": "/api/x/",
        "code": "slot-taken",
        "alternatives": [],
    }
