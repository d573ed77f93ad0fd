"""Scenario S1 and its relatives: the new flow is taken away from under a student who is in it."""

import time
from uuid import UUID

import pytest
from playwright.sync_api import expect

from rollback.domain.shares import bucket_of
from tests.browser.enrolling import (
    NOTE,
    STUDENTS,
    Choice,
    Course,
    choose,
    course_for,
    enrollments,
    expect_enrolled,
    expect_original_form,
    expect_saved,
    fresh_student,
    in_words,
    only_enrollment,
    tell,
    to_confirm,
)
from tests.browser.mails import open_newest_mail
from tests.browser.office import Office
from tests.browser.people import Person, Visit
from tests.browser.prober import seconds_until_turned_away, wait_until_off, wait_until_on
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

STUDENT = "student@school.example"
KILL_SECONDS = 1.0


def test_a_kill_in_the_middle_loses_nothing(school: School, visit: Visit, office: Office) -> None:
    """From the first click to the mail; the switch in the middle is an admin's, by the admin's pages."""
    student, course = visit(STUDENT), course_for(school, STUDENT)
    choice = _find_the_course_and_choose(student, course)
    tell(student)
    expect_saved(student)

    office.prepare_kill()
    clicked_at = time.monotonic()
    office.confirm_kill()
    took = seconds_until_turned_away(student, course.step("details/"), since=clicked_at)
    assert took < KILL_SECONDS

    student.button("Go on").click()
    expect_original_form(student, course, choice, school)
    student.button("Enroll", within="main").click()
    expect_enrolled(student, course)
    made = only_enrollment(school, STUDENT, course)
    assert (made["flow"], made["teacher"], made["note"]) == (
        "original",
        choice.teacher,
        _crlf(NOTE),
    )

    open_newest_mail(student, school, to=STUDENT)
    expect(student.page.get_by_text(f"you have a place in {course.title}")).to_be_visible()
    _the_office_sees_the_held_slot(office, made["id"], choice, school)
    office.restore()
    wait_until_on(school)
    _my_courses_shows(student, course)


def test_who_falls_off_at_half_finishes_in_the_original_flow(
    school: School, visit: Visit, office: Office
) -> None:
    stays, falls = _two_sides_of_half(school)
    staying, falling = visit(stays), visit(falls)
    course, other = course_for(school, falls), course_for(school, stays)
    choice = choose(falling, course)
    tell(falling)
    choose(staying, other)
    office.set_share(50)
    seconds_until_turned_away(falling, course.step("details/"), since=time.monotonic())

    falling.button("Go on").click()
    expect_original_form(falling, course, choice, school)
    falling.button("Enroll", within="main").click()
    expect_enrolled(falling, course)
    assert only_enrollment(school, falls, course)["flow"] == "original"

    to_confirm(staying)
    staying.button("Enroll", within="main").click()
    expect_enrolled(staying, other)
    assert only_enrollment(school, stays, other)["flow"] == "scheduling"
    _lesson_is_in_my_courses_and_the_calendar(staying, other)


def test_a_kill_between_the_last_page_and_its_button(school: School, visit: Visit) -> None:
    email = fresh_student(school)
    student, course = visit(email), course_for(school, email)
    choice = choose(student, course)
    tell(student)
    to_confirm(student)
    school.kill_all()
    wait_until_off(school)
    student.button("Enroll", within="main").click()
    expect_original_form(student, course, choice, school)
    student.page.reload()
    expect_original_form(student, course, choice, school)
    student.button("Enroll", within="main").click()
    expect_enrolled(student, course)
    assert only_enrollment(school, email, course)["flow"] == "original"


def test_a_feature_that_comes_back_in_between_makes_no_second_enrollment(
    school: School, visit: Visit
) -> None:
    email = fresh_student(school)
    student, course = visit(email), course_for(school, email)
    choice = choose(student, course)
    tell(student)
    to_confirm(student)
    second_tab = student.context.new_page()
    second_tab.goto(course.step("confirm/"))
    school.kill_all()
    wait_until_off(school)
    student.button("Enroll", within="main").click()
    expect_original_form(student, course, choice, school)

    school.all_on()
    wait_until_on(school)
    student.button("Enroll", within="main").click()
    expect_enrolled(student, course)
    second_tab.locator("main").get_by_role("button", name="Enroll").click()
    expect(second_tab).to_have_url(student.page.url)
    assert only_enrollment(school, email, course)["flow"] == "original"


@pytest.mark.parametrize("new_flow", [True, False], ids=["new flow", "original flow"])
def test_a_double_click_makes_one_enrollment(school: School, visit: Visit, new_flow: bool) -> None:
    email = fresh_student(school)
    student, course = visit(email), course_for(school, email)
    if new_flow:
        choose(student, course)
        to_confirm(student)
    else:
        student.go(course.original)
    student.button("Enroll", within="main").dblclick()
    expect_enrolled(student, course)
    assert len(enrollments(school, email, course)) == 1


def _find_the_course_and_choose(student: Person, course: Course) -> Choice:
    """As somebody comes who knows no addresses."""
    student.go("/")
    student.page.get_by_role("searchbox").fill(course.title)
    student.button("Search").click()
    student.link(course.title).click()
    return choose(student, course)


def _the_office_sees_the_held_slot(
    office: Office, enrollment: int, choice: Choice, school: School
) -> None:
    office.admin.go(f"/admin/enrollment/enrollment/{enrollment}/change/")
    page = office.admin.page
    expect(page.get_by_text("Held for this student until").first).to_be_visible()
    [(note,)] = school.rows(
        "SELECT office_note FROM enrollment_enrollment WHERE id = %s", enrollment
    )
    day_and_times = in_words(choice, school).partition(" (")[0]
    assert choice.teacher in note
    assert day_and_times.rpartition(", ")[2] in note


def _my_courses_shows(student: Person, course: Course) -> None:
    student.go("/")
    student.link("My courses").first.click()
    expect(student.page.get_by_role("heading", name=course.title, exact=True)).to_be_visible()


def _lesson_is_in_my_courses_and_the_calendar(student: Person, course: Course) -> None:
    _my_courses_shows(student, course)
    card = student.page.locator("section.card", has_text=course.title)
    starts = card.locator("time").first.get_attribute("datetime") or ""
    student.link("Calendar").click()
    if not student.page.locator(f"time[datetime='{starts}']").count():
        student.page.locator("a[rel=next]").click()
    entry = student.page.locator("li", has=student.page.locator(f"time[datetime='{starts}']"))
    expect(entry).to_contain_text(course.title)


def _two_sides_of_half(school: School) -> tuple[str, str]:
    """A student who keeps the new flow at 50 %, and one who does not."""
    [(salt,)] = school.rows("SELECT salt FROM rollback_switchboard")
    assert isinstance(salt, UUID)
    sides: dict[bool, str] = {}
    for email, user_id, _zone in school.rows(STUDENTS):
        sides.setdefault(bucket_of(salt.bytes, f"u:{user_id}") < 5_000, email)
    return sides[True], sides[False]


def _crlf(text: str) -> str:
    """As browsers post it."""
    return text.replace("\n", "\r\n")


def test_an_open_page_says_so_by_itself(school: School, visit: Visit) -> None:
    """By the websocket: nothing is clicked and nothing moves, and the link leads on."""
    email = fresh_student(school)
    student, course = visit(email), course_for(school, email)
    choose(student, course)
    student.page.get_by_label("Anything we should know").fill("Typed before the kill")
    expect_saved(student)
    school.kill_all()
    notice = student.page.get_by_text("Technical update in progress.")
    expect(notice).to_be_visible()
    expect(student.page.get_by_label("Anything we should know")).to_have_value(
        "Typed before the kill"
    )
    student.page.get_by_role("link", name="Go on there").click()
    student.page.wait_for_url(f"**{course.original}")
    expect(student.page.get_by_label("Anything we should know")).to_have_value(
        "Typed before the kill"
    )


def test_the_words_go_when_the_feature_is_back(school: School, visit: Visit) -> None:
    student = visit(STUDENT)
    student.go("/calendar/")
    notice = student.page.get_by_text("The calendar is switched off at the moment")
    expect(notice).to_have_count(0)
    school.kill_all()
    expect(notice).to_be_visible()
    school.all_on()
    expect(notice).to_have_count(0)
