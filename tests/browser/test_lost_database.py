"""The database is lost while somebody sends the original form: nothing of it is."""

import time

import pytest
from playwright.sync_api import Route, expect

from tests.browser.axe import CALM, problems_here
from tests.browser.enrolling import (
    course_for,
    expect_enrolled,
    expect_saved,
    fresh_student,
    only_enrollment,
    wait_for_note,
)
from tests.browser.people import Person, Visit
from tests.browser.school import School
from tests.browser.test_kept import KEPT

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

TITLE = "Our records cannot be reached"
ON_PURPOSE = "the database was taken away"
TYPED = "I have played for two years.\n<b>“Mondays”</b> & after four"


def expect_lost(student: Person) -> None:
    expect(student.page.get_by_role("heading", name=TITLE)).to_be_visible()


def nothing_is_left(student: Person) -> None:
    """The next page tells the server of what was kept, and hears that it is there."""
    deadline = time.monotonic() + 15
    while student.page.evaluate(KEPT):
        assert time.monotonic() < deadline
        student.page.wait_for_timeout(50)


@pytest.mark.parametrize("way", ["Send it again", "Back to the form"])
def test_what_was_sent_is_enrolled_when_it_is_back(school: School, visit: Visit, way: str) -> None:
    email = fresh_student(school)
    student, course = visit(email, **CALM), course_for(school, email)
    student.go(course.original)
    with school.database_lost():
        student.page.locator("[name=note]").fill(TYPED)
        student.button("Enroll", within="main").click()
        expect_lost(student)
        expect(student.page.get_by_role("status")).to_contain_text("looks every few seconds")
        assert student.page.evaluate(KEPT) == 1, "in this browser, too"
        assert problems_here(student) == []
        # Too early: it is given back once more.
        student.button("Send it again").click()
        expect_lost(student)
    expect(student.page.get_by_role("status")).to_have_text("They are back: you can go on.")
    if way == "Back to the form":
        student.link(way).click()
        expect(student.page.locator("[name=note]")).to_have_value(TYPED)
        student.button("Enroll", within="main").click()
    else:
        student.button(way).click()
    expect_enrolled(student, course)
    nothing_is_left(student)
    assert only_enrollment(school, email, course)["note"].replace("\r\n", "\n") == TYPED
    student.forgive(because=ON_PURPOSE)


def test_a_page_that_was_asked_for_comes_by_itself(school: School, visit: Visit) -> None:
    student = visit(fresh_student(school))
    with school.database_lost():
        student.go("/my/courses/")
        expect_lost(student)
    expect(student.page.get_by_role("heading", name=TITLE)).to_have_count(0)
    expect(student.page.locator("header.site-head")).to_be_visible()
    student.forgive(because=ON_PURPOSE)


def test_what_answers_without_the_database_is_no_witness(school: School, visit: Visit) -> None:
    """Where /readyz is not let through, and the page does not answer HEAD: that is not “back”."""
    student = visit(fresh_student(school))
    student.page.route("**/readyz", lambda route: route.fulfill(status=404))

    def answers_no_head(route: Route) -> None:
        if route.request.method == "HEAD":
            route.fulfill(status=405)
        else:
            route.continue_()

    student.page.route("**/my/courses/", answers_no_head)
    with school.database_lost():
        student.go("/my/courses/")
        expect_lost(student)
        with student.page.expect_response(lambda one: one.request.method == "HEAD", timeout=15_000):
            pass
        expect_lost(student)
        student.page.wait_for_timeout(300)
        assert student.page.evaluate("sessionStorage.getItem('lost-wait')") is None, "came back"
    student.forgive(because=ON_PURPOSE)


def test_who_comes_back_too_early_waits_longer(school: School, visit: Visit) -> None:
    student = visit(fresh_student(school))
    student.page.route("**/readyz", lambda route: route.fulfill(status=200, body="{}"))
    with school.database_lost():
        student.go("/my/courses/")
        expect_lost(student)
        waits = []
        for _ in range(2):
            with student.page.expect_navigation(timeout=20_000):
                pass
            expect_lost(student)
            waits.append(student.page.evaluate("JSON.parse(sessionStorage['lost-wait']).wait"))
        assert waits == [4000, 6000]
    student.forgive(because=ON_PURPOSE)


def test_a_page_that_was_made_while_the_one_before_saved_looks_again(
    school: School, visit: Visit
) -> None:
    """Loaded anew in the moment the connection is back: the text is saved, and nobody has kept it."""
    email = fresh_student(school)
    student, course = visit(email), course_for(school, email)
    made_before = student.go(course.original).text()
    student.page.locator("[name=note]").fill("typed in the last moment")
    expect_saved(student)
    nothing_is_left(student)
    # The page before hears of it after this one was asked for, and is gone.
    student.page.add_init_script("localStorage.setItem('draft-heard', Date.now())")
    student.page.route(
        f"**{course.original}",
        lambda route: route.fulfill(body=made_before, content_type="text/html; charset=utf-8"),
        times=1,
    )
    student.page.reload()
    expect(student.page.locator("[name=note]")).to_have_value("typed in the last moment")
    # It is this page's text now.
    student.page.locator("[name=note]").press_sequentially(", and on")
    expect_saved(student)
    wait_for_note(school, email, course, "typed in the last moment, and on")
