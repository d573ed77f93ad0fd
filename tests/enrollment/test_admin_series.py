"""A series: every week is shown first, and then all that was chosen is planned, or nothing."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from enrollment.admin import series
from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from enrollment.operations.lessons import PersonDeleted, SlotTaken
from enrollment.operations.office import plan_by_hand
from tests.conftest import Switches, make_student, make_teacher, make_user
from tests.enrollment.test_admin import boss, enrollment, office

__all__ = ["boss", "enrollment", "office"]

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
FIRST = date(2031, 3, 10)
SUMMER = date(2031, 3, 31)  # on the other side of the change of 30 March


def address(enrollment: Enrollment, /, **asked: Any) -> str:
    page = reverse("admin:enrollment_enrollment_plan_series", args=[enrollment.pk])
    question = {"first_on": "2031-03-10", "at": "16:00", "every": 1, "count": 4} | asked
    return f"{page}?{'&'.join(f'{name}={value}' for name, value in question.items())}"


@pytest.fixture
def url(enrollment: Enrollment, teacher: Teacher) -> str:
    return address(enrollment, teacher=teacher.pk)


@pytest.fixture
def in_the_way(course: Course, teacher: Teacher) -> Lesson:
    """Somebody else's lesson in the second of the weeks."""
    other = Enrollment.objects.create(student=make_student("eve@school.example"), course=course)
    return plan_by_hand(
        enrollment=other, teacher=teacher, on=FIRST + timedelta(days=7), at=time(16, 30), now=NOW
    )


def text(response: Any) -> str:
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def weeks(response: Any) -> Sequence[str]:
    return text(response).split("<fieldset")[1:]


def options(week: str) -> list[str]:
    return re.findall(r'type="radio" name="[^"]+" value="([^"]+)"', week)


def chosen(response: Any) -> dict[str, str]:
    """What a browser would post."""
    inputs = re.findall(
        r'type="radio" name="([^"]+)" value="([^"]+)" required (checked)?', text(response)
    )
    return {name: value for name, value, checked in inputs if checked}


def starts() -> list[str]:
    found = Lesson.objects.filter(student__user__email="ada@school.example").order_by("period")
    return [f"{lesson.starts_at.astimezone(UTC):%m-%d %H:%M}" for lesson in found]


def test_every_week_is_shown_and_then_planned(
    office: Client, url: str, enrollment: Enrollment, teacher: Teacher
) -> None:
    """16:00 stays 16:00 on the teacher's clock, whatever the clocks do."""
    preview = office.get(url)
    assert [week.split("<legend>")[1].split("</legend>")[0].strip() for week in weeks(preview)] == [
        "1. Monday 10 March 2031",
        "2. Monday 17 March 2031",
        "3. Monday 24 March 2031",
        "4. Monday 31 March 2031",
    ]
    assert "4 of 4 weeks are free." in text(preview)
    assert not Lesson.objects.exists()

    done = office.post(url, chosen(preview), follow=True)

    assert "4 lessons planned." in text(done)
    assert starts() == ["03-10 15:00", "03-17 15:00", "03-24 15:00", "03-31 14:00"]
    assert {lesson.local_start for lesson in Lesson.objects.all()} == {time(16)}
    assert {lesson.enrollment for lesson in Lesson.objects.all()} == {enrollment}
    assert LogEntry.objects.count() == 5, "each lesson's and the enrollment's"


@pytest.mark.parametrize(("every", "days"), [(2, [0, 14, 28]), (8, [0, 56, 112])])
def test_every_so_many_weeks(
    office: Client, enrollment: Enrollment, teacher: Teacher, every: int, days: list[int]
) -> None:
    url = address(enrollment, teacher=teacher.pk, every=every, count=3)
    office.post(url, chosen(office.get(url)))
    made = Lesson.objects.order_by("period").values_list("local_on", flat=True)
    assert list(made) == [FIRST + timedelta(days=by) for by in days]


def test_a_clash_is_named_and_waits_for_a_choice(
    office: Client, url: str, in_the_way: Lesson
) -> None:
    preview = office.get(url)
    second = weeks(preview)[1]
    assert "Marta Rossi already has a lesson then: Violin for beginners, Monday 17 March" in second
    assert "checked" not in second, "nobody gets a lesson at an hour that nobody looked at"
    assert "2031-03-17T15:00:00Z" not in options(second)
    assert "2031-03-17T14:45:00Z" in options(second), "15:45 to 16:30 is the nearest"

    again = office.post(url, chosen(preview))

    assert "Choose a time, or skip this week." in weeks(again)[1]
    assert 'aria-invalid="true"' in weeks(again)[1]
    assert chosen(again) == chosen(preview)
    assert Lesson.objects.get() == in_the_way


@pytest.mark.parametrize(
    ("choice", "planned"),
    [
        ("2031-03-17T14:45:00Z", ["03-10 15:00", "03-17 14:45", "03-24 15:00", "03-31 14:00"]),
        ("2031-03-19T15:00:00Z", ["03-10 15:00", "03-19 15:00", "03-24 15:00", "03-31 14:00"]),
        ("skip", ["03-10 15:00", "03-24 15:00", "03-31 14:00"]),
    ],
)
def test_an_alternative_or_none_for_that_week(
    office: Client, url: str, in_the_way: Lesson, choice: str, planned: list[str]
) -> None:
    answers = chosen(office.get(url)) | {"week-2": choice}
    assert office.post(url, answers).status_code == 302
    assert starts() == planned


def test_taken_in_between_nothing_is_written_and_the_choices_stay(
    office: Client, url: str, enrollment: Enrollment, teacher: Teacher
) -> None:
    answers = chosen(office.get(url)) | {"week-4": "skip"}
    other = Enrollment.objects.create(
        student=make_student("eve@school.example"), course=enrollment.course
    )
    plan_by_hand(enrollment=other, teacher=teacher, on=date(2031, 3, 24), at=time(16), now=NOW)

    again = office.post(url, answers)

    assert "Some weeks need another choice." in text(again)
    third = weeks(again)[2]
    assert "Mon 24 March 2031, 16:00 has just been taken." in third
    assert "already has a lesson then" in third
    assert chosen(again) == {name: answers[name] for name in ("week-1", "week-2", "week-4")}
    assert starts() == []


@pytest.mark.parametrize(
    ("refused", "says"),
    [
        (SlotTaken, "Somebody was faster just now, so nothing was planned."),
        (PersonDeleted, "the account of this student or teacher is deleted."),
    ],
)
def test_taken_between_check_and_writing(
    office: Client,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    refused: type[Exception],
    says: str,
) -> None:
    answers = chosen(office.get(url))

    def too_late(**_asked: Any) -> None:
        raise refused

    monkeypatch.setattr(series, "plan_series", too_late)
    again = office.post(url, answers)
    assert says in text(again)
    assert chosen(again) == answers


def test_an_alternative_stays_though_the_planned_time_became_free(
    office: Client, url: str, in_the_way: Lesson
) -> None:
    answers = chosen(office.get(url)) | {"week-2": "2031-03-17T14:45:00Z"}
    Lesson.objects.filter(pk=in_the_way.pk).update(status="cancelled")
    assert office.post(url, answers).status_code == 302
    assert "03-17 14:45" in starts()


def test_the_button_pressed_twice_plans_once(office: Client, url: str) -> None:
    answers = chosen(office.get(url))
    office.post(url, answers)
    second = office.post(url, answers, follow=True)
    assert "These lessons are planned already. The second time nothing was planned." in text(second)
    assert len(starts()) == 4


def test_the_night_without_that_hour(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    url = address(enrollment, teacher=teacher.pk, first_on="2031-03-23", at="02:30", count=2)
    preview = office.get(url)
    second = weeks(preview)[1]
    assert "the clocks go forward that night: choose 03:30 instead." in second
    assert "checked" not in second
    assert "2031-03-30T01:15:00Z" in options(second), "03:15 on the wall"
    office.post(url, chosen(preview) | {"week-2": "2031-03-30T01:15:00Z"})
    assert starts() == ["03-23 01:30", "03-30 01:15"]


def test_the_hour_that_comes_twice_means_its_first_time(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    url = address(enrollment, teacher=teacher.pk, first_on="2031-10-26", at="02:30", count=1)
    preview = office.get(url)
    assert "This hour comes twice that night; the first is meant." in weeks(preview)[0]
    office.post(url, chosen(preview))
    assert starts() == ["10-26 00:30"]


def test_the_students_clock_stands_beside_the_teachers(
    office: Client, enrollment: Enrollment
) -> None:
    kolkata = make_teacher("meera@school.example", "Asia/Kolkata")
    preview = office.get(address(enrollment, teacher=kolkata.pk))
    assert "16:00 (for the student 11:30)" in weeks(preview)[0]
    assert "16:00 (for the student 12:30)" in weeks(preview)[3]


@pytest.mark.parametrize(
    "answer",
    ["", "x", "9999-12-31T23:59:59-23:59", "2031-03-17T15:00", "2031-03-18T15:00:00Z", "\x00"],
)
def test_a_choice_that_was_never_offered(
    office: Client, url: str, in_the_way: Lesson, answer: str
) -> None:
    """Free or not: 18 March is on the list for this week, but not at every hour."""
    never = answer.replace("T15:00:00Z", "T03:00:00Z")
    again = office.post(url, chosen(office.get(url)) | {"week-2": never})
    assert "office-error" in weeks(again)[1]
    assert starts() == []


def test_skipping_everything_is_said(office: Client, url: str) -> None:
    again = office.post(url, {f"week-{number}": "skip" for number in range(1, 5)})
    assert "Every week is skipped, so there is nothing to plan." in text(again)


@pytest.mark.parametrize(
    "asked",
    [
        {"first_on": "2031-02-30"},
        {"first_on": ""},
        {"first_on": "1999-12-31"},
        {"first_on": "9999-12-31"},
        {"at": "25:00"},
        {"at": ""},
        {"every": 0},
        {"every": 9},
        {"every": "x"},
        {"count": 0},
        {"count": 53},
        {"teacher": ""},
        {"teacher": "9" * 30},
    ],
)
def test_bad_input_is_said_at_its_field(
    office: Client, enrollment: Enrollment, teacher: Teacher, asked: dict[str, Any]
) -> None:
    url = address(enrollment, **{"teacher": teacher.pk, **asked})
    for response in (office.get(url), office.post(url, {"week-1": "2031-03-10T15:00:00Z"})):
        content = text(response)
        assert content.count('class="office-error"') == 1
        assert "<fieldset" not in content
    assert not Lesson.objects.exists()


def test_the_longest_series(office: Client, enrollment: Enrollment, teacher: Teacher) -> None:
    url = address(enrollment, teacher=teacher.pk, first_on="2099-12-31", every=8, count=52)
    assert office.post(url, chosen(office.get(url))).status_code == 302
    assert Lesson.objects.count() == 52


def test_nothing_is_planned_for_what_is_over(office: Client, url: str) -> None:
    answers = chosen(office.get(url))
    Enrollment.objects.update(status="completed")
    for response in (office.get(url), office.post(url, answers)):
        assert "This enrollment is over; nothing is planned." in text(response)
    assert not Lesson.objects.exists()


def test_a_preview_costs_the_same_for_many_weeks(
    office: Client, enrollment: Enrollment, teacher: Teacher, in_the_way: Lesson
) -> None:
    counts = set()
    for weeks_asked in (2, 52):
        with CaptureQueriesContext(connection) as queries:
            office.get(address(enrollment, teacher=teacher.pk, count=weeks_asked))
        counts.add(len(queries))
    assert len(counts) == 1
    assert max(counts) <= 9


def test_nobody_but_the_office_gets_in(
    client: Client, url: str, student: Student, teacher: Teacher
) -> None:
    for user in (None, student.user, teacher.user):
        if user:
            client.force_login(user)
        assert client.get(url).status_code == 302
        assert client.post(url, {"week-1": "2031-03-10T15:00:00Z"}).status_code == 302
    client.force_login(make_user("guest@school.example", is_staff=True))
    assert client.get(url).status_code == 403
    assert client.post(url).status_code == 403
    assert not Lesson.objects.exists()


@pytest.mark.parametrize("object_id", ["0", "x", "9" * 30])
def test_an_enrollment_that_is_none(office: Client, object_id: str) -> None:
    page = reverse("admin:enrollment_enrollment_plan_series", args=[object_id])
    assert office.get(page).status_code == 404


def test_it_works_from_the_enrollment_with_every_feature_off(
    office: Client, url: str, enrollment: Enrollment, switches: Switches
) -> None:
    switches.kill()
    change = reverse("admin:enrollment_enrollment_change", args=[enrollment.pk])
    page = url.partition("?")[0]
    assert f'href="{page}"' in office.get(change).content.decode()
    assert "Show the weeks" in text(office.get(page))
    assert office.post(url, chosen(office.get(url))).status_code == 302
    assert len(starts()) == 4
