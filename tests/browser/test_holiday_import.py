"""The office imports a country's holidays, looks at them first, and takes the import back."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.axe import problems_here
from tests.browser.people import Visit
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

IMPORTED = """
    SELECT count(*) FROM holidays_holiday h JOIN holidays_holidaysource s ON s.id = h.source_id
     WHERE s.country = 'DE'
"""
PHONE = {"width": 390, "height": 844}


def test_from_a_country_to_the_preview_and_back(visit: Visit, school: School) -> None:
    person = visit("staff@school.example", viewport=PHONE)
    page = person.page
    person.go("/admin/holidays/holidayimport/start/")
    person.field("Country").select_option("DE")
    person.button("Go on").click()
    person.field("Part of the country").select_option("BY")
    person.button("Look at it first").click()
    expect(page.get_by_role("heading", name="Germany, Bayern: Public holidays")).to_be_visible()
    expect(page.get_by_text("Nothing has been written yet.")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert not problems_here(person)

    page.get_by_role("checkbox", name=re.compile("Add Epiphany")).first.uncheck()
    person.button("Import now").click()
    expect(page.get_by_text("Imported.")).to_be_visible()
    assert school.rows(IMPORTED)[0][0] > 10

    person.go(re.sub(r"/change/.*", "/undo/", person.path()))
    person.button("Undo this import").click()
    expect(page.get_by_text("as they were before the import")).to_be_visible()
    assert school.rows(IMPORTED)[0][0] == 0
