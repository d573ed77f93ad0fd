"""What cannot be sent stays in the browser, for its own user; what two tabs changed is chosen."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.enrolling import (
    Course,
    choose,
    course_for,
    draft_note,
    expect_enrolled,
    expect_saved,
    fresh_student,
    only_enrollment,
    wait_for_note,
)
from tests.browser.people import Person, Visit
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

KEPT = "() => Object.keys(localStorage).filter(key => key.startsWith('draft:')).length"
ON_PURPOSE = "the server was taken away, or refused a stale text"


@pytest.fixture
def email(school: School) -> str:
    return fresh_student(school)


@pytest.fixture
def course(school: School, email: str) -> Course:
    return course_for(school, email)


@pytest.fixture
def student(visit: Visit, email: str) -> Person:
    return visit(email)


def open_form(student: Person, course: Course) -> None:
    student.go(course.original)
    expect(student.page).to_have_title(re.compile(f"^Enroll in {re.escape(course.title)}"))


def write(page: Page, text: str, field: str = "note") -> None:
    """And leaves the field, which saves at once."""
    page.locator(f"[name={field}]").fill(text)
    page.locator(f"[name={field}]").blur()


def close_tab(student: Person) -> None:
    with student.page.expect_event("close"):
        student.page.close(run_before_unload=True)


def state(page: Page) -> Any:
    return page.locator("[data-save-state]")


def note(page: Page) -> Any:
    return page.locator("[name=note]")


def nothing_is_kept(page: Page) -> None:
    page.wait_for_function(f"({KEPT})() === 0")


# ------------------------------------------------------------------ without the server


def test_a_server_that_hangs_is_waited_for(
    school: School, student: Person, email: str, course: Course
) -> None:
    student.go(course.original)
    with school.web_stopped():
        write(student.page, "while it hung")
        expect(state(student.page)).to_contain_text("Not connected: kept in this browser")
        assert student.page.evaluate(KEPT) == 1
    expect_saved(student)
    wait_for_note(school, email, course, "while it hung")
    nothing_is_kept(student.page)


def open_again(student: Person, course: Course) -> None:
    """In a new tab. The old one would send by itself once it is back, while the new page is made."""
    close_tab(student)
    student.context.set_offline(False)
    student.page = student.context.new_page()
    student.go(course.original)


def test_a_tab_that_was_closed_without_a_connection_loses_nothing(
    school: School, student: Person, email: str, course: Course
) -> None:
    open_form(student, course)
    student.context.set_offline(True)
    write(student.page, "in a tunnel")
    expect(state(student.page)).to_contain_text("Not connected")
    close_tab(student)
    student.context.set_offline(False)
    assert draft_note(school, email, course) == ""

    student.page = student.context.new_page()
    student.go("/")  # any page of ours will do
    wait_for_note(school, email, course, "in a tunnel")
    nothing_is_kept(student.page)
    student.forgive(because=ON_PURPOSE)


def test_the_form_shows_what_this_browser_had_kept(
    student: Person, email: str, school: School, course: Course
) -> None:
    open_form(student, course)
    student.context.set_offline(True)
    write(student.page, "in a tunnel")
    expect(state(student.page)).to_contain_text("Not connected")
    open_again(student, course)
    expect(note(student.page)).to_have_value("in a tunnel")
    expect(state(student.page)).to_contain_text("Saved ")
    # It is this page's text now, which can be typed on.
    write(student.page, "behind it")
    wait_for_note(school, email, course, "behind it")
    student.forgive(because=ON_PURPOSE)


def test_a_press_without_a_connection_loses_nothing(
    school: School, student: Person, email: str, course: Course
) -> None:
    """The answer is a page of the browser's own, where no script of ours runs."""
    open_form(student, course)
    student.context.set_offline(True)
    student.page.locator("[name=note]").press_sequentially("pressed in a tunnel")
    student.button("Enroll", within="main").click()
    expect(student.page.locator("main")).to_have_count(0)
    student.context.set_offline(False)
    student.go(course.original)
    expect(note(student.page)).to_have_value("pressed in a tunnel")
    expect(state(student.page)).to_contain_text("Saved ")
    student.button("Enroll", within="main").click()
    expect_enrolled(student, course)
    nothing_is_kept(student.page)
    assert only_enrollment(school, email, course)["note"] == "pressed in a tunnel"
    student.forgive(because=ON_PURPOSE)


def test_what_was_kept_surfaces_as_a_choice_if_another_device_was_faster(
    student: Person, email: str, school: School, course: Course, visit: Visit
) -> None:
    open_form(student, course)
    student.context.set_offline(True)
    write(student.page, "in a tunnel")
    expect(state(student.page)).to_contain_text("Not connected")
    phone = visit(email)
    phone.go(course.original)
    write(phone.page, "on the phone")
    expect_saved(phone)
    open_again(student, course)
    expect(state(student.page)).to_contain_text("choose above")
    expect(note(student.page)).to_have_value("on the phone")
    student.page.get_by_label("Take what was typed elsewhere").check()
    student.button("Use my choice").click()
    expect(note(student.page)).to_have_value("in a tunnel")
    wait_for_note(school, email, course, "in a tunnel")
    nothing_is_kept(student.page)
    student.forgive(because=ON_PURPOSE)


# ------------------------------------------------------------------ whose it is


def test_somebody_else_at_the_same_browser_sees_nothing(
    school: School, student: Person, course: Course
) -> None:
    open_form(student, course)
    student.context.set_offline(True)
    write(student.page, "nobody else's")
    expect(state(student.page)).to_contain_text("Not connected")
    close_tab(student)
    student.context.clear_cookies()
    student.context.set_offline(False)
    student.page = student.context.new_page()
    student.go("/")
    assert student.page.evaluate(KEPT) == 1, "the session ended; it waits for its own user"

    other = next(e for (e,) in school.rows(OTHERS, course.slug))
    student.log_in(str(other))
    student.go(course.original)
    nothing_is_kept(student.page)
    expect(note(student.page)).to_have_value("")
    assert draft_note(school, str(other), course) == ""
    student.forgive(because=ON_PURPOSE)


def test_logging_out_clears_what_was_kept(student: Person, course: Course) -> None:
    open_form(student, course)
    student.page.route("**/drafts/**", lambda route: route.abort())
    write(student.page, "on a computer of the library")
    expect(state(student.page)).to_contain_text("Not connected")
    assert student.page.evaluate(KEPT) == 1
    student.button("Log out").click()
    expect(student.link("Log in")).to_be_visible()
    nothing_is_kept(student.page)
    student.forgive(because=ON_PURPOSE)


def test_a_login_that_has_ended_is_said_and_gone_on_with_after_the_next(
    school: School, visit: Visit, email: str, course: Course
) -> None:
    student = visit()
    student.log_in(email)
    student.go(course.original)
    session = [c for c in student.context.cookies() if c["name"] == "sessionid"]
    student.context.clear_cookies(name="sessionid")
    write(student.page, "typed too late")
    expect(state(student.page)).to_contain_text("Your login has ended.")
    student.context.add_cookies(session)  # type: ignore[arg-type]
    student.go(course.original)
    expect(note(student.page)).to_have_value("typed too late")
    wait_for_note(school, email, course, "typed too late")
    student.forgive(because=ON_PURPOSE)


OTHERS = """
    SELECT u.email FROM enrollment_student s JOIN enrollment_user u ON u.id = s.user_id
     WHERE u.email <> 'student@school.example'
       AND NOT EXISTS (SELECT FROM rollback_enrollmentdraft d WHERE d.student_id = s.id)
       AND NOT EXISTS (SELECT FROM enrollment_enrollment e JOIN enrollment_course c ON c.id = e.course_id
                        WHERE e.student_id = s.id AND c.slug = %s)
     ORDER BY u.email DESC LIMIT 1
"""


# ------------------------------------------------------------------ two tabs


@pytest.mark.parametrize(
    ("label", "kept"),
    [
        ("Keep what is here", "typed here"),
        ("Take what was saved elsewhere", "typed there"),
        ("Keep both, one below the other", "typed here\ntyped there"),
    ],
)
def test_two_tabs_that_changed_the_same_text(
    school: School, student: Person, email: str, course: Course, label: str, kept: str
) -> None:
    student.go(course.original)
    there = student.context.new_page()
    there.goto(course.original)
    write(there, "typed there")
    expect(state(there)).to_contain_text("Saved ")
    write(student.page, "Fridays", field="wished_times")
    expect_saved(student)
    write(student.page, "typed here")
    expect(state(student.page)).to_contain_text("choose above")
    doubt = student.page.get_by_role("group", name="Anything we should know")
    expect(doubt).to_contain_text("typed here")
    expect(doubt).to_contain_text("typed there")
    expect(doubt).to_contain_text(re.compile(r"\(\d\d:\d\d\)"))
    # Nothing is chosen by looking at it, and no other page is led to.
    student.button("Use my choice").click()
    assert draft_note(school, email, course) == "typed there"
    doubt.get_by_label(label).check()
    student.button("Use my choice").click()
    expect(note(student.page)).to_have_value(kept)
    expect(doubt).to_have_count(0)
    expect_saved(student)
    student.button("Enroll", within="main").click()
    expect_enrolled(student, course)
    made = only_enrollment(school, email, course)
    assert (made["note"].replace("\r\n", "\n"), made["wished_times"]) == (kept, "Fridays")
    student.forgive(because=ON_PURPOSE)


def test_without_a_script_the_form_comes_back_with_the_choice(
    school: School, visit: Visit, email: str, course: Course
) -> None:
    plain = visit(email, java_script_enabled=False)
    choose_in = visit(email)
    choose(choose_in, course)
    plain.go(course.step("details/"))
    write(choose_in.page, "typed there")
    expect_saved(choose_in)
    note(plain.page).fill("typed here")
    plain.button("Go on").click()
    expect(plain.page.get_by_role("heading", name="Which text is right?")).to_be_visible()
    expect(plain.button("Use my choice")).to_be_hidden()
    plain.page.get_by_label("Keep both, one below the other").check()
    plain.button("Go on").click()
    expect(plain.page.get_by_role("heading", name="Is everything right?")).to_be_visible()
    assert draft_note(school, email, course).splitlines() == ["typed here", "typed there"]
    plain.forgive(because=ON_PURPOSE)


def test_another_time_that_was_chosen_in_another_tab(
    school: School, student: Person, email: str, course: Course
) -> None:
    student.go(course.step())
    choice = choose(student, course)
    late = student.context.new_page()
    late.goto(course.step() + "?month=")
    student.go(course.step())
    times = student.page.locator("label.slot")
    times.nth(1).click()
    expect_saved(student)
    late.locator("label.slot").nth(2).click()
    expect(state(late)).to_contain_text("choose above")
    late.get_by_label("Take what was saved elsewhere").check()
    late.get_by_role("button", name="Use my choice").click()
    expect(late.get_by_role("group", name="Time of your first lesson")).to_have_count(0)
    second = student.page.get_by_role("radio").nth(1).get_attribute("value")
    expect(late.locator(f"input[value='{second}']")).to_be_checked()
    assert choice.value != second
    student.forgive(because=ON_PURPOSE)
