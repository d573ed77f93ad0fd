"""Both flows from the list of courses to the confirmation, with nothing but the keyboard."""

from datetime import date

import pytest
from playwright.sync_api import expect

from tests.browser.enrolling import (
    Course,
    course_for,
    expect_enrolled,
    expect_saved,
    fresh_student,
    only_enrollment,
)
from tests.browser.keyboard import press, tab_to
from tests.browser.people import Person, Visit
from tests.browser.prober import wait_until_off
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

NOTE = "No mouse was used."
ELSEWHERE = "Typed on the phone."


def test_the_new_flow(school: School, visit: Visit) -> None:
    email = fresh_student(school)
    student, course = visit(email), course_for(school, email)
    _find(student, course, way_in=course.step("continue/"), to=course.step())
    _expect_heading(student, "Choose your first lesson")
    tab_to(student, "select[name=teacher]")
    press(student, "ArrowDown")
    tab_to(student, "main form:has(select) button")
    press(student, "Enter")
    _expect_heading(student, "Free times with")
    tab_to(student, "input[type=radio]")
    press(student, "Space")
    press(student, "ArrowDown")
    slot = student.page.locator("input[type=radio]:checked").get_attribute("value")
    tab_to(student, "main form[method=post] button")
    press(student, "Enter")
    _expect_heading(student, "Tell us more")
    tab_to(student, "[name=note]")
    student.page.keyboard.type(NOTE)
    tab_to(student, "main button[type=submit]")
    press(student, "Enter")
    _expect_heading(student, "Is everything right?")
    tab_to(student, "main button[type=submit]")
    press(student, "Space")
    expect_enrolled(student, course)

    made = only_enrollment(school, email, course)
    assert (made["flow"], made["note"]) == ("scheduling", NOTE)
    planned = school.rows(
        """SELECT to_char(lower(period) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
             FROM enrollment_lesson WHERE enrollment_id = %s AND status = 'planned'""",
        made["id"],
    )
    assert planned == [(slot,)]


def test_the_original_flow_and_a_choice_between_two_texts(school: School, visit: Visit) -> None:
    """The same note is changed on another page; the one that stands here is kept."""
    email = fresh_student(school)
    school.kill_all()
    wait_until_off(school)
    student, course = visit(email), course_for(school, email)
    _find(student, course, way_in=course.original, to=course.original)
    tab_to(student, "[name=teacher]")
    press(student, "ArrowDown")
    teacher = student.page.locator("[name=teacher] option:checked").inner_text()
    tab_to(student, "[name=note]")
    _type_elsewhere(student, course)
    student.page.keyboard.type(NOTE)
    press(student, "Tab")
    expect(student.page.locator("[data-kind=doubt]")).to_be_visible()
    student.forgive(because="the browser writes the refusal of a stale text to its console")
    tab_to(student, "[data-doubts] input[type=radio]", back=True)
    press(student, "Space")
    _choose_with_arrows(student, "keep.")
    tab_to(student, "[data-decide]")
    press(student, "Enter")
    expect_saved(student)
    tab_to(student, "main button.primary[type=submit]")
    press(student, "Enter")
    expect_enrolled(student, course)

    made = only_enrollment(school, email, course)
    assert (made["flow"], made["note"], made["teacher"]) == ("original", NOTE, teacher)


def _find(student: Person, course: Course, *, way_in: str, to: str) -> None:
    """By the search of the list of courses, and over the course's page."""
    student.go("/")
    tab_to(student, ".skip")
    press(student, "Enter")
    tab_to(student, "input[name=q]")
    student.page.keyboard.type(course.title)
    press(student, "Enter")
    student.page.wait_for_url("**q=*")
    tab_to(student, f"main a[href='/courses/{course.slug}/']")
    press(student, "Enter")
    student.page.wait_for_url(f"**/courses/{course.slug}/")
    tab_to(student, f"main a[href='{way_in}']")
    press(student, "Enter")
    student.page.wait_for_url(f"**{to}")


def _type_elsewhere(student: Person, course: Course) -> None:
    other = student.context.new_page()
    other.goto(course.original)
    other.locator("[name=note]").fill(ELSEWHERE)
    other.locator("[name=note]").blur()
    expect(other.locator("[data-kind=saved]")).to_be_visible()
    other.close()
    student.page.bring_to_front()


def _choose_with_arrows(student: Person, beginning: str) -> None:
    """Around the group, from whichever of its choices has the focus."""
    for _choice in range(3):
        if student.page.evaluate("document.activeElement.value").startswith(beginning):
            return
        press(student, "ArrowDown")
    raise AssertionError(f"no choice {beginning}")


def _expect_heading(student: Person, words: str) -> None:
    expect(student.page.get_by_role("heading", name=words).first).to_be_visible()


def test_a_teachers_week_and_time_off(school: School, visit: Visit) -> None:
    """From the week to the time off and back, which then stands on its day."""
    teacher = visit("teacher@school.example")
    teacher.go("/schedule/my/week/")
    _expect_heading(teacher, "My week")
    tab_to(teacher, "main a[href='/schedule/my/time-off/']")
    press(teacher, "Enter")
    _expect_heading(teacher, "Add time off")
    day = next_sunday(school)
    tab_to(teacher, "#id_from_on")
    # Chromium's own three parts of a date, in the order of the browser's language.
    teacher.page.keyboard.type(f"{day:%m%d%Y}")
    tab_to(teacher, "#id_reason")
    teacher.page.keyboard.type("By keyboard")
    tab_to(teacher, "main form.form button[type=submit]")
    press(teacher, "Enter")
    expect(teacher.page.get_by_text("Nothing can be booked in your time off.")).to_be_visible()
    teacher.go(f"/schedule/my/week/?on={day:%Y-%m-%d}")
    expect(teacher.page.get_by_text("By keyboard")).to_be_visible()
    tab_to(teacher, "main table a[href^='/schedule/my/time-off/']")
    press(teacher, "Enter")
    _expect_heading(teacher, "Change time off")
    tab_to(teacher, "main button.danger")
    press(teacher, "Space")
    expect(teacher.page.get_by_text("Your hours count again.")).to_be_visible()
    assert not school.rows("SELECT FROM scheduling_timeoff WHERE reason = 'By keyboard'")


def next_sunday(school: School) -> date:
    """In three weeks, on the school's own day: nothing of the sample is there."""
    ((day,),) = school.rows("SELECT date_trunc('week', now())::date + 27")
    assert isinstance(day, date)
    return day
