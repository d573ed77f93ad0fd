"""From a taken time to a lesson: without a script, through the queue, with a real mail."""

import re
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.axe import CALM, problems, problems_here
from tests.browser.enrolling import (
    Course,
    course_for,
    enrollments,
    expect_enrolled,
    fresh_student,
    tell,
    to_confirm,
)
from tests.browser.mails import only_mail_to, text_of
from tests.browser.people import Person, Visit
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# Beat looks every thirty seconds, and shares two cores with the other tests.
SECONDS = 75.0
TAKEN = "details.taken-day"


def test_from_a_taken_time_to_the_lesson(school: School, visit: Visit) -> None:
    email = fresh_student(school)
    course = course_for(school, email)
    student = visit(email, java_script_enabled=False)
    looked_at = visit(email, **CALM)
    _go_where_something_is_taken(looked_at, course)
    looked_at.page.locator(TAKEN).first.locator("summary").click()
    found = problems_here(looked_at)
    _go_where_something_is_taken(student, course)
    day = student.page.locator(TAKEN).first
    day.locator("summary").click()
    button = day.get_by_role("button").first
    expect(button).to_be_visible()
    slot = button.get_attribute("value") or ""
    teacher = day.locator("[name=teacher]").get_attribute("value") or ""
    button.click()
    expect(student.page.get_by_text("You are the first in line.")).to_be_visible()

    school.change(
        "UPDATE enrollment_lesson SET status = 'cancelled', expires_at = NULL"
        " WHERE teacher_id = %s::bigint AND period && tstzrange(%s, %s)",
        int(teacher),
        # Whatever stands in its way, also as one of the most that they give in a day or in a week.
        datetime.fromisoformat(slot) - timedelta(days=8),
        datetime.fromisoformat(slot) + timedelta(days=8),
    )
    _wait_for_offer(school, email)
    mail = only_mail_to(school, email)
    assert course.title in mail["Subject"]
    link = re.search(r"http\S+/take/", text_of(mail))
    assert link is not None
    student.go(urlsplit(link[0]).path)
    expect(student.page.get_by_text("Kept for you until")).to_be_visible()
    assert not [*found, *problems(looked_at, "/schedule/my/waitlist/")]
    student.page.get_by_role("button", name="Take it").click()
    expect(student.page.get_by_role("heading", name="Tell us more")).to_be_visible()
    expect(student.page.get_by_text("Held for you until")).to_be_visible()
    tell(student)
    to_confirm(student)
    student.button("Enroll", within="main").click()
    expect_enrolled(student, course)
    assert len(enrollments(school, email, course)) == 1
    student.go("/schedule/my/waitlist/")
    expect(student.page.get_by_text("It is yours")).to_be_visible()


def _go_where_something_is_taken(student: Person, course: Course) -> None:
    """Not so soon that too little of the teacher's notice is left to offer it to one alone."""
    student.go(course.step())
    while _first_taken(student) < datetime.now(UTC) + timedelta(days=1):
        day = student.page.locator("td[data-chosen]").get_attribute("data-day")
        student.page.locator("#next-free").click()
        expect(student.page.locator(f"td[data-chosen]:not([data-day='{day}'])")).to_be_visible()


def _first_taken(student: Person) -> datetime:
    button = student.page.locator(f"{TAKEN} button[value]")
    value = button.first.get_attribute("value") if button.count() else None
    return datetime.fromisoformat(value) if value else datetime.min.replace(tzinfo=UTC)


def _wait_for_offer(school: School, email: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not school.rows(
        """SELECT FROM scheduling_waitlistentry w JOIN enrollment_student s ON s.id = w.student_id
             JOIN enrollment_user u ON u.id = s.user_id
            WHERE u.email = %s AND w.status = 'offered'""",
        email,
    ):
        assert time.monotonic() < deadline, f"nothing was offered within {SECONDS} s"
        time.sleep(0.2)
