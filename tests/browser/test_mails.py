"""The confirmation says when and with whom, on the student's own clock."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.browser.enrolling import (
    choose,
    course_for,
    expect_enrolled,
    fresh_student,
    only_enrollment,
    tell,
    to_confirm,
)
from tests.browser.mails import only_mail_to, text_of
from tests.browser.people import Visit
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

# Half an hour from everybody else, so that a time on any other clock is a wrong one.
ZONE = "America/St_Johns"


def test_the_confirmation_is_right_on_the_students_clock(school: School, visit: Visit) -> None:
    email = fresh_student(school, zone=ZONE)
    student, course = visit(email), course_for(school, email)
    choice = choose(student, course)
    tell(student, wished="Any evening")
    to_confirm(student)
    student.button("Enroll", within="main").click()
    expect_enrolled(student, course)
    made = only_enrollment(school, email, course)
    mail = only_mail_to(school, email)
    # A long subject is folded after its name, and Python keeps the space of the fold.
    assert mail["Subject"].strip() == f"Your enrollment in {course.title}"
    assert mail["From"] == "Riverside School <office@school.example>"
    text = text_of(mail)
    for words in (
        f"you have a place in {course.title}",
        f"{_times(school, made['id'])} ({ZONE}), with {choice.teacher}",
        "The office will answer you about the other times you wished for.",
        f"{school.url}/enrollments/{made['id']}/",
    ):
        assert words in text
    [(teachers_zone,)] = school.rows(
        "SELECT zone FROM enrollment_teacher WHERE display_name = %s", choice.teacher
    )
    assert teachers_zone != ZONE, "or there is no second clock to be named"
    theirs = choice.on(teachers_zone)
    assert f"{theirs:%H:%M}, {teachers_zone}" in text


def _times(school: School, enrollment: int) -> str:
    """Written here a second time, by other means than the code's."""
    [(start, end)] = school.rows(
        "SELECT lower(period), upper(period) FROM enrollment_lesson WHERE enrollment_id = %s",
        enrollment,
    )
    first, last = (_on_the_clock(moment) for moment in (start, end))
    return f"{first:%A} {first.day} {first:%B %Y}, {first:%H:%M}–{last:%H:%M}"


def _on_the_clock(moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(ZONE))
