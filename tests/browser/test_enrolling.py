"""Both flows to their end, without JavaScript."""

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
from tests.browser.mails import only_mail_to, text_of
from tests.browser.office import Office
from tests.browser.people import Visit
from tests.browser.prober import wait_until_off
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

WITHOUT_JAVASCRIPT = {"java_script_enabled": False}


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
