"""A problem is reported from where it is met, with and without JavaScript, and answered in the office."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.axe import CALM, problems, problems_here, send_empty
from tests.browser.people import Visit
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

STUDENT, STAFF = "student@school.example", "staff@school.example"
LIST = "/admin/rollback/complaint/"
WORDS = "My lesson of Tuesday is shown on Monday."


def test_from_the_page_where_it_happened_and_back_there(visit: Visit, school: School) -> None:
    """Without JavaScript, and with the feature of the page gone in between."""
    student = visit(STUDENT, java_script_enabled=False)
    student.go("/calendar/")
    student.link("Report a problem", within="footer").click()
    expect(student.page.get_by_text("the page you came from (/calendar/")).to_be_visible()
    school.kill_all()
    student.page.get_by_label("A lesson or a time is wrong").check()
    student.field("What happened?").fill(WORDS)
    student.button("Send the report").click()
    expect(student.page.get_by_role("heading", level=1)).to_have_text("Your report has arrived")
    school.all_on()
    student.link("Back to where you were").click()
    expect(student.page).to_have_url(re.compile("/calendar/"))
    ((text, path, features),) = school.rows(
        "SELECT text, path, features FROM rollback_complaint WHERE text = %s", WORDS
    )
    assert (text, path[:10], features) == (WORDS, "/calendar/", [])


def test_what_is_missing_is_said_and_the_form_is_read_to_everybody(
    visit: Visit, school: School
) -> None:
    visitor = visit("", **CALM)
    assert not problems(visitor, "/report/?from=/")
    visitor.field("What happened?").fill("Half a sentence")
    send_empty(visitor, "main form")
    expect(visitor.field("What happened?")).to_have_value("Half a sentence")
    assert not problems_here(visitor)


def test_the_office_enters_and_answers(visit: Visit, school: School) -> None:
    staff = visit(STAFF, **CALM)
    staff.go(LIST)
    staff.link("Enter a report for somebody").click()
    staff.field("Mail address").fill("nobody@school.example")
    staff.page.get_by_label("A payment").check()
    staff.field("What happened?").fill("Says the fee was taken twice.")
    staff.button("Enter").click()
    expect(staff.page.get_by_text("Nobody has this address.")).to_be_visible()
    assert not problems_here(staff)
    staff.field("Mail address").fill(STUDENT)
    staff.button("Enter").click()
    staff.link("Says the fee was taken twice.").click()
    staff.link("Answer").click()
    staff.field("What was done").fill("Paid back today.")
    staff.button("Save").click()
    expect(staff.page.get_by_text("The report is answered.")).to_be_visible()
    assert not problems_here(staff)
