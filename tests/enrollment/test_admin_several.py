"""Several lessons chosen in the list and moved or cancelled: all of them, or none."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from enrollment.models import Enrollment, Lesson, Student, Teacher
from enrollment.operations.office import plan_by_hand
from tests.conftest import Switches, make_student, make_teacher, make_user
from tests.enrollment.test_admin import enrollment, office, page

__all__ = ["enrollment", "office"]

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
FIRST = date(2031, 3, 10)


def plan(enrollment: Enrollment, teacher: Teacher, weeks: int, at: time = time(16)) -> Lesson:
    on = FIRST + timedelta(weeks=weeks)
    return plan_by_hand(enrollment=enrollment, teacher=teacher, on=on, at=at, now=NOW)


@pytest.fixture
def series(enrollment: Enrollment, teacher: Teacher) -> list[Lesson]:
    """Three Mondays, 10, 17 and 24 March."""
    return [plan(enrollment, teacher, week) for week in range(3)]


def ask(client: Client, action: str, lessons: list[Lesson], **answers: Any) -> Any:
    chosen = {"action": action, "_selected_action": [lesson.pk for lesson in lessons]}
    return client.post(page("lesson", "changelist"), chosen | answers, follow=True)


def move(client: Client, lessons: list[Lesson], **answers: Any) -> str:
    asked = {"confirmed": "1", "days": "7", "at": "", "teacher": "", "reason": ""}
    response = ask(client, "move_selected", lessons, **asked | answers)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def places() -> list[str]:
    lessons = Lesson.objects.filter(status="planned").order_by("period")
    return [f"{lesson.local_on:%m-%d} {lesson.local_start:%H:%M}" for lesson in lessons]


@pytest.mark.parametrize("action", ["move_selected", "cancel_selected"])
def test_first_it_is_asked(office: Client, series: list[Lesson], action: str) -> None:
    Lesson.objects.filter(pk=series[0].pk).update(status="done")
    content = ask(office, action, series).content.decode()
    assert "Mon 17 March 2031, 16:00" in content
    assert "Mon 10 March 2031" not in content
    assert "1 was not planned and stays." in content
    assert places() == ["03-17 16:00", "03-24 16:00"]


def test_cancelling_several_keeps_the_reason_in_each_history(
    office: Client, series: list[Lesson], switches: Switches
) -> None:
    switches.kill()
    done = ask(office, "cancel_selected", series[:2], confirmed="1", reason="Snow.")
    assert "2 lessons cancelled." in done.content.decode()
    assert places() == ["03-24 16:00"]
    kept = [entry.get_change_message() for entry in LogEntry.objects.all()]
    assert kept == ["Cancelled. Reason: Snow."] * 2


@pytest.mark.parametrize(
    ("days", "moved"),
    [
        (7, ["03-17 16:00", "03-24 16:00", "03-31 16:00"]),
        (-7, ["03-03 16:00", "03-10 16:00", "03-17 16:00"]),
        (1, ["03-11 16:00", "03-18 16:00", "03-25 16:00"]),
    ],
)
def test_a_series_moves_into_its_own_places(
    office: Client, series: list[Lesson], days: int, moved: list[str]
) -> None:
    assert "3 lessons moved." in move(office, series, days=days, reason="Ill.")
    assert places() == moved
    entry = LogEntry.objects.latest("pk").get_change_message()
    assert entry.startswith("Moved from Monday")
    assert entry.endswith("Reason: Ill.")


def test_another_time(office: Client, series: list[Lesson]) -> None:
    move(office, series, days=0, at="09:30")
    assert places() == ["03-10 09:30", "03-17 09:30", "03-24 09:30"]


def test_a_substitute_on_another_clock_teaches_at_the_same_moment(
    office: Client, series: list[Lesson]
) -> None:
    kolkata = make_teacher("meera@school.example", "Asia/Kolkata")
    before = [lesson.period for lesson in series]
    move(office, series, days=0, teacher=kolkata.pk)
    after = Lesson.objects.order_by("period")
    assert [lesson.period for lesson in after] == before
    assert {(lesson.teacher, lesson.zone, lesson.local_start) for lesson in after} == {
        (kolkata, "Asia/Kolkata", time(20, 30))
    }


def test_one_in_the_way_and_none_is_moved(
    office: Client, series: list[Lesson], enrollment: Enrollment, teacher: Teacher
) -> None:
    other = Enrollment.objects.create(
        student=make_student("eve@school.example"), course=enrollment.course
    )
    plan(other, teacher, 2, at=time(18))
    content = move(office, series, days=0, at="18:00", reason="Kept on the page.")
    assert "Nothing was moved. Monday 24 March 2031, 16:00–16:45" in content
    assert "Marta Rossi already has a lesson then" in content
    assert 'value="18:00"' in content
    assert "Kept on the page." in content
    assert places() == ["03-10 16:00", "03-17 16:00", "03-24 16:00", "03-24 18:00"]
    assert not LogEntry.objects.exists()


def test_two_of_them_would_meet(office: Client, enrollment: Enrollment, teacher: Teacher) -> None:
    lessons = [plan(enrollment, teacher, 0), plan(enrollment, teacher, 0, at=time(18))]
    assert "Nothing was moved." in move(office, lessons, days=1, at="10:00")
    assert places() == ["03-10 16:00", "03-10 18:00"]


def test_a_night_without_that_hour(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    lesson = plan(enrollment, teacher, 2, at=time(2, 30))
    content = move(office, [lesson], days=6)
    assert "the clocks go forward that night: choose 03:30 instead." in content
    assert places() == ["03-24 02:30"]


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"days": ""}, "This field is required."),
        ({"days": "x"}, "Enter a whole number."),
        ({"days": "367"}, "less than or equal to 366"),
        ({"days": "-367"}, "greater than or equal to -366"),
        ({"days": "0"}, "Like this every lesson stays where it is."),
        ({"at": "25:00"}, "Enter a valid time."),
        ({"teacher": "x"}, "not one of the available choices"),
        ({"reason": "x" * 201}, "at most 200 characters"),
    ],
)
def test_bad_input_is_said_at_its_field(
    office: Client, series: list[Lesson], answers: dict[str, str], error: str
) -> None:
    content = move(office, series, **answers)
    assert error in content
    assert content.count('class="office-error"') == 1
    assert places() == ["03-10 16:00", "03-17 16:00", "03-24 16:00"]


def test_nothing_planned_among_them(office: Client, series: list[Lesson]) -> None:
    Lesson.objects.update(status="done")
    assert "None of these lessons is planned" in move(office, series)
    assert set(Lesson.objects.values_list("status", flat=True)) == {"done"}


def test_too_many_at_once(
    office: Client, series: list[Lesson], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enrollment.admin.several.MOST", 2)
    assert "more than 2 lessons. Please choose fewer" in move(office, series)
    assert places() == ["03-10 16:00", "03-17 16:00", "03-24 16:00"]


def test_the_page_costs_the_same_for_many_lessons(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    lessons = [plan(enrollment, teacher, week) for week in range(12)]
    counts = set()
    for chosen in (lessons[:2], lessons):
        with CaptureQueriesContext(connection) as queries:
            ask(office, "move_selected", chosen)
        counts.add(len(queries))
    assert len(counts) == 1


def test_nobody_but_the_office(client: Client, series: list[Lesson], student: Student) -> None:
    answers = {"confirmed": "1", "reason": ""}
    viewer = make_user("guest@school.example", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_lesson"))
    for user in (student.user, viewer):
        client.force_login(user)
        ask(client, "cancel_selected", series, **answers)
        ask(client, "move_selected", series, **answers, days="7")
    assert places() == ["03-10 16:00", "03-17 16:00", "03-24 16:00"]
