"""Every page of the school by axe, in light and dark, and never wider than the screen.

The pages are those of the table of permissions: a new one is looked at, or named with the reason in
tests/browser/every_page.py. What needs more than an address is opened here, step by step.
"""

import pytest
from playwright.sync_api import expect

from tests.browser.axe import CALM, TIMES, problems, problems_here, send_empty
from tests.browser.enrolling import choose, course_for, fresh_student, tell, to_confirm
from tests.browser.every_page import LOGINS, nobodys, pages
from tests.browser.people import Person, Visit
from tests.browser.school import School
from tests.browser.things import things_of

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]


def test_somebody_looks_at_every_page() -> None:
    assert not nobodys(), (
        f"{sorted(nobodys())}: open it in a test by axe and add it to BY_HAND, or say in NO_PAGE why "
        "there is nothing to be looked at (both in tests/browser/every_page.py)."
    )


@pytest.mark.parametrize("role", LOGINS)
def test_every_page_of(role: str, visit: Visit, school: School) -> None:
    person = visit(LOGINS[role], **CALM)
    paths = pages(role, school)
    assert len(paths) > 5
    are_accessible(person, *paths)


def test_what_is_not_there_or_not_for_everybody(visit: Visit, school: School) -> None:
    teacher = visit(LOGINS["teacher"], **CALM)
    course = course_for(school, LOGINS["student"])
    are_accessible(teacher, "/courses/nowhere/", course.original, course.step())
    are_accessible(visit(LOGINS["student"], **CALM), "/schedule/my/hours/")
    are_accessible(visit(LOGINS["staff"], **CALM), "/admin/", "/admin/auth/group/", "/admin/no/")


def test_steps_of_the_new_flow(visit: Visit, school: School) -> None:
    email = fresh_student(school, zone="America/St_Johns")
    student, course = visit(email, **CALM), course_for(school, email)
    choose(student, course)
    tell(student)
    to_confirm(student)
    found = [*problems_here(student), *problems(student, course.step("details/"))]
    to_confirm(student)
    student.button("Enroll", within="main").click()
    expect(student.page.get_by_role("heading", name="Your enrollment in")).to_be_visible()
    assert not [*found, *problems_here(student)]


def test_the_original_form_after_being_turned_away(visit: Visit, school: School) -> None:
    email = fresh_student(school)
    student, course = visit(email, **CALM), course_for(school, email)
    choose(student, course)
    school.kill_all()
    are_accessible(student, course.step("details/"))


def test_a_choice_between_two_texts(visit: Visit, school: School) -> None:
    email = fresh_student(school)
    student, course = visit(email, **CALM), course_for(school, email)
    other = student.context.new_page()
    for page in (other, student.page):
        page.goto(course.original)
    for page, said in ((other, "saved"), (student.page, "doubt")):
        page.locator("[name=note]").fill(f"{said} " * 40)
        page.locator("[name=note]").blur()
        expect(page.locator(f"[data-kind={said}]")).to_be_visible()
    student.forgive(because="the browser writes the refusal of a stale text to its console")
    are_accessible(student, course.original)
    expect(student.page.get_by_role("heading", name="Which text is right?")).to_be_visible()


# Who, where, and a form that is sent with nothing filled in.
REFUSED = (
    ("anonymous", "/accounts/login/"),
    ("anonymous", "/accounts/signup/"),
    ("student", "/my/data/delete/"),
    ("student", "/my/tokens/"),
    ("student", "/messages/{enrollment}/"),
    ("teacher", "/schedule/my/hours/"),
    ("teacher", "/schedule/my/dates/"),
    ("teacher", "/schedule/my/time-off/"),
)


@pytest.mark.parametrize(("role", "path"), REFUSED)
def test_a_form_that_comes_back(role: str, path: str, visit: Visit, school: School) -> None:
    person = visit(LOGINS[role], **CALM)
    person.go(path.format(**things_of(school, LOGINS[role])))
    send_empty(person, "main form")
    assert not problems_here(person)


def test_a_new_token(visit: Visit) -> None:
    student = visit(LOGINS["student"], **CALM)
    student.go("/my/tokens/")
    student.field("Name").fill("My calendar")
    student.button("Make a token").click()
    expect(student.page.get_by_role("heading", name="Your new token")).to_be_visible()
    assert not problems_here(student)


def test_one_row_that_differs_in_a_long_list_is_looked_at(visit: Visit) -> None:
    """Of what is the same only a few are; and all are there again afterwards."""
    admin = visit(LOGINS["superuser"], **CALM)
    admin.go("/admin/enrollment/user/")
    rows = admin.page.locator("#result_list > tbody")
    assert rows.count() > 50
    assert not problems_here(admin)
    rows.last.locator("a").first.evaluate("link => { link.style.color = '#ccc' }")
    [found] = problems_here(admin)
    assert "color-contrast" in found
    assert rows.evaluate_all("all => all.every(row => row.checkVisibility())")


def test_what_was_looked_at_before_leaves_no_gap(visit: Visit) -> None:
    """When most of a page is put aside, axe must not find what only its absence makes wrong."""
    admin = visit(LOGINS["superuser"], **CALM)
    admin.go("/admin/holidays/holiday/add/")
    send_empty(admin, "#main form[method=post]")
    assert not [found for _ in range(TIMES + 1) for found in problems_here(admin)]
    admin.go("/admin/enrollment/lesson/?status__exact=planned")
    admin.page.locator("input.action-select").first.check()
    assert not [found for _ in range(TIMES + 1) for found in problems_here(admin)]


def test_a_heading_that_skips_a_level_is_found(visit: Visit) -> None:
    visitor = visit(**CALM)
    visitor.go("/")
    visitor.page.locator("main").evaluate("main => { main.append(document.createElement('h5')) }")
    visitor.page.locator("h5").evaluate("heading => { heading.textContent = 'Deep' }")
    [found] = problems_here(visitor)
    assert "heading-order" in found


def are_accessible(person: Person, *paths: str) -> None:
    found = [problem for path in paths for problem in problems(person, path)]
    assert not found, "\n".join(found)
