"""The office deletes hours that lessons stand in, and is asked first; without any script."""

import os
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.axe import CALM, problems_here
from tests.browser.people import Person, Visit
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

STAFF = "staff@school.example"
# A window with lessons to come, of a teacher with other hours that week.
BUSY = """
    SELECT r.id, count(*) FROM scheduling_availabilityrule r
      JOIN enrollment_teacher t ON t.id = r.teacher_id
      JOIN enrollment_lesson l ON l.teacher_id = t.id AND l.status = 'planned'
       AND lower(l.period) > now()
       AND extract(isodow FROM lower(l.period) AT TIME ZONE t.zone) = r.weekday + 1
       AND (lower(l.period) AT TIME ZONE t.zone)::time >= r.starts
       AND (upper(l.period) AT TIME ZONE t.zone)::time <= r.ends
     GROUP BY r.id HAVING count(*) BETWEEN 2 AND 60 ORDER BY count(*), r.id LIMIT 1
"""


def test_the_page_between_is_for_everybody(school: School, visit: Visit) -> None:
    """At once wrong, too: every choice is named, and where an error is, it says so."""
    staff = _asked(school, visit, **CALM)
    _picture(staff, "impact")
    assert problems_here(staff) == []
    staff.page.get_by_label("Move each to the nearest free time").check()
    staff.page.locator("[name^=impact-lesson-][value^='to:']").first.check()
    for choice in staff.page.locator("[name^=impact-lesson-][value^='to:']").all()[:40]:
        choice.check()
    staff.page.locator("[name^=impact-seen-]").first.evaluate("field => { field.value = 'old' }")
    staff.button("Save, and do this with the lessons").click()
    expect(staff.page.get_by_text("has changed meanwhile").first).to_be_visible()
    staff.forgive(because="the browser writes a form that comes back with 422 to its console")
    _picture(staff, "impact-error")
    assert problems_here(staff) == []
    staff.page.set_viewport_size({"width": 390, "height": 844})
    _picture(staff, "impact-phone")
    staff.page.emulate_media(color_scheme="dark")
    staff.page.evaluate("document.documentElement.classList.add('dark')")
    _picture(staff, "impact-phone-dark")


def test_without_any_script(school: School, visit: Visit) -> None:
    staff = _asked(school, visit, java_script_enabled=False)
    staff.page.get_by_label("Cancel them, each with a make-up credit").check()
    before = school.rows("SELECT count(*) FROM enrollment_makeupcredit")[0][0]
    staff.button("Save, and do this with the lessons").click()
    expect(staff.page.get_by_text("given to somebody else or cancelled.")).to_be_visible()
    assert school.rows("SELECT count(*) FROM enrollment_makeupcredit")[0][0] > before


def _asked(school: School, visit: Visit, **options: Any) -> Person:
    [(rule, _count)] = school.rows(BUSY)
    staff = visit(STAFF, **options)
    staff.go(f"/admin/scheduling/availabilityrule/{rule}/delete/")
    staff.page.locator("form:has([name=post]) [type=submit]").click()
    heading = staff.page.get_by_role("heading", name="This change hits").last
    expect(heading).to_be_visible()
    return staff


def _picture(person: Person, name: str) -> None:
    """For looking at: PICTURES names a folder."""
    if folder := os.environ.get("PICTURES"):
        person.page.screenshot(path=f"{folder}/{name}.png")
