"""GET /api/v1/availability/teachers/<id>/slots/?course=<slug>"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from enrollment.models import Course, Student, Teacher
from scheduling.models import AvailabilityRule
from tests.conftest import make_teacher
from tests.scheduling.conftest import MakeLesson

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("now", "monday_hours", "course"),
]
FIRST = datetime(2026, 1, 19, 15, 0, tzinfo=UTC)


def url(teacher: Teacher | int) -> str:
    pk = teacher if isinstance(teacher, int) else teacher.pk
    return f"/api/v1/availability/teachers/{pk}/slots/"


def ask(client: Client, teacher: Teacher | int, **asked: str) -> Any:
    return client.get(url(teacher), asked)


def test_the_answer(as_student: Client, teacher: Teacher) -> None:
    answer = ask(as_student, teacher, course="violin")
    assert answer.status_code == 200
    body = answer.json()
    assert {name: body[name] for name in ("teacher", "course", "zone")} == {
        "teacher": teacher.pk,
        "course": "violin",
        "zone": "Europe/Berlin",
    }
    assert len(body["slots"]) == 12
    assert body["slots"][0] == {
        "start": "2026-01-19T15:00:00Z",
        "end": "2026-01-19T15:45:00Z",
        "local_start": "2026-01-19T16:00:00+01:00",
    }


def test_it_is_the_same_function_as_the_page(
    as_student: Client, teacher: Teacher, make_lesson: MakeLesson
) -> None:
    elsewhere = make_teacher("elsewhere@school.example")
    make_lesson(FIRST, FIRST + timedelta(minutes=45), teacher=elsewhere)
    page = as_student.get("/schedule/violin/")
    shown = [slot.value for day in page.context["offer"].days for slot in day.slots]
    slots = ask(as_student, teacher, course="violin").json()["slots"]
    assert [slot["start"] for slot in slots][: len(shown)] == shown
    assert "2026-01-19T15:00:00Z" not in shown


@pytest.mark.parametrize(
    ("asked", "status", "where", "sentence"),
    [
        ({}, 400, "course", "Name the course"),
        ({"course": ""}, 400, "course", "blank"),
        ({"course": "no slug!"}, 400, "course", "slug"),
        ({"course": "x" * 81}, 400, "course", "80"),
        ({"course": "violin\x00"}, 400, "course", ""),
        ({"course": "no-such-course"}, 404, "detail", "no-such-course"),
    ],
)
def test_errors_say_where(
    as_student: Client,
    teacher: Teacher,
    asked: dict[str, str],
    status: int,
    where: str,
    sentence: str,
) -> None:
    answer = ask(as_student, teacher, **asked)
    assert answer.status_code == status
    assert sentence in str(answer.json()[where])


def test_only_teachers_of_that_course(as_student: Client) -> None:
    stranger = make_teacher("stranger@school.example")
    AvailabilityRule.objects.create(teacher=stranger, weekday=0, starts="16:00", ends="18:00")
    assert ask(as_student, stranger, course="violin").status_code == 404
    assert ask(as_student, 2**62, course="violin").status_code == 404
    assert ask(as_student, 2**70, course="violin").status_code == 404


def test_who_may(client: Client, teacher: Teacher, as_student: Client) -> None:
    assert ask(Client(), teacher, course="violin").status_code == 401
    for_teacher = Client()
    for_teacher.force_login(teacher.user)
    assert len(ask(for_teacher, teacher, course="violin").json()["slots"]) == 12
    for method in (as_student.post, as_student.put, as_student.delete):
        assert method(url(teacher)).status_code == 405


def test_three_queries_of_its_own(
    as_student: Client, student: Student, teacher: Teacher, make_lesson: MakeLesson
) -> None:
    """Who teaches what, slots, closed days; the session's two and the savepoints are not its own."""
    make_lesson(FIRST, FIRST + timedelta(minutes=45))
    with CaptureQueriesContext(connection) as queries:
        ask(as_student, teacher, course="violin")
    reads = [query["sql"] for query in queries if query["sql"].startswith(("SELECT", "WITH"))]
    own = [sql for sql in reads if "session" not in sql and 'FROM "enrollment_user"' not in sql]
    assert len(own) == 3, own


def test_the_schema_describes_it(course: Course, tmp_path: Any) -> None:
    file = tmp_path / "schema.yml"
    call_command("spectacular", "--file", str(file), "--validate", "--fail-on-warn")
    text = file.read_text()
    assert "/api/v1/availability/teachers/{teacher}/slots/" in text
    assert "local_start" in text
