"""What is free instead of a taken time: links that fill in the form, under the same rules."""

import re
from datetime import date, time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from enrollment.models import Enrollment, Lesson, Student, Teacher
from enrollment.queries.busy import BUSY
from tests.conftest import Switches, make_student, make_teacher
from tests.enrollment.test_admin import NOW, enrollment, lesson, office, page
from tests.enrollment.test_admin_lessons import change, plan
from tests.scheduling.conftest import many_lessons

__all__ = ["enrollment", "lesson", "many_lessons", "office"]

pytestmark = pytest.mark.django_db


def offers(response: Any) -> dict[str, str]:
    """Words and address of each."""
    section = response.content.decode().split('id="offers"')[1].split("</section>")[0]
    links = re.findall(r'href="([^"]+)">([^<]+)</a>', section)
    return {words: link.replace("&amp;", "&") for link, words in links}


def test_a_clash_offers_the_nearest_times_of_both(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    """16:00 is the teacher's, 17:00 the student's: what is left lies around both."""
    other = Enrollment.objects.create(
        student=make_student("eve@school.example"), course=enrollment.course
    )
    plan(office, other, teacher)
    plan(office, enrollment, make_teacher("ines@school.example"), local_start="17:00")

    offered = offers(plan(office, enrollment, teacher))

    assert list(offered) == [
        "Mon 10 March 2031, 15:15",
        "Mon 10 March 2031, 15:00",
        "Mon 10 March 2031, 14:45",
        "Mon 10 March 2031, 14:30",
        "Tue 11 March 2031, 16:00",
        "Wed 12 March 2031, 16:00",
        "Thu 13 March 2031, 16:00",
        "Mon 17 March 2031, 16:00",
    ]


def test_an_offer_fills_in_the_form_and_can_be_saved(
    office: Client, enrollment: Enrollment, teacher: Teacher, switches: Switches
) -> None:
    switches.kill()
    plan(office, enrollment, teacher)
    other = Enrollment.objects.create(
        student=make_student("eve@school.example"), course=enrollment.course
    )
    link = offers(plan(office, other, teacher))["Mon 10 March 2031, 16:45"]

    form = office.get(page("lesson", "add") + link).content.decode()

    assert Lesson.objects.count() == 1
    assert "The time is filled in and not saved yet" in form
    for filled in ('value="2031-03-10"', 'value="16:45:00"', f'value="{other.pk}" selected'):
        assert filled in form
    assert plan(office, other, teacher, local_start="16:45:00").status_code == 302


def test_an_offer_for_a_lesson_that_is_moved(
    office: Client, lesson: Lesson, enrollment: Enrollment, teacher: Teacher
) -> None:
    """Its own old place is no obstacle, and the address of the offer no answer already given."""
    plan(office, enrollment, teacher)
    response = change(office, lesson, local_on="2031-03-10", local_start="15:30")
    link = offers(response)["Mon 10 March 2031, 15:15"]
    url = page("lesson", "change", lesson.pk) + link
    assert 'value="15:15:00"' in office.get(url).content.decode()

    answers = {"teacher": teacher.pk, "local_on": "2031-03-10", "local_start": "15:15"}
    assert office.post(url, answers).status_code == 302

    lesson.refresh_from_db()
    assert (lesson.local_on, lesson.local_start) == (date(2031, 3, 10), time(15, 15))


def test_a_time_that_the_clocks_leave_out_has_offers_too(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    response = plan(office, enrollment, teacher, local_on="2031-03-30", local_start="02:30")
    assert "Sun 30 March 2031, 03:15" in offers(response)


@pytest.mark.parametrize(
    "given", ["local_on=x", "local_start=25:00", "local_on=9999-99-99", "teacher=x", "local_on=%00"]
)
def test_an_address_that_fills_in_nonsense(office: Client, lesson: Lesson, given: str) -> None:
    for url in (page("lesson", "add"), page("lesson", "change", lesson.pk)):
        assert office.get(f"{url}?{given}").status_code == 200


def test_the_plan_uses_both_columns_of_the_exclusion_indexes(
    teacher: Teacher, student: Student, many_lessons: None
) -> None:
    asked: dict[str, Any] = {
        "teacher": teacher.pk,
        "student": student.pk,
        "apart_from": 0,
        "course": 0,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            f"EXPLAIN {BUSY}", asked | {"now": NOW, "since": NOW, "until": NOW + timedelta(days=9)}
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    for index, column in (
        ("lesson_teacher_once", "teacher_id"),
        ("lesson_student_once", "student_id"),
    ):
        after = plan.split(index)[1].split("Index Cond:")[1].split("\n")[0]
        assert column in after, plan
        assert "&&" in after, plan
