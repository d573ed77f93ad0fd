"""What programs read of free times: one teacher's, everybody's, and again only if it changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
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
    page = as_student.get("/calendar/choose/violin/")
    shown = [slot.value for day in page.context["offer"].days for slot in day.slots]
    slots = ask(as_student, teacher, course="violin").json()["slots"]
    assert [slot["start"] for slot in slots][: len(shown)] == shown
    assert "2026-01-19T15:00:00Z" not in shown


@pytest.mark.parametrize(
    ("asked", "status", "where", "sentence"),
    [
        ({}, 400, "course", "Name the course"),
        ({"course": ""}, 400, "course", "blank"),
        ({"course": "no slug!"}, 400, "course", "letters, digits, - and _ only"),
        ({"course": "x" * 81}, 400, "course", "80"),
        ({"course": "violin\x00"}, 400, "course", "Null"),
        ({"course": "violin", "curse": "x"}, 400, "curse", "Known are: course."),
        ({"course": "no-such-course"}, 404, "", "no-such-course"),
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
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    told = [error["detail"] for error in body.get("errors", []) if error["parameter"] == where]
    assert sentence in " ".join(told or [body["detail"]])
    assert bool(told) == bool(where)


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


def own(queries: CaptureQueriesContext) -> list[str]:
    """Without the session's two, and without savepoints."""
    reads = [
        query["sql"] for query in queries if query["sql"].lstrip().startswith(("SELECT", "WITH"))
    ]
    return [sql for sql in reads if "session" not in sql and 'FROM "enrollment_user"' not in sql]


def test_three_queries_of_its_own(
    as_student: Client, student: Student, teacher: Teacher, make_lesson: MakeLesson
) -> None:
    """Who teaches what, slots, closed days; the session's two and the savepoints are not its own."""
    make_lesson(FIRST, FIRST + timedelta(minutes=45))
    with CaptureQueriesContext(connection) as queries:
        ask(as_student, teacher, course="violin")
    assert len(own(queries)) == 3
    assert not [query for query in queries if "django_cache" in query["sql"]]


ALL = "/api/v1/availability/slots/"


def starts(answer: Any) -> list[str]:
    return [slot["start"] for slot in answer.json()["slots"]]


def test_everybody_who_teaches_the_course(
    as_student: Client, teacher: Teacher, course: Course
) -> None:
    """In order of time; each slot says whose it is. Who does not teach the course is not in it."""
    other = make_teacher("second@school.example", zone="America/New_York")
    course.teachers.add(other)
    AvailabilityRule.objects.create(teacher=other, weekday=0, starts="10:00", ends="11:30")
    stranger = make_teacher("stranger@school.example")
    AvailabilityRule.objects.create(teacher=stranger, weekday=0, starts="16:00", ends="18:00")
    body = as_student.get(ALL, {"course": "violin", "to": "2026-01-19"}).json()
    assert body["zone"] == "Europe/Berlin"
    assert body["until"] == "2026-01-19T23:00:00Z"
    assert [(slot["teacher"], slot["local_start"]) for slot in body["slots"]] == [
        (teacher.pk, "2026-01-19T16:00:00+01:00"),
        (other.pk, "2026-01-19T16:00:00+01:00"),
        (teacher.pk, "2026-01-19T16:45:00+01:00"),
        (other.pk, "2026-01-19T16:45:00+01:00"),
        (teacher.pk, "2026-01-19T17:30:00+01:00"),
    ]
    only = as_student.get(ALL, {"course": "violin", "to": "2026-01-19", "teacher": str(other.pk)})
    assert {slot["teacher"] for slot in only.json()["slots"]} == {other.pk}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        # Dates are counted in, on the clock that was asked for.
        ({"from": "2026-01-19", "to": "2026-01-19"}, ["15:00", "15:45", "16:30"]),
        ({"from": "2026-01-20", "to": "2026-01-25"}, []),
        ({"from": "2026-01-19T15:00:00Z", "to": "2026-01-19T15:45:00Z"}, ["15:00"]),
        ({"from": "2026-01-19T16:00:01+01:00", "to": "2026-01-19T17:00+01:00"}, ["15:45"]),
        # At 15:00 in Berlin it is the 20th in Auckland already.
        (
            {"from": "2026-01-20", "to": "2026-01-20", "zone": "Pacific/Auckland"},
            ["15:00", "15:45", "16:30"],
        ),
        ({"from": "2026-01-19", "to": "2026-01-19", "zone": "Pacific/Auckland"}, []),
        # What is over, and what is too far ahead, is not an error: there is nothing.
        ({"from": "2024-01-01", "to": "2024-02-01"}, []),
        ({"from": "2099-01-01", "to": "2099-02-01"}, []),
    ],
)
def test_from_and_to(as_student: Client, asked: dict[str, str], found: list[str]) -> None:
    answer = as_student.get(ALL, {"course": "violin", **asked})
    assert answer.status_code == 200
    assert [start[11:16] for start in starts(answer)] == found


def test_without_from_and_to_it_is_what_the_teacher_has_now(
    as_student: Client, teacher: Teacher
) -> None:
    everything = starts(as_student.get(ALL, {"course": "violin"}))
    assert everything == starts(ask(as_student, teacher, course="violin"))
    assert len(everything) == 12


def test_a_zone_is_the_clock_of_the_answer(as_student: Client, student: Student) -> None:
    asked = {"course": "violin", "to": "2026-01-19"}
    Student.objects.filter(pk=student.pk).update(zone="Asia/Kolkata")
    assert as_student.get(ALL, asked).json()["slots"][0]["local_start"].endswith("T20:30:00+05:30")
    named = as_student.get(ALL, {**asked, "zone": "UTC"}).json()
    assert (named["zone"], named["slots"][0]["local_start"]) == ("UTC", "2026-01-19T15:00:00+00:00")


@pytest.mark.parametrize(
    ("asked", "where", "sentence"),
    [
        ({"from": "0001-01-01"}, "from", "between the years 2000 and 2100"),
        ({"to": "9999-12-31"}, "to", "between the years 2000 and 2100"),
        ({"from": "0001-01-01T00:00:00+14:00"}, "from", "Give a date"),
        ({"from": "9999-12-31T23:59:59-12:00"}, "from", "Give a date"),
        ({"from": "2026-02-30"}, "from", "YYYY-MM-DD"),
        ({"from": "2026-01-19T15:00:00"}, "from", "with their offset"),
        ({"from": "2026-01-19T25:00:00Z"}, "from", "with their offset"),
        ({"from": "yesterday"}, "from", "Give a date"),
        ({"from": "2026-W03-1"}, "from", "Give a date"),
        ({"from": "\x00"}, "from", "Give a date"),
        ({"from": ""}, "from", "Give a date"),
        ({"zone": "Mars/Olympus"}, "zone", "is no time zone"),
        ({"zone": "../../etc/passwd"}, "zone", "is no time zone"),
        ({"zone": "Europe"}, "zone", "is no time zone"),
        ({"zone": "/etc/localtime"}, "zone", "is no time zone"),
        ({"zone": "UTC\x00"}, "zone", "Null"),
        ({"zone": "x" * 65}, "zone", "64"),
        ({"teacher": "0"}, "teacher", "1"),
        ({"teacher": "-1"}, "teacher", "1"),
        ({"teacher": str(2**63)}, "teacher", "9223372036854775807"),
        ({"teacher": "9" * 5000}, "teacher", "valid integer"),
        ({"teacher": "\u0663"}, "teacher", "valid integer"),
        ({"teacher": "1_0"}, "teacher", "valid integer"),
        ({"teachr": "1"}, "teachr", "Known are: course, teacher, zone, from, to."),
    ],
)
def test_what_is_wrong_is_said_at_its_parameter(
    as_student: Client, asked: dict[str, str], where: str, sentence: str
) -> None:
    answer = as_student.get(ALL, {"course": "violin", **asked})
    assert answer.status_code == 400
    errors = answer.json()["errors"]
    assert {error["parameter"] for error in errors} == {where}
    assert sentence in " ".join(error["detail"] for error in errors)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"from": "2026-01-19", "to": "2026-01-18"}, "later than `from`"),
        ({"from": "2026-01-19T15:00:00Z", "to": "2026-01-19T15:00:00Z"}, "later"),
        ({"to": "2026-01-13"}, "later than `from`"),
        ({"from": "2026-01-01", "to": "2026-03-04"}, "62 days at most"),
        ({"from": "2000-01-01", "to": "2100-12-31"}, "62 days at most"),
    ],
)
def test_a_span_that_cannot_be(as_student: Client, asked: dict[str, str], sentence: str) -> None:
    answer = as_student.get(ALL, {"course": "violin", **asked})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["parameter"] == "to"
    assert sentence in error["detail"]


def test_62_days_are_62_dates_even_where_one_has_25_hours(as_student: Client) -> None:
    asked = {"course": "violin", "from": "2026-10-01", "to": "2026-12-01"}
    assert as_student.get(ALL, asked).status_code == 200


def test_two_answers_to_one_question(as_student: Client) -> None:
    answer = as_student.get(f"{ALL}?course=violin&teacher=1&teacher=2")
    assert answer.status_code == 400
    assert [error["parameter"] for error in answer.json()["errors"]] == ["teacher"]


def test_everything_that_is_wrong_is_said_at_once(as_student: Client) -> None:
    answer = as_student.get(ALL, {"from": "soon", "zone": "Mars", "x": "1"})
    told = {error["parameter"] for error in answer.json()["errors"]}
    assert told == {"course", "from", "zone", "x"}


def test_a_course_that_nobody_teaches_has_no_slots(as_student: Client, course: Course) -> None:
    course.teachers.clear()
    answer = as_student.get(ALL, {"course": "violin"})
    assert (answer.status_code, answer.json()["slots"]) == (200, [])
    nowhere = as_student.get(ALL, {"course": "tuba"})
    assert nowhere.status_code == 404
    assert "tuba" in nowhere.json()["detail"]


# ---------------------------------------------------------------- again, only if it changed


def test_an_etag_saves_sending_it_again(
    as_student: Client, teacher: Teacher, make_lesson: MakeLesson
) -> None:
    for path, asked in ((ALL, {"course": "violin"}), (url(teacher), {"course": "violin"})):
        first = as_student.get(path, asked)
        tag = first["ETag"]
        assert first["Cache-Control"] == "no-cache, private" or "private" in first["Cache-Control"]
        assert {"Authorization", "Cookie"} <= set(first["Vary"].split(", "))
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = as_student.get(path, asked, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert (again["ETag"], again["Vary"]) == (tag, first["Vary"])
        for stale in ('"other"', "nonsense", ""):
            assert as_student.get(path, asked, headers={"If-None-Match": stale}).status_code == 200
        lesson = make_lesson(FIRST, FIRST + timedelta(minutes=45))
        changed = as_student.get(path, asked, headers={"If-None-Match": tag})
        assert changed.status_code == 200
        assert changed["ETag"] != tag
        lesson.delete()


# ---------------------------------------------------------------- teachers


def test_who_teaches_what_in_pages(as_student: Client, teacher: Teacher, course: Course) -> None:
    for number in range(4):
        # Two of one name: a page that ends between them loses nobody.
        other = make_teacher(f"t{number}@school.example")
        Teacher.objects.filter(pk=other.pk).update(display_name=f"Zoe {number // 2}")
        course.teachers.add(other)
    make_teacher("teaches.nothing@school.example")
    address, found = "/api/v1/availability/teachers/?limit=2", []
    while address:
        page = as_student.get(address).json()
        found += page["results"]
        address, before = page["next"], page["previous"]
    assert [one["name"] for one in found] == ["Marta Rossi", "Zoe 0", "Zoe 0", "Zoe 1", "Zoe 1"]
    assert len({one["id"] for one in found}) == 5
    assert found[0] == {
        "id": teacher.pk,
        "name": "Marta Rossi",
        "zone": "Europe/Berlin",
        "courses": [
            {"slug": "violin", "title": "Violin for beginners", "lesson_minutes": 45},
        ],
    }
    assert as_student.get(before).json()["results"] == found[2:4]


@pytest.mark.parametrize(
    ("asked", "where", "status"),
    [
        ({"cursor": "nonsense"}, "cursor", 422),
        ({"cursor": "bz0xJnA9AA=="}, "cursor", 422),
        ({"cursor": ""}, "cursor", 400),
        ({"cursor": "\x00"}, "cursor", 400),
        ({"cursor": "x" * 401}, "cursor", 400),
        ({"limit": "0"}, "limit", 400),
        ({"limit": "101"}, "limit", 400),
        ({"limit": "many"}, "limit", 400),
        ({"page": "2"}, "page", 400),
    ],
)
def test_no_cursor_but_ours(
    as_student: Client, asked: dict[str, str], where: str, status: int
) -> None:
    answer = as_student.get("/api/v1/availability/teachers/", asked)
    assert answer.status_code == status
    assert [error["parameter"] for error in answer.json()["errors"]] == [where]


def test_a_cursor_of_another_list_is_none(
    as_student: Client, course: Course, teacher: Teacher
) -> None:
    course.teachers.add(make_teacher("second@school.example"))
    here = as_student.get("/api/v1/availability/teachers/?limit=1").json()["next"]
    there = here.replace("/teachers/", "/lessons/")
    assert as_student.get(here).status_code == 200
    assert as_student.get(there).status_code == 422


def test_whoever_left_is_not_listed(as_student: Client, teacher: Teacher, now: datetime) -> None:
    type(teacher.user).objects.filter(pk=teacher.user_id).update(deleted_at=now)
    assert as_student.get("/api/v1/availability/teachers/").json()["results"] == []


# ---------------------------------------------------------------- what it costs


@pytest.mark.parametrize("teachers", [1, 5])
def test_queries_of_all_slots(
    as_student: Client, course: Course, teacher: Teacher, teachers: int
) -> None:
    """Who teaches it, what is in the way, closed days: the same three for one and for many."""
    for number in range(1, teachers):
        course.teachers.add(make_teacher(f"t{number}@school.example"))
    with CaptureQueriesContext(connection) as queries:
        assert as_student.get(ALL, {"course": "violin"}).status_code == 200
    assert len(own(queries)) == 3
