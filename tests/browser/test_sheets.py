"""The office imports a file: with a mistake in it, corrected, looked at, confirmed."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.axe import problems_here
from tests.browser.people import Person, Visit
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

PHONE = {"width": 390, "height": 844}
NORA = "nora@neu.example"
MISTAKEN = f"email;first_name;last_name;zone\n{NORA};Nora;Neu;Europe/Berln\n"
CORRECTED = MISTAKEN.replace("Berln", "Berlin")


def choose(person: Person, text: str) -> None:
    file = {"name": "Neue Lehrkräfte.csv", "mimeType": "text/csv", "buffer": text.encode("cp1252")}
    person.field("CSV file").set_input_files(file)  # type: ignore[arg-type]
    person.button("Look at it first").click()


def fits(person: Person) -> bool:
    width: int = person.page.evaluate("document.documentElement.scrollWidth")
    return width <= PHONE["width"]


def test_from_a_mistake_to_a_new_teacher(visit: Visit, school: School) -> None:
    person = visit("staff@school.example", viewport=PHONE)
    person.go("/admin/enrollment/teacher/")
    person.page.get_by_role("link", name="more_horiz").click()
    person.page.get_by_role("link", name="Import").click()
    page = person.page
    choose(person, MISTAKEN)
    expect(page.get_by_text("Did you mean Europe/Berlin?")).to_be_visible()
    assert fits(person)
    assert not problems_here(person)

    choose(person, CORRECTED)
    expect(page.get_by_role("heading", name="Neue Lehrkräfte.csv")).to_be_visible()
    expect(page.get_by_text("Nothing has been written yet")).to_be_visible()
    assert fits(person)
    assert not problems_here(person)
    assert not school.rows("SELECT 1 FROM enrollment_user WHERE email = %s", NORA)

    person.button("Import now").click()
    expect(page).to_have_url(re.compile("/admin/enrollment/teacher/$"))
    expect(page.get_by_text("Imported: 1 new, 0 changed, 0 unchanged.")).to_be_visible()
    assert school.rows("SELECT 1 FROM enrollment_user WHERE email = %s", NORA)


def test_the_list_becomes_a_file(visit: Visit) -> None:
    person = visit("staff@school.example", accept_downloads=True)
    person.go("/admin/enrollment/student/?q=zoe")
    person.page.get_by_role("link", name="Export").click()
    expect(
        person.page.get_by_text("what the list shows with its search and filters")
    ).to_be_visible()
    assert not problems_here(person)

    with person.page.expect_download() as download:
        person.button("Export").click()

    assert download.value.suggested_filename == "students.csv"
    lines = download.value.path().read_text("utf-8-sig").splitlines()
    assert lines[0] == "email,first_name,last_name,zone,language"
    assert len(lines) > 1
    assert all("zo" in line.lower() for line in lines[1:])
