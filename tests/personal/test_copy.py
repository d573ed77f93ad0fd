"""A person's own copy of everything that is kept about them."""

import json
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from enrollment.models import Course, Student, Teacher, User
from tests.conftest import Switches, make_student
from tests.personal.full_person import Learning, fill_teacher, lesson

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("flag_rows")]

COPY = "/my/data/copy/"
DELETE = "/my/data/delete/"
ANSWERS = {"password": "correct horse", "sure": "on"}


def test_a_student_gets_all_of_it_as_one_file(as_student: Client, learning: Learning) -> None:
    response = as_student.get(COPY)
    assert response["Content-Type"] == "application/json"
    assert "attachment; filename=" in response["Content-Disposition"]
    assert "no-store" in response["Cache-Control"]
    copy = response.json()
    assert copy["account"]["addresses"][0]["email"] == "ada@school.example"
    assert copy["account"]["groups"] == ["student"]
    assert copy["account"]["changed_by_the_office"][0]["what"] == "user"
    (enrollment,) = copy["school"]["enrollments"]
    assert enrollment["payment_reference"] == "PAY-2026-17"
    assert enrollment["teacher"] == "Marta Rossi"
    assert {row["id"] for row in copy["school"]["lessons"]} == {
        learning.past.pk,
        learning.coming.pk,
        learning.held.pk,
    }
    assert copy["unfinished_enrollments"]["drafts"][0]["answers"] == {"note": "half a sentence"}


def test_what_happened_to_lessons_with_the_own_reasons_only(
    as_student: Client, learning: Learning
) -> None:
    changes = as_student.get(COPY).json()["lesson_changes"]["changes"]
    assert [(one["by_you"], one["reason"]) for one in changes] == [
        (True, "Ada has a toothache"),
        (False, ""),
    ]
    assert {one["lesson"] for one in changes} == {learning.coming.pk}


def test_moments_in_the_copy_name_their_zone(as_student: Client, learning: Learning) -> None:
    coming = as_student.get(COPY).json()["school"]["lessons"][1]
    starts = datetime.fromisoformat(coming["starts_at"])
    assert starts == learning.coming.starts_at
    assert starts.utcoffset() == timedelta(0)
    assert coming["agreed"]["zone"] == "Europe/Berlin"


def test_the_copy_holds_no_secrets_and_nobody_else(as_student: Client, student: Student) -> None:
    make_student("someone.else@school.example")
    text = as_student.get(COPY).content.decode()
    session = as_student.cookies["sessionid"].value
    secrets = (student.user.password, session, "marta@school.example", "someone.else")
    assert [secret for secret in secrets if secret in text] == []


def test_office_notes_are_in_the_offices_copy_only(
    as_student: Client, client: Client, admin: User, student: Student
) -> None:
    mine = as_student.get(COPY)
    assert "sister" not in mine.content.decode()
    assert mine.json()["about"]["ask_the_office_for"] == [
        "The office’s own notes about your enrollments",
        "Lessons that could not be as planned, and what the office did about them",
    ]
    client.force_login(admin)
    page = reverse("admin:enrollment_user_copy_data", args=[student.user.pk])
    (note,) = client.get(page).json()["office_notes"]["enrollments"]
    assert note["office_note"] == "Her sister pays"


def test_the_offices_copy_is_no_way_around_the_reason_for_reading(
    as_student: Client, client: Client, admin: User, student: Student, learning: Learning
) -> None:
    """Who opened a conversation, and why, is written down; a copy would be read by nobody's eyes."""
    assert "Well done, Ada" in as_student.get(COPY).content.decode()
    client.force_login(admin)
    copy = client.get(reverse("admin:enrollment_user_copy_data", args=[student.user.pk]))
    assert "Well done" not in copy.content.decode()
    assert "I am shy, says Ada" not in copy.content.decode()
    assert copy.json()["about"]["ask_the_person_for"] == [
        "The messages between you and your teachers or students"
    ]


def test_a_teachers_copy(
    client: Client, teacher: Teacher, learning: Learning, now: datetime
) -> None:
    fill_teacher(teacher, now=now)
    client.force_login(teacher.user)
    copy = client.get(COPY).json()
    assert copy["school"]["teacher"]["about"] == "Marta plays in two ensembles."
    assert copy["school"]["teacher"]["courses"] == ["Violin for beginners"]
    assert len(copy["school"]["lessons_given"]) == 3
    hours = copy["teaching_hours"]
    assert hours["weekly_hours"][0]["from"] == "16:00:00"
    assert hours["weekly_hours"][0]["every_weeks"] == 1
    assert hours["different_hours"][0]["note"] == "Marta plays in Graz"
    assert hours["time_off"][0]["reason"] == "Marta's knee"
    assert hours["booking_policies"] == [{"course": None, "buffer_after": 10}]
    assert copy["closures"]["region"] == "DE-BY"
    assert copy["closures"]["closures_of_yours"][0]["name"] == "Marta's training"
    assert copy["features"]["early_features"] == ["ENABLE_CALENDAR_DISPLAY"]
    assert copy["features"]["flag_changes"][0]["reason"] == "wrong times"
    assert "Vogel" not in json.dumps(copy)


def test_a_long_history_costs_no_more_queries(
    as_student: Client,
    student: Student,
    teacher: Teacher,
    course: Course,
    now: datetime,
) -> None:
    as_student.get(COPY)  # what is looked up once in a process is known from then on
    with CaptureQueriesContext(connection) as short:
        assert len(as_student.get(COPY).json()["school"]["lessons"]) == 3
    for week in range(30):
        starts = now - timedelta(days=7 * week + 2)
        lesson(student=student, teacher=teacher, course=course, starts=starts, status="done")
    with CaptureQueriesContext(connection) as long:
        assert len(as_student.get(COPY).json()["school"]["lessons"]) == 33
    assert len(long) == len(short) < 70


def test_with_every_feature_off_nothing_is_missing(as_student: Client, switches: Switches) -> None:
    before = as_student.get(COPY).json()
    switches.kill()
    after = as_student.get(COPY).json()
    for copy in (before, after):
        del copy["about"]
    assert after == before
    assert as_student.get("/my/data/").status_code == 200


def test_an_anonymous_visitor_is_sent_to_the_login(client: Client) -> None:
    for page in ("/my/data/", COPY, DELETE):
        assert client.get(page)["Location"].startswith("/accounts/login/")
    assert client.post(DELETE, ANSWERS)["Location"].startswith("/accounts/login/")


def test_the_account_pages_lead_there(as_student: Client) -> None:
    text = as_student.get("/accounts/email/").content.decode()
    assert 'href="/my/data/"' in text
