"""Both flows to their end: with the keyboard alone, and without JavaScript."""

import pytest
from playwright.sync_api import expect

from tests.browser.enrolling import (
    NOTE,
    WISHED,
    choose,
    course_for,
    expect_enrolled,
    fresh_student,
    only_enrollment,
    tell,
    to_confirm,
)
from tests.browser.keyboard import tab_to
from tests.browser.mails import only_mail_to, text_of
from tests.browser.office import Office
from tests.browser.people import Visit
from tests.browser.prober import wait_until_off
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

WITHOUT_JAVASCRIPT = {"java_script_enabled": False}


def test_the_new_flow_by_keyboard_alone(school: School, visit: Visit) -> None:
    email = fresh_student(school)
    student, course = visit(email), course_for(school, email)
    student.go(f"/courses/{course.slug}/")
    tab_to(student, f"main a[href='{course.step('continue/')}']")
    student.page.keyboard.press("Enter")
    expect(student.page.get_by_role("heading", name="Choose your first lesson")).to_be_visible()
    tab_to(student, "input[type=radio]")
    student.page.keyboard.press("Space")
    student.page.keyboard.press("ArrowDown")
    slot = student.page.locator("input[type=radio]:checked").get_attribute("value")
    tab_to(student, "main form[method=post] button")
    student.page.keyboard.press("Enter")
    expect(student.page.get_by_role("heading", name="Tell us more")).to_be_visible()
    tab_to(student, "[name=note]")
    student.page.keyboard.type("No mouse was used.")
    tab_to(student, "main button[type=submit]")
    student.page.keyboard.press("Enter")
    expect(student.page.get_by_role("heading", name="Is everything right?")).to_be_visible()
    tab_to(student, "main button[type=submit]")
    student.page.keyboard.press("Space")
    expect_enrolled(student, course)

    made = only_enrollment(school, email, course)
    assert (made["flow"], made["note"]) == ("scheduling", "No mouse was used.")
    assert _lessons(school, made["id"]) == [(slot, "planned")]
    student.go("/my/courses/")
    card = student.page.locator("section.card", has_text=course.title)
    expect(card.get_by_role("listitem")).to_have_count(1)


def test_the_original_flow_without_javascript_and_with_everything_off(
    school: School, visit: Visit, office: Office
) -> None:
    email = fresh_student(school)
    office.switch_everything_off()
    wait_until_off(school)
    student, course = visit(email, **WITHOUT_JAVASCRIPT), course_for(school, email)
    student.go(f"/courses/{course.slug}/")
    student.link("Enroll", within="main").click()
    assert student.path() == course.original
    student.page.locator("[name=teacher]").select_option(index=1)
    tell(student)
    student.button("Enroll", within="main").click()
    expect_enrolled(student, course)
    made = only_enrollment(school, email, course)
    assert (made["flow"], made["wished_times"]) == ("original", WISHED)
    student.link("My courses", within="main").last.click()
    expect(student.page.get_by_role("heading", name=course.title, exact=True)).to_be_visible()
    assert course.title in text_of(only_mail_to(school, email))


def test_the_new_flow_without_javascript(school: School, visit: Visit) -> None:
    email = fresh_student(school)
    student, course = visit(email, **WITHOUT_JAVASCRIPT), course_for(school, email)
    choice = choose(student, course)
    tell(student)
    to_confirm(student)
    expect(student.page.get_by_text(WISHED)).to_be_visible()
    student.button("Enroll", within="main").click()
    expect_enrolled(student, course)
    made = only_enrollment(school, email, course)
    assert (made["flow"], made["teacher"]) == ("scheduling", choice.teacher)
    assert made["note"].splitlines() == NOTE.splitlines()
    assert _lessons(school, made["id"]) == [(choice.value, "planned")]


def _lessons(school: School, enrollment: int) -> list[tuple[str, str]]:
    return school.rows(
        """SELECT to_char(lower(period) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), status
             FROM enrollment_lesson WHERE enrollment_id = %s""",
        enrollment,
    )
