"""The main pages by axe, in light and dark, wide and narrow; and never wider than the screen."""

from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.enrolling import choose, course_for, fresh_student, tell
from tests.browser.people import Person, Visit
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

STUDENT = "student@school.example"
TEACHER = "teacher@school.example"
STAFF = "staff@school.example"
DESKTOP = ViewportSize(width=1280, height=900)
PHONE = ViewportSize(width=390, height=844)
SMALL_PHONE = ViewportSize(width=320, height=640)
# A color that is on its way from light to dark has a contrast of its own.
CALM = {"reduced_motion": "reduce"}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
DATA = ("/my/data/", "/my/data/delete/")
GRAVE = {"serious", "critical"}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_pages_of_nobody(visit: Visit) -> None:
    _are_accessible(
        visit(**CALM), "/", "/accounts/login/", "/accounts/signup/", "/courses/nowhere/"
    )


def test_pages_of_a_student(visit: Visit, school: School) -> None:
    [(mine,)] = school.rows(
        """SELECT e.id FROM enrollment_enrollment e JOIN enrollment_student s ON s.id = e.student_id
             JOIN enrollment_user u ON u.id = s.user_id
            WHERE u.email = %s AND e.status = 'confirmed' ORDER BY e.id LIMIT 1""",
        STUDENT,
    )
    course = course_for(school, STUDENT)
    pages = ("/my/courses/", "/calendar/", "/holidays/", "/accounts/email/", *DATA)
    own = (f"/enrollments/{mine}/", f"/courses/{course.slug}/", course.original)
    student = visit(STUDENT, **CALM)
    _say(student, mine, "Shall we play the second piece on Thursday?")
    _are_accessible(student, *pages, *own, "/messages/", f"/messages/{mine}/")


def test_steps_of_the_new_flow(visit: Visit, school: School) -> None:
    email = fresh_student(school, zone="America/St_Johns")
    student, course = visit(email, **CALM), course_for(school, email)
    choose(student, course)
    tell(student)
    student.button("Go on").click()
    _are_accessible(student, course.step(), course.step("details/"), course.step("confirm/"))


def test_the_original_form_after_being_turned_away(visit: Visit, school: School) -> None:
    email = fresh_student(school)
    student, course = visit(email, **CALM), course_for(school, email)
    choose(student, course)
    school.kill_all()
    _are_accessible(student, course.step("details/"))


def test_pages_of_a_teacher(visit: Visit, school: School) -> None:
    [(taught,)] = school.rows(
        """SELECT e.id FROM enrollment_enrollment e JOIN enrollment_teacher t ON t.id = e.teacher_id
             JOIN enrollment_user u ON u.id = t.user_id
            WHERE u.email = %s AND e.status = 'confirmed' ORDER BY e.id LIMIT 1""",
        TEACHER,
    )
    teacher = visit(TEACHER, **CALM)
    _say(teacher, taught, "Bring the blue book, please.")
    pages = ("/my/lessons/", "/my/students/", "/schedule/my/hours/", "/calendar/")
    own = (f"/my/students/{taught}/", "/messages/", f"/messages/{taught}/")
    _are_accessible(teacher, *pages, *own)


def _say(person: Person, enrollment: int, words: str) -> None:
    person.go(f"/messages/{enrollment}/")
    person.field("Your message").fill(words)
    person.button("Send").click()
    person.page.wait_for_url("**#message-*")


def test_pages_of_the_office(visit: Visit, school: School) -> None:
    [(enrollment, teacher, on)] = school.rows(
        """SELECT l.enrollment_id, l.teacher_id, l.local_on FROM enrollment_lesson l
             JOIN enrollment_enrollment e ON e.id = l.enrollment_id
            WHERE l.status = 'planned' AND e.status = 'confirmed'
            ORDER BY l.period DESC, l.id LIMIT 1"""
    )
    lessons = "/admin/enrollment/lesson"
    series = f"/admin/enrollment/enrollment/{enrollment}/plan-series/?teacher={teacher}&every=1"
    pages = (f"{lessons}/week/?teacher={teacher}&on={on}", f"{lessons}/day/?on={on}")
    _are_accessible(visit(STAFF, **CALM), *pages, f"{series}&first_on={on}&at=16:00&count=3")


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
    _are_accessible(student, course.original)
    expect(student.page.get_by_role("heading", name="Which text is right?")).to_be_visible()


def _are_accessible(person: Person, *paths: str) -> None:
    found = [problem for path in paths for problem in _problems(person, path)]
    assert not found, "\n".join(found)


def _problems(person: Person, path: str) -> list[str]:
    answer = person.go(path)
    if answer.status == 404:
        person.forgive(because="the browser writes a missing page to its console")
    found = []
    for size in (DESKTOP, PHONE):
        person.page.set_viewport_size(size)
        for scheme in SCHEMES:
            person.page.emulate_media(color_scheme=scheme)
            found += [f"{path} {size['width']} {scheme}: {one}" for one in _violations(person.page)]
    for size in (PHONE, SMALL_PHONE):
        person.page.set_viewport_size(size)
        if too_wide := person.page.evaluate(OVERFLOW):
            found.append(f"{path} is {too_wide} px too wide for {size['width']} px")
    return found


def _violations(page: Page) -> list[str]:
    violations: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{violation['id']} ({violation['impact']}): {node['html'][:160]} {node['failureSummary']}"
        for violation in violations
        if violation["impact"] in GRAVE
        for node in violation["nodes"][:3]
    ]
