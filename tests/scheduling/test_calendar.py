"""The month of one's own lessons."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from enrollment.models import Student, Teacher, User
from scheduling.domain.month import Cell, shifted, weeks_of
from scheduling.queries.calendar import lessons_of
from tests.conftest import make_student
from tests.scheduling.conftest import MakeLesson


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC)


def lessons_by_day(page: Any) -> dict[date, int]:
    return {
        cell.on: len(cell.entries)
        for week in page.context["month"].weeks
        for cell in week
        if cell.entries
    }


@pytest.mark.django_db
@pytest.mark.usefixtures("now")
class TestPage:
    def test_this_month_with_today_and_ways_on(self, as_student: Client) -> None:
        page = as_student.get("/calendar/")
        html = page.content.decode()
        assert page.status_code == 200
        assert "January 2026" in html
        assert '<table class="month' in html
        assert html.count('aria-current="date"') == 1
        assert "/calendar/2025/12/" in html
        assert "/calendar/2026/2/" in html
        assert "No lessons in this month." in html

    def test_only_own_lessons_on_ones_own_clock(
        self, as_student: Client, student: Student, make_lesson: MakeLesson
    ) -> None:
        student.zone = "Asia/Tokyo"
        student.save()
        make_lesson(at(9, 14, 59), at(9, 15, 30))  # 23:59 on the 9th in Tokyo
        make_lesson(at(9, 15, 30), at(9, 16))  # 00:30 on the 10th
        make_lesson(at(31, 15), at(31, 16))  # 1 February there
        make_lesson(datetime(2025, 12, 31, 15, tzinfo=UTC), at(1, 0))  # 1 January there
        make_lesson(at(20, 9), at(20, 10), status="cancelled")
        make_lesson(at(21, 9), at(21, 10), status="held", expires_at=at(22, 9))
        make_lesson(at(22, 9), at(22, 10), status="done")
        make_lesson(at(23, 9), at(23, 10), student=make_student("other@school.example"))
        page = as_student.get("/calendar/2026/1/")
        assert lessons_by_day(page) == {
            date(2026, 1, 1): 1,
            date(2026, 1, 9): 1,
            date(2026, 1, 10): 1,
            date(2026, 1, 22): 1,
        }
        assert "00:30" in page.content.decode()
        assert "Marta Rossi" in page.content.decode()

    def test_teachers_get_theirs_with_the_student(
        self, client: Client, teacher: Teacher, make_lesson: MakeLesson
    ) -> None:
        make_lesson(at(20, 9), at(20, 10))
        client.force_login(teacher.user)
        page = client.get("/calendar/")
        assert lessons_by_day(page) == {date(2026, 1, 20): 1}
        assert "Ada Vogel" in page.content.decode()

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/calendar/2026/13/", 404),
            ("/calendar/2026/0/", 404),
            ("/calendar/1999/12/", 404),
            ("/calendar/99999/1/", 404),
            ("/calendar/2000/1/", 200),
            ("/calendar/2100/12/", 200),
        ],
    )
    def test_months_that_are_not_shown(self, as_student: Client, path: str, status: int) -> None:
        assert as_student.get(path).status_code == status

    def test_others(self, client: Client, staff: User) -> None:
        assert client.get("/calendar/").status_code == 302
        client.force_login(staff)
        assert client.get("/calendar/")["Location"] == "/home/"

    def test_the_number_of_queries_stays_the_same(
        self, as_student: Client, make_lesson: MakeLesson
    ) -> None:
        counts = []
        for day in (5, 6, 7):
            make_lesson(at(day, 9), at(day, 10))
            with CaptureQueriesContext(connection) as queries:
                as_student.get("/calendar/2026/1/")
            counts.append(len(queries))
        assert len(set(counts)) == 1
        assert counts[0] <= 9  # with the version that the page has


@pytest.mark.django_db
@pytest.mark.usefixtures("many_lessons")
def test_the_plan_uses_both_columns_of_the_exclusion_index(student: Student) -> None:
    plan = lessons_of(person=student, since=at(1, 0), until=at(31, 0)).explain()
    condition = plan.split("lesson_student_once")[1].split("Index Cond:")[1].split("\n")[0]
    assert "student_id" in condition, plan
    assert "&&" in condition, plan


@given(st.integers(2000, 2100), st.integers(1, 12), st.dates(date(1999, 1, 1), date(2101, 1, 1)))
def test_a_month_is_whole_weeks_from_monday(year: int, month: int, today: date) -> None:
    weeks: list[list[Cell[int]]] = weeks_of(year, month, today=today, entries={})
    cells = [cell for week in weeks for cell in week]
    assert all(len(week) == 7 for week in weeks)
    assert all(week[0].on.weekday() == 0 for week in weeks)
    assert {cell.on.month for cell in cells if not cell.outside} == {month}
    assert sum(cell.today for cell in cells) <= 1
    first = date(year, month, 1)
    assert shifted(year, month, 0) == first
    after = shifted(year, month, 1)
    assert after is None or shifted(after.year, after.month, -1) == first
