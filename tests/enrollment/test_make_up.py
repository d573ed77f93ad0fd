"""What the school owes: seen by the student, used up by a lesson, given back when that is cancelled."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from enrollment.models import (
    Course,
    Lesson,
    MakeUpCredit,
    Student,
    Teacher,
)
from tests.conftest import make_student
from tests.enrollment.contradictory import START, enrolled, lesson
from tests.enrollment.test_admin import office, page
from tests.enrollment.test_admin_conflicts import text

__all__ = ["office"]

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def credit(student: Student, course: Course, teacher: Teacher) -> MakeUpCredit:
    enrollment = enrolled(student, course, teacher=teacher)
    cancelled = lesson(enrollment, teacher, status="cancelled")
    return MakeUpCredit.objects.create(enrollment=enrollment, lesson=cancelled, minutes=45)


def plan(client: Client, credit: MakeUpCredit, **more: Any) -> Any:
    answers = {
        "enrollment": credit.enrollment_id,
        "teacher": credit.enrollment.teacher_id,
        "local_on": "2031-03-17",
        "local_start": "16:00",
    }
    return client.post(page("lesson", "add"), answers | more)


def test_the_student_and_the_office_see_what_is_owed(
    office: Client, client: Client, credit: MakeUpCredit, student: Student
) -> None:
    owed = "1 lesson is owed"
    assert owed in text(office.get(page("enrollment", "change", credit.enrollment_id)))
    for answer, listed in (("no", True), ("yes", False)):
        content = text(office.get("/admin/enrollment/makeupcredit/", {"made_up": answer}))
        assert ("Ada Vogel" in content) == listed
    client.force_login(student.user)
    content = text(client.get(f"/enrollments/{credit.enrollment_id}/"))
    assert "45 minutes for the lesson on Monday 10 March 2031, which was cancelled." in content


def test_planning_uses_it_up_and_cancelling_gives_it_back(
    office: Client, credit: MakeUpCredit
) -> None:
    assert plan(office, credit, use_credit="on").status_code == 302
    made = Lesson.objects.get(status="planned")
    credit.refresh_from_db()
    assert credit.used_lesson == made
    assert not credit.is_open
    again = plan(office, credit, use_credit="on", local_start="18:00").content.decode()
    assert "The school owes this student no lesson." in again
    assert 'value="18:00"' in again
    Lesson.objects.filter(pk=made.pk).update(status="cancelled")
    assert plan(office, credit, use_credit="on", local_start="18:00").status_code == 302
    credit.refresh_from_db()
    assert credit.used_lesson == Lesson.objects.get(status="planned")


def test_planning_without_the_tick_leaves_it(office: Client, credit: MakeUpCredit) -> None:
    plan(office, credit)
    credit.refresh_from_db()
    assert credit.is_open


def test_the_office_says_which_lesson_made_up_for_it(
    office: Client, credit: MakeUpCredit, teacher: Teacher, course: Course
) -> None:
    made = lesson(credit.enrollment, teacher, START + 48 * HOUR)
    others = lesson(
        enrolled(make_student("eve@school.example"), course), teacher, START + 72 * HOUR
    )
    url = page("makeupcredit", "change", credit.pk)
    assert "12 March 2031" in text(office.get(url))
    refused = office.post(url, {"used_lesson": others.pk, "note": "Mine."}).content.decode()
    assert "Select a valid choice" in refused
    assert "Mine." in refused
    assert office.post(url, {"used_lesson": made.pk, "note": "x"}).status_code == 302
    credit.refresh_from_db()
    assert (credit.used_lesson, credit.note) == (made, "x")
    assert office.post(url, {"used_lesson": "", "note": "x"}).status_code == 302
    credit.refresh_from_db()
    assert (credit.used_lesson, credit.used_at) == (None, None)
