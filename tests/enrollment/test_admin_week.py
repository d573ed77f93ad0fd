"""The office's week of one teacher and day of all: on the teacher's clock, in few queries."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from enrollment.operations.lessons import hold_slot
from enrollment.operations.office import plan_by_hand
from tests.conftest import Switches, make_student, make_teacher, make_user
from tests.enrollment.test_admin import boss, enrollment, office

__all__ = ["boss", "enrollment", "office"]

pytestmark = pytest.mark.django_db

WEEK, DAY = "admin:enrollment_lesson_week", "admin:enrollment_lesson_day"
MONDAY = date(2031, 3, 10)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def plan(enrollment: Enrollment, teacher: Teacher, on: date, at: time) -> Lesson:
    return plan_by_hand(enrollment=enrollment, teacher=teacher, on=on, at=at, now=NOW)


def week(client: Client, teacher: Teacher, /, **asked: Any) -> str:
    question: dict[str, Any] = {"teacher": teacher.pk, "on": "2031-03-12"}
    response = client.get(reverse(WEEK), question | asked)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def cell(content: str, day: str) -> str:
    """What stands on one day of the table."""
    return content.split(f'data-label="{day}"')[1].split("</td>")[0]


def test_lessons_and_what_is_free_between_them(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    plan(enrollment, teacher, MONDAY, time(16))
    made = plan(enrollment, teacher, MONDAY, time(17))

    content = week(office, teacher)

    monday = cell(content, "Monday 10 March")
    order = [
        "Free 07:00–16:00",
        "16:00–16:45",
        "Free 16:45–17:00",
        "17:00–17:45",
        "Free 17:45–21:00",
    ]
    assert sorted(order, key=monday.index) == order
    assert "Ada Vogel" in monday
    assert "Violin for beginners" in monday
    assert reverse("admin:enrollment_lesson_change", args=[made.pk]) in monday
    assert "Free 07:00–21:00" in cell(content, "Tuesday 11 March")
    assert "All times on the clock of Europe/Berlin." in content


def test_a_gap_leads_to_a_form_with_teacher_day_and_time(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    plan(enrollment, teacher, MONDAY, time(16))
    monday = cell(week(office, teacher), "Monday 10 March")
    link = monday.split("Free 16:45")[1].split('href="')[1].split('"')[0].replace("&amp;", "&")

    form = office.get(link).content.decode()

    for filled in ('value="2031-03-10"', 'value="16:45:00"', "Marta Rossi</option>"):
        assert filled in form


def test_it_is_the_teachers_clock(office: Client, enrollment: Enrollment) -> None:
    """Sunday 22:00 UTC is Monday in Kolkata."""
    kolkata = make_teacher("meera@school.example", "Asia/Kolkata")
    plan(enrollment, kolkata, MONDAY, time(3, 30))
    content = week(office, kolkata)
    assert "03:30–04:15" in cell(content, "Monday 10 March")
    assert "All times on the clock of Asia/Kolkata." in content


def test_the_week_in_which_the_clocks_go_forward(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    plan(enrollment, teacher, date(2031, 3, 28), time(16))
    plan(enrollment, teacher, date(2031, 3, 30), time(16))
    content = week(office, teacher, on="2031-03-27")
    for day in ("Friday 28 March", "Sunday 30 March"):
        assert "16:00–16:45" in cell(content, day)
        assert "Free 07:00–16:00" in cell(content, day)


def test_cancelled_lessons_are_struck_through_and_only_when_asked_for(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    plan(enrollment, teacher, MONDAY, time(16))
    Lesson.objects.update(status="cancelled")
    assert "16:00–16:45" not in week(office, teacher)
    monday = cell(week(office, teacher, cancelled="on"), "Monday 10 March")
    assert "<s>16:00–16:45</s>" in monday
    assert "Free 07:00–21:00" in monday, "a cancelled lesson takes no time"


def test_a_hold_says_until_when_and_an_expired_one_is_gone(
    office: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    start = datetime(2031, 3, 10, 15, tzinfo=UTC)
    hold_slot(student=student, course=course, teacher=teacher, starts_at=start, now=timezone.now())
    assert "Held until" in cell(week(office, teacher), "Monday 10 March")
    Lesson.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    assert "Held until" not in week(office, teacher)


def test_the_way_to_other_weeks(office: Client, teacher: Teacher) -> None:
    content = week(office, teacher)
    assert "on=2031-03-03" in content
    assert "on=2031-03-17" in content


@pytest.mark.parametrize("on", ["2000-01-03", "2099-12-28"])
def test_the_first_and_the_last_week(office: Client, teacher: Teacher, on: str) -> None:
    week(office, teacher, on=on)


@pytest.mark.parametrize(
    "asked",
    [
        {"teacher": "x"},
        {"teacher": "9" * 30},
        {"teacher": ""},
        {"on": "1999-12-31"},
        {"on": "2031-02-30"},
        {"on": "0001-01-01"},
        {"on": "tomorrow"},
        {"on": "\x00"},
    ],
)
def test_nonsense_is_said_at_its_field(
    office: Client, teacher: Teacher, asked: dict[str, str]
) -> None:
    content = week(office, teacher, **asked)
    assert 'class="office-error"' in content
    assert "office-week" not in content
    if "on" in asked:
        response = office.get(reverse(DAY), asked)
        assert response.status_code == 200
        assert 'class="office-error"' in response.content.decode()


def test_without_a_teacher_one_is_asked_for(office: Client) -> None:
    content = office.get(reverse(WEEK)).content.decode()
    assert "Choose a teacher to see a week" in content
    assert "office-error" not in content


def test_a_day_of_all_each_on_their_own_clock(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    """The same Monday is over in Adelaide when it has just begun in St. John's."""
    early = make_teacher("imogen@school.example", "Australia/Adelaide")
    late = make_teacher("maeve@school.example", "America/St_Johns")
    plan(enrollment, early, MONDAY, time(0, 15))
    plan(enrollment, late, MONDAY, time(23))
    plan(enrollment, teacher, MONDAY + timedelta(days=1), time(9))
    content = office.get(reverse(DAY), {"on": "2031-03-10"}).content.decode()
    assert "00:15–01:00" in content
    assert "23:00–23:45" in content
    assert "Europe/Berlin" not in content
    assert (
        "No teacher has a lesson" in office.get(reverse(DAY), {"on": "2031-05-01"}).content.decode()
    )


def test_both_cost_the_same_for_many_lessons(
    office: Client, course: Course, teacher: Teacher, enrollment: Enrollment
) -> None:
    addresses = (
        f"{reverse(WEEK)}?teacher={teacher.pk}&on=2031-03-10",
        f"{reverse(DAY)}?on=2031-03-10",
    )
    plan(enrollment, teacher, MONDAY, time(7))
    few = [_queries(office, address) for address in addresses]
    for number in range(10):
        other = Enrollment.objects.create(
            student=make_student(f"s{number}@school.example"), course=course
        )
        plan(other, teacher, MONDAY, time(8 + number))
        plan(other, make_teacher(f"t{number}@school.example"), MONDAY, time(20))

    assert [_queries(office, address) for address in addresses] == few
    assert max(few) <= 8


def _queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


@pytest.mark.parametrize("page", [WEEK, DAY])
def test_nobody_but_the_office_gets_in(
    client: Client, student: Student, teacher: Teacher, page: str
) -> None:
    assert client.get(reverse(page)).status_code == 302
    for user in (student.user, teacher.user):
        client.force_login(user)
        assert client.get(reverse(page)).status_code == 302
    client.force_login(make_user("guest@school.example", is_staff=True))
    assert client.get(reverse(page)).status_code == 403


def test_they_are_found_everywhere_with_every_feature_off(
    boss: Client, teacher: Teacher, switches: Switches
) -> None:
    switches.kill()
    index = boss.get(reverse("admin:index")).content.decode()
    lessons = boss.get(reverse("admin:enrollment_lesson_changelist")).content.decode()
    for page in (WEEK, DAY):
        assert f'href="{reverse(page)}"' in index
        assert f'href="{reverse(page)}"' in lessons
        assert boss.get(reverse(page)).status_code == 200
    own = reverse("admin:enrollment_teacher_week", args=[teacher.pk])
    assert (
        own
        in boss.get(reverse("admin:enrollment_teacher_change", args=[teacher.pk])).content.decode()
    )
    assert boss.get(own).headers["Location"] == f"{reverse(WEEK)}?teacher={teacher.pk}"
