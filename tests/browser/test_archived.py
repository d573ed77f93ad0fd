"""The tables of the features are taken away from under people who use them, and come back."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from config.local import place
from tests.browser.crawler import crawl
from tests.browser.enrolling import (
    choose,
    course_for,
    enrollments,
    expect_enrolled,
    expect_original_form,
    expect_saved,
    fresh_student,
    only_enrollment,
    tell,
)
from tests.browser.people import Person, Visit
from tests.browser.prober import wait_until_off, wait_until_on
from tests.browser.school import School
from tests.browser.test_pages import PEOPLE, STARTS

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

MOVE = "from rollback.schema import reverse; reverse.{}(apps=('scheduling', 'holidays'))"
OFFICE = "is in the archive since"


@contextmanager
def archived(school: School) -> Iterator[None]:
    """The flags stay as they are: that the tables are away is enough."""
    _manage(school, "shell", "--no-imports", "-c", MOVE.format("take_away"))
    try:
        wait_until_off(school)
        yield
    finally:
        _manage(school, "shell", "--no-imports", "-c", MOVE.format("bring_back"))
        wait_until_on(school)


def _manage(school: School, *words: str) -> None:
    environment = os.environ | {"DATABASE_URL": school.database_url, "SCHOOL_VAR": str(school.var)}
    command = [sys.executable, str(place.BASE_DIR / "manage.py"), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_school_goes_on_without_the_tables(school: School, visit: Visit) -> None:
    email = fresh_student(school)
    student, course = visit(email), course_for(school, email)
    [hours] = school.rows("SELECT count(*) FROM scheduling_availabilityrule")
    choice = choose(student, course)
    tell(student)
    expect_saved(student)
    with archived(school):
        student.button("Go on").click()
        expect_original_form(student, course, choice, school)
        student.button("Enroll", within="main").click()
        expect_enrolled(student, course)
        assert only_enrollment(school, email, course)["flow"] == "original"
        _teacher_and_student_write(school, visit)
        _the_office_is_told(visit("admin@school.example"))
        for who, starts in PEOPLE.items():
            if starts == STARTS:  # the office's pages: tests/rollback/test_archived_school.py
                assert not crawl(visit(who), starts).wrong
    assert school.rows("SELECT count(*) FROM scheduling_availabilityrule") == [hours]
    other = fresh_student(school)
    course = course_for(school, other)
    choose(visit(other), course)
    assert enrollments(school, other, course) == []


def _teacher_and_student_write(school: School, visit: Visit) -> None:
    [(thread,)] = school.rows(
        """SELECT e.id FROM enrollment_enrollment e
             JOIN enrollment_student s ON s.id = e.student_id
             JOIN enrollment_user u ON u.id = s.user_id
             JOIN enrollment_teacher t ON t.id = e.teacher_id
             JOIN enrollment_user v ON v.id = t.user_id
            WHERE v.email = 'teacher@school.example' AND e.status = 'confirmed'
              AND u.email = 'student@school.example' ORDER BY e.id LIMIT 1"""
    )
    for email, words in (
        ("teacher@school.example", "All well?"),
        ("student@school.example", "Yes"),
    ):
        person = visit(email)
        person.go(f"/messages/{thread}/")
        person.page.locator("[name=body]").fill(words)
        person.button("Send", within="main").click()
        expect(person.page.get_by_text(words, exact=True).last).to_be_visible()


def _the_office_is_told(admin: Person) -> None:
    for page in ("/admin/scheduling/timeoff/", "/admin/holidays/holiday/"):
        admin.go(page)
        assert admin.path() == "/admin/"
        expect(admin.page.get_by_text(OFFICE).first).to_be_visible()
    admin.go("/admin/enrollment/lesson/add/")
    expect(admin.button("Save").first).to_be_visible()
