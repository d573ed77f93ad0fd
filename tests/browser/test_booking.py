"""A student books one lesson, moves and cancels it, and books a series; with and without JavaScript."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.axe import CALM, SIZES, problems_here
from tests.browser.keyboard import press, tab_to
from tests.browser.people import Person, Visit
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# A running enrollment of somebody whose teacher has hours.
LIVE = """
    SELECT e.id, u.email, e.course_id FROM enrollment_enrollment e
      JOIN enrollment_student s ON s.id = e.student_id JOIN enrollment_user u ON u.id = s.user_id
     WHERE e.status = 'confirmed' AND u.email <> 'student@school.example' AND EXISTS (
           SELECT FROM scheduling_availabilityrule r WHERE r.teacher_id = e.teacher_id)
     ORDER BY e.id LIMIT 1 OFFSET %s
"""


def somebody(school: School, number: int) -> tuple[int, str]:
    [(enrollment, email, _course)] = school.rows(LIVE, number)
    return int(enrollment), str(email)


def planned(school: School, enrollment: int) -> list[tuple[int, datetime]]:
    return school.rows(
        """SELECT id, lower(period) FROM enrollment_lesson
            WHERE enrollment_id = %s AND status = 'planned' AND lower(period) > now() ORDER BY 2""",
        enrollment,
    )


def last_week(student: Person) -> None:
    """And until it is there: a key that comes before it would be pressed on the page that goes."""
    link = student.page.get_by_role("navigation", name="Weeks").get_by_role("link").last
    address = link.get_attribute("href") or ""
    link.click()
    student.page.wait_for_url(lambda url: url.endswith(address))


def test_by_keyboard_and_without_a_script(school: School, visit: Visit) -> None:
    enrollment, email = somebody(school, 0)
    student = visit(email, java_script_enabled=False)
    before = dict(planned(school, enrollment))
    student.go(f"/enrollments/{enrollment}/")
    student.link("Book a lesson").click()
    # Tomorrow's could not be moved any more.
    last_week(student)
    tab_to(student, "input[name=slot]")
    press(student, "Space")
    tab_to(student, "main form[method=post] button[type=submit]")
    press(student, "Enter")
    expect(student.page.get_by_text("The lesson is booked.")).to_be_visible()
    [(lesson, starts_at)] = [one for one in planned(school, enrollment) if one[0] not in before]

    student.page.locator(f'a[href$="/lessons/{lesson}/move/"]').click()
    expect(student.page.get_by_role("heading", name="Move a lesson")).to_be_visible()
    last_week(student)
    student.page.locator("label.slot").last.click()
    student.field("Reason").fill("The dentist")
    student.button("Move it there").click()
    expect(student.page.get_by_text("The lesson is moved.")).to_be_visible()
    assert dict(planned(school, enrollment))[lesson] != starts_at

    student.page.locator(f'a[href$="/lessons/{lesson}/cancel/"]').click()
    student.button("Cancel the lesson").click()
    expect(student.page.get_by_text("The lesson is cancelled.")).to_be_visible()
    assert dict(planned(school, enrollment)) == before
    student.go(f"/messages/{enrollment}/")
    expect(student.page.get_by_text("Reason: The dentist")).to_be_visible()


@pytest.mark.parametrize("size", ["desktop", "small phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_on_the_way(school: School, visit: Visit, size: str, scheme: Any) -> None:
    """Also those that need something posted; axe looks at each."""
    enrollment, email = somebody(school, 1)
    student = visit(email, viewport=SIZES[size], color_scheme=scheme, reduced_motion="reduce")
    student.go(f"/schedule/enrollments/{enrollment}/book/")
    student.page.locator("details.why summary").click()
    assert problems_here(student) == []
    student.button("Book").click()
    expect(student.page.get_by_role("alert")).to_contain_text("Choose a time.")
    student.forgive(because="422 is an answer that the browser writes to its console")
    assert problems_here(student) == []
    student.page.locator("label.slot").first.click()
    student.field("Every week").check()
    student.field("How many lessons").fill("8")
    student.button("Book").click()
    expect(student.page.get_by_role("heading", name="Look at every week")).to_be_visible()
    assert problems_here(student) == []
    for leave in student.page.get_by_label("Leave this week out").all():
        leave.check()
    student.button("Book these lessons").click()
    expect(student.page.get_by_role("alert")).to_contain_text("there is nothing to book")
    student.forgive(because="422 is an answer that the browser writes to its console")
    assert problems_here(student) == []


def test_a_series(school: School, visit: Visit) -> None:
    enrollment, email = somebody(school, 2)
    student = visit(email)
    before = len(planned(school, enrollment))
    student.go(f"/schedule/enrollments/{enrollment}/book/")
    student.page.locator("label.slot").first.click()
    student.field("Every second week").check()
    student.field("How many lessons").fill("3")
    student.button("Book").click()
    chosen = student.page.locator("input[type=radio]:checked:not([value=leave])").count()
    assert chosen
    student.button("Book these lessons").click()
    expect(student.page.get_by_text(re.compile(r"lessons? (is|are) booked"))).to_be_visible()
    assert len(planned(school, enrollment)) == before + chosen


def test_the_countdown_of_a_hold(school: School, visit: Visit) -> None:
    student = visit("student@school.example", **CALM)
    [(slug,)] = school.rows(
        """SELECT slug FROM enrollment_course c WHERE opens_on IS NULL AND closes_on IS NULL
            AND NOT EXISTS (SELECT FROM enrollment_enrollment e JOIN enrollment_student s
                  ON s.id = e.student_id JOIN enrollment_user u ON u.id = s.user_id
                 WHERE e.course_id = c.id AND u.email = 'student@school.example')
            AND EXISTS (SELECT FROM enrollment_course_teachers t WHERE t.course_id = c.id)
            ORDER BY capacity DESC, slug LIMIT 1"""
    )
    student.page.clock.install(time=datetime.now().astimezone())
    student.go(f"/calendar/choose/{slug}/")
    student.page.locator("label.slot").first.click()
    student.button("Hold this time and go on").click()
    clock = student.page.locator("[data-clock]")
    expect(clock).to_have_text(re.compile(r"Still held for (10:00|9:\d\d)"))
    assert problems_here(student) == []
    student.page.clock.fast_forward(int(timedelta(minutes=5, seconds=30).total_seconds()) * 1000)
    expect(clock).to_have_text(re.compile(r"Still held for 4:\d\d"))
    said = student.page.locator("[data-said]")
    expect(said).to_have_text("This time is held for you for about 5 more minutes.")
    student.page.clock.fast_forward(6 * 60 * 1000)
    expect(clock).to_be_hidden()
    expect(said).to_contain_text("This time is no longer held for you.")
    assert problems_here(student) == []
