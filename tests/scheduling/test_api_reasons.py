"""Why there is nothing free: all of it for the teacher and the office, politely for everybody else."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.roles import give_permissions
from enrollment.models import Course, Student, Teacher, User
from holidays.models import Holiday
from scheduling.domain import polite
from scheduling.domain.polite import day_told
from scheduling.domain.reasons import DayReasons, Missing, Why
from scheduling.models import BookingPolicy, TimeOff
from tests.conftest import make_student, make_teacher
from tests.scheduling.conftest import MakeLesson
from tests.scheduling.test_api_bookings import as_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now", "monday_hours", "course")]
REASONS = "/api/v1/availability/reasons/"
FIRST = datetime(2026, 1, 19, 15, 0, tzinfo=UTC)
LESSON = timedelta(minutes=45)
WEEK = timedelta(weeks=1)


@pytest.fixture
def busy(teacher: Teacher, make_lesson: MakeLesson, student: Student) -> None:
    """A Monday with somebody else's and an own lesson, one with time off, one that is a holiday."""
    make_lesson(FIRST, FIRST + LESSON, student=make_student("ben@school.example"))
    elsewhere = make_teacher("elsewhere@school.example")
    make_lesson(FIRST + LESSON, FIRST + 2 * LESSON, teacher=elsewhere)
    away = DateTimeTZRange(FIRST + WEEK - LESSON, FIRST + WEEK + 2 * LESSON)
    TimeOff.objects.create(teacher=teacher, period=away, reason="At the dentist")
    Holiday.objects.create(name="Carnival", first_on=date(2026, 2, 2), last_on=date(2026, 2, 2))


def ask(client: Client, teacher: Teacher, **asked: str) -> Any:
    return client.get(REASONS, {"course": "violin", "teacher": str(teacher.pk), **asked})


def mondays(answer: Any) -> dict[str, Any]:
    return {day["date"]: day for day in answer.json()["days"] if day["missing"] or day["free"]}


@pytest.mark.usefixtures("busy")
def test_a_student_learns_what_is_theirs_to_know(as_student: Client, teacher: Teacher) -> None:
    answer = ask(as_student, teacher)
    assert answer.status_code == 200
    assert answer.json()["fully"] is False
    assert len(answer.json()["days"]) == 28
    first, second, third, _free = mondays(answer).values()
    assert (first["free"], first["why"]) == (1, None)
    assert first["missing"] == [
        {
            "start": "2026-01-19T15:00:00Z",
            "end": "2026-01-19T15:45:00Z",
            "local_start": "2026-01-19T16:00:00+01:00",
            "why": "taken",
            "words": "This time is taken.",
            "note": "",
        },
        {
            "start": "2026-01-19T15:45:00Z",
            "end": "2026-01-19T16:30:00Z",
            "local_start": "2026-01-19T16:45:00+01:00",
            "why": "own_lesson",
            "words": "You have another lesson at this time.",
            "note": "",
        },
    ]
    assert [one["why"] for one in second["missing"]] == ["away", "away"]
    assert (third["why"], third["note"], third["words"]) == (
        "closed",
        "Carnival",
        "Closed: Carnival.",
    )
    text = answer.content.decode()
    for private in ("dentist", "Ben", "ben@", "time_off", '"lesson"'):
        assert private not in text


@pytest.mark.usefixtures("busy")
def test_teacher_and_office_learn_everything(teacher: Teacher, staff: User) -> None:
    give_permissions()
    for user in (teacher.user, staff):
        answer = ask(as_user(user), teacher)
        assert answer.json()["fully"] is True
        first, second, third, _free = mondays(answer).values()
        assert [one["why"] for one in first["missing"]] == ["lesson"]
        assert {(one["why"], one["note"]) for one in second["missing"]} == {
            ("time_off", "At the dentist")
        }
        assert third["words"] == "Holiday: Carnival."
        # Not even they read here whose lesson it is.
        assert "ben@" not in answer.content.decode()


@pytest.mark.usefixtures("busy")
def test_another_teacher_is_a_stranger(teacher: Teacher) -> None:
    answer = ask(as_user(make_teacher("other@school.example").user), teacher)
    assert answer.json()["fully"] is False
    assert "dentist" not in answer.content.decode()


def test_breaks_and_limits_are_taken_to_others(
    as_student: Client, teacher: Teacher, make_lesson: MakeLesson
) -> None:
    BookingPolicy.objects.create(teacher=teacher, buffer_after=10)
    make_lesson(FIRST, FIRST + LESSON, student=make_student("ben@school.example"), buffer_after=10)
    theirs = mondays(ask(as_student, teacher, to="2026-01-19"))["2026-01-19"]
    own = mondays(ask(as_user(teacher.user), teacher, to="2026-01-19"))["2026-01-19"]
    assert [one["why"] for one in own["missing"]] == ["lesson", "buffer"]
    assert [one["why"] for one in theirs["missing"]] == ["taken", "taken"]
    assert {one["words"] for one in theirs["missing"]} == {"This time is taken."}


def test_most_together_counts() -> None:
    """Two own lessons, and one each of a lesson, a break and a limit, which are all taken."""
    whys = (Why.OWN_LESSON, Why.OWN_LESSON, Why.LESSON, Why.BUFFER, Why.DAY_LIMIT)
    missing = [Missing(period=(n, n + 1), why=why) for n, why in enumerate(whys)]
    day = DayReasons(day=date(2026, 1, 19), free=[], missing=missing, why=Why.OWN_LESSON)
    assert day_told(day, fully=True) == (Why.OWN_LESSON, "")
    assert day_told(day, fully=False) == (Why.LESSON, "")


def test_every_reason_has_a_code() -> None:
    for why in Why:
        for fully in (True, False):
            assert polite.code(polite.told(why, fully=fully), fully=fully) in polite.CODES
    hidden = {"lesson", "time_off", "buffer", "day_limit", "week_limit"}
    told = {polite.code(polite.told(why, fully=False), fully=False) for why in Why}
    assert not told & hidden


def test_what_is_offered_is_not_missing_and_the_other_way_round(
    as_student: Client, teacher: Teacher, make_lesson: MakeLesson
) -> None:
    make_lesson(FIRST, FIRST + LESSON, student=make_student("ben@school.example"))
    slots = as_student.get("/api/v1/availability/slots/", {"course": "violin"}).json()["slots"]
    days = ask(as_student, teacher).json()["days"]
    missing = {one["start"] for day in days for one in day["missing"]}
    assert sum(day["free"] for day in days) == len(slots)
    assert not missing & {slot["start"] for slot in slots}


@pytest.mark.parametrize(
    ("asked", "status", "where"),
    [
        ({"course": ""}, 400, "course"),
        ({"teacher": "x"}, 400, "teacher"),
        ({"from": "2026-01-19T10:00:00Z"}, 400, "from"),
        ({"from": "0001-01-01"}, 400, "from"),
        ({"to": "9999-12-31"}, 400, "to"),
        ({"to": "2026-01-13"}, 422, "to"),
        ({"from": "2026-01-01", "to": "2026-02-01"}, 422, "to"),
        ({"zone": "UTC"}, 400, "zone"),
    ],
)
def test_what_is_wrong_is_said_at_its_parameter(
    as_student: Client, teacher: Teacher, asked: dict[str, str], status: int, where: str
) -> None:
    whole = {"course": "violin", "teacher": str(teacher.pk), **asked}
    answer = as_student.get(REASONS, whole)
    assert answer.status_code == status
    assert {error["parameter"] for error in answer.json()["errors"]} == {where}


def test_31_days_and_both_ends_of_the_calendar(as_student: Client, teacher: Teacher) -> None:
    month = ask(as_student, teacher, **{"from": "2026-01-01", "to": "2026-01-31"})
    assert len(month.json()["days"]) == 31
    for day, why in (("2000-01-03", "past"), ("2100-12-27", "horizon")):
        found = ask(as_student, teacher, **{"from": day, "to": day}).json()["days"]
        assert [one["why"] for one in found] == [why]


def test_only_teachers_of_that_course(as_student: Client, course: Course) -> None:
    assert ask(as_student, make_teacher("stranger@school.example")).status_code == 404


def test_queries(as_student: Client, teacher: Teacher) -> None:
    """Who teaches it, what is in the way, closed days; and what the asking person may know."""
    with CaptureQueriesContext(connection) as queries:
        ask(as_student, teacher)
    reads = [query["sql"] for query in queries if query["sql"].split()[0] in ("SELECT", "WITH")]
    login = ("session", 'FROM "enrollment_user"', "auth_permission")
    own = [sql for sql in reads if not any(part in sql for part in login)]
    assert len(own) == 3, own
