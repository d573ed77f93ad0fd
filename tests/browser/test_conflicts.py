"""A conflict from its list to the one click, with the pages that have no address of their own by axe."""

import pytest
from playwright.sync_api import expect

from tests.browser.axe import CALM, problems, problems_here
from tests.browser.people import Visit
from tests.browser.school import School
from tests.browser.things import things_of

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

STAFF = "staff@school.example"
LIST = "/admin/enrollment/conflict/"


def test_a_conflict_is_settled_and_every_page_can_be_used(school: School, visit: Visit) -> None:
    conflict = things_of(school, STAFF)["enrollment.conflict"]
    staff = visit(STAFF, **CALM)
    found = problems(staff, LIST)
    staff.page.get_by_role("button", name="Filters").click()
    found += problems_here(staff)
    found += problems(staff, f"{LIST}{conflict}/change/")
    staff.page.get_by_label("Another teacher, at the same time").last.check()
    staff.button("Go on").click()
    expect(staff.page.get_by_text("Choose who teaches instead.")).to_be_visible()
    found += problems_here(staff)
    staff.page.get_by_label("Move it").first.check()
    staff.field("Free for both").first.select_option(index=1)
    staff.page.get_by_label("Leave it as it is").last.check()
    found += problems_here(staff)
    staff.button("Go on").click()
    expect(staff.field("Message")).to_have_count(1)
    found += problems_here(staff)
    assert not found

    written = "SELECT count(*) FROM enrollment_message WHERE body LIKE '%%Snow, sadly.%%'"
    staff.field("Message").fill("Snow, sadly.")
    staff.button("Do all of this").click()
    expect(staff.page.get_by_text("The conflict is resolved.")).to_be_visible()
    assert school.rows(written) == [(1,)]
    # Every page of the table of permissions shows one that is open.
    school.change("DELETE FROM enrollment_conflict_lessons")
    school.change("DELETE FROM enrollment_conflict")
