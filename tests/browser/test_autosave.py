"""What is typed is kept: when the tab is closed at once, on another device, after a lost network."""

import pytest
from playwright.sync_api import expect

from tests.browser.enrolling import (
    choose,
    course_for,
    draft_note,
    expect_saved,
    fresh_student,
    wait_for_note,
)
from tests.browser.people import Person, Visit
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

LOOK_AWAY = """
Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
document.dispatchEvent(new Event("visibilitychange"));
"""


@pytest.mark.parametrize("new_flow", [True, False], ids=["new flow", "original flow"])
def test_a_closed_tab_keeps_what_was_typed(school: School, visit: Visit, new_flow: bool) -> None:
    """Within the half second before the first save, so that only the last word of the page can."""
    email = fresh_student(school)
    student, course = visit(email), course_for(school, email)
    if new_flow:
        choose(student, course)
    else:
        student.go(course.original)
    student.page.locator("[name=note]").press_sequentially("Typed in a hurry")
    student.page.close(run_before_unload=True)
    wait_for_note(school, email, course, "Typed in a hurry")

    where = course.step("details/") if new_flow else course.original
    student.page = student.context.new_page()
    student.go(where)
    expect(student.page.locator("[name=note]")).to_have_value("Typed in a hurry")
    elsewhere = visit(email)
    elsewhere.go(where)
    expect(elsewhere.page.locator("[name=note]")).to_have_value("Typed in a hurry")
    expect(elsewhere.page.locator("[data-save-state]")).to_contain_text("Saved ")


@pytest.mark.parametrize("new_flow", [True, False], ids=["new flow", "original flow"])
def test_a_failed_save_is_shown_and_tried_again(
    school: School, visit: Visit, new_flow: bool
) -> None:
    email = fresh_student(school)
    student, course = visit(email), course_for(school, email)
    if new_flow:
        choose(student, course)
    else:
        student.go(course.original)
    student.context.set_offline(True)
    student.page.locator("[name=note]").press_sequentially("In a tunnel")
    state = student.page.locator("[data-save-state]")
    expect(state).to_contain_text("Not connected: kept in this browser")
    _leave_the_field(student)
    student.context.set_offline(False)
    expect_saved(student)
    expect(state).not_to_contain_text("Not connected")
    wait_for_note(school, email, course, "In a tunnel")
    student.forgive(because="the network was taken away")


def test_a_beacon_that_got_lost_is_made_up_for(school: School, visit: Visit) -> None:
    """Whoever looks at another tab in a tunnel, and comes back behind it, has lost nothing."""
    email = fresh_student(school)
    student, course = visit(email), course_for(school, email)
    student.go(course.original)
    student.context.set_offline(True)
    student.page.locator("[name=note]").press_sequentially("In a tunnel")
    student.page.evaluate(LOOK_AWAY)
    expect(student.page.locator("[data-save-state]")).to_contain_text(
        "Not connected: kept in this browser"
    )
    student.context.set_offline(False)
    expect_saved(student)
    assert draft_note(school, email, course) == "In a tunnel"
    student.forgive(because="the network was taken away")


def _leave_the_field(student: Person) -> None:
    """Another reason to save; it must do no harm while there is no network."""
    student.page.locator("[name=note]").blur()
