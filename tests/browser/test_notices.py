"""What stands above every page, in a browser: on a desk, a phone and in the dark, by keyboard, without any
script; and the way from the first public word to the last, as the office and a student see it.
"""

import os
import re
import time
from collections.abc import Iterator
from typing import Any, LiteralString
from urllib.request import urlopen

import psycopg
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.axe import CALM, OVERFLOW, problems_here
from tests.browser.people import Person, Visit
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

STAFF, STUDENT = "staff@school.example", "student@school.example"
PHONE: dict[str, Any] = {"width": 390, "height": 844}
NOTHING: LiteralString = """
    DELETE FROM rollback_banner;
    DELETE FROM rollback_publicupdate;
    SELECT rollback_say('', 'a test', 'person', '', 'it is over');
    UPDATE rollback_incident SET resolved_at = now(), resolved_by_name = 'a test', resolution = 'It is over.'
     WHERE resolved_at IS NULL
"""
INCIDENT: LiteralString = """
    SELECT rollback_say('', 'a test', 'person', '', 'Errors above 2 %.');
    UPDATE rollback_flag SET everyone = false WHERE name = 'ENABLE_CALENDAR_DISPLAY';
    INSERT INTO rollback_incident (title, cause, kind, severity, opened_by_name, resolved_by_name, resolution,
                                   opened_at)
    VALUES ('Calendar: errors', 'Above 2 %.', 'errors', 2, 'a test', '', '', now() - interval '9 minutes');
    INSERT INTO rollback_latch (flag_name, incident_id)
    SELECT 'ENABLE_CALENDAR_DISPLAY', max(id) FROM rollback_incident
"""
SAID: LiteralString = """
    INSERT INTO rollback_publicupdate (incident_id, state, components, headings, texts, published_by_name)
    SELECT max(id), 'investigating', '{calendar}',
           '{"en": "The calendar: we are looking into a problem", "de": "Der Kalender: Wir gehen dem nach"}',
           '{"en": "You can see your lessons as a list.", "de": "Ihre Stunden stehen als Liste da."}',
           'a test'
      FROM rollback_incident
"""
AGAIN: LiteralString = """
    INSERT INTO rollback_publicupdate (incident_id, state, components, headings, texts, published_by_name)
    SELECT max(id), 'identified', '{calendar}', '{"en": "The calendar: found"}', '{"en": "We mend it."}',
           'a test'
      FROM rollback_incident
"""


@pytest.fixture
def told(school: School) -> Iterator[School]:
    one_by_one(school, NOTHING, INCIDENT, SAID)
    wait_for(school)
    yield school
    one_by_one(school, NOTHING)


def one_by_one(school: School, *statements: LiteralString) -> None:
    """In one transaction, for what is said of a change holds until its end."""
    with psycopg.connect(school.database_url) as connection:
        for statement in statements:
            for part in statement.split(";"):
                connection.execute(part)


def notices(person: Person) -> Locator:
    return person.page.locator("[data-notice]")


def wait_for(school: School, count: int = 1) -> None:
    """Until each process has read it, which takes five seconds; the promise is ten. Every question is a
    connection of its own, so that one of two processes is hardly asked ten times in a row.
    """
    newest = school.rows(
        "SELECT 'i' || incident_id || '-' || id FROM rollback_publicupdate ORDER BY id"
    )
    expected = [newest[-1][0]] if count else []
    in_a_row, deadline = 0, time.monotonic() + 30
    while in_a_row < 10:
        assert time.monotonic() < deadline, f"not everywhere: {expected}"
        with urlopen(school.url) as page:
            found = re.findall(r'data-notice="([^"]+)"', page.read().decode())
        in_a_row = in_a_row + 1 if found == expected else 0


def picture(person: Person, name: str) -> None:
    """For whoever wants to look: SCHOOL_PICTURES=/some/folder."""
    if folder := os.environ.get("SCHOOL_PICTURES"):
        person.page.screenshot(path=f"{folder}/{name}.png")


@pytest.mark.parametrize("size", ["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_everywhere(told: School, visit: Visit, size: str, scheme: Any) -> None:
    options = {**CALM, "color_scheme": scheme} | ({"viewport": PHONE} if size == "phone" else {})
    for email, path in ((STUDENT, "/my/courses/"), (STAFF, "/admin/")):
        person = visit(email, **options)
        person.go(path)
        picture(person, f"notice-{size}-{scheme}-{path.split('/')[1]}")
        assert problems_here(person) == []
        assert person.page.evaluate(OVERFLOW) == 0


def test_closed_by_keyboard_it_stays_away_until_there_is_news(told: School, visit: Visit) -> None:
    student = visit(STUDENT, **CALM)
    student.go("/my/courses/")
    button = student.page.get_by_role("button", name="Close: The calendar")
    button.focus()
    student.page.keyboard.press("Enter")
    expect(notices(student)).to_have_count(0)
    expect(student.page).to_have_url(f"{told.url}/my/courses/")
    assert student.page.evaluate("document.activeElement.id") == "main", "not lost"
    student.go("/my/courses/")
    expect(notices(student)).to_have_count(0)
    one_by_one(told, AGAIN)
    wait_for(told)
    student.go("/my/courses/")
    expect(notices(student)).to_contain_text("We mend it.")


def test_without_any_script_the_form_does_the_same(told: School, visit: Visit) -> None:
    visitor = visit(java_script_enabled=False)
    visitor.go("/?page=1")
    visitor.page.get_by_role("button", name="Close: The calendar").click()
    expect(visitor.page).to_have_url(f"{told.url}/?page=1")
    expect(notices(visitor)).to_have_count(0)


def test_where_the_post_is_lost_the_form_is_sent(told: School, visit: Visit) -> None:
    visitor = visit()
    visitor.go("/")
    tried: list[str] = []

    def once(route: Any) -> None:
        tried.append(route.request.resource_type)
        route.abort() if len(tried) == 1 else route.continue_()

    visitor.page.route("**/notices/close/", once)
    visitor.page.get_by_role("button", name="Close: The calendar").click()
    expect(notices(visitor)).to_have_count(0)
    assert tried == ["fetch", "document"]
    visitor.forgive(because="the post was taken away")


def test_it_moves_nothing_and_is_not_printed(told: School, visit: Visit) -> None:
    student = visit(STUDENT, **CALM)
    student.go("/my/courses/")
    shift = student.page.evaluate(
        """() => new Promise((done) => {
             let sum = 0;
             new PerformanceObserver((list) => list.getEntries().forEach((one) => (sum += one.value)))
               .observe({ type: "layout-shift", buffered: true });
             setTimeout(() => done(sum), 300);
           })"""
    )
    assert shift == 0
    student.page.emulate_media(media="print")
    expect(notices(student)).to_be_hidden()


def test_from_the_first_public_word_to_the_last(told: School, visit: Visit) -> None:
    """The office is told that a word is due, publishes what is filled in, and the public reads it."""
    office = visit(STAFF, **CALM)
    one_by_one(told, NOTHING, INCIDENT)
    office.go("/admin/rollback/flag/room/")
    due = office.page.locator(".word-due.late")
    expect(due).to_contain_text("overdue for")
    before = due.locator("[data-word-left]").inner_text()
    expect(due.locator("[data-word-left]")).not_to_have_text(before)  # it counts by itself
    picture(office, "room-late")
    assert problems_here(office) == []
    office.page.get_by_role("link", name="Tell the public about incident").click()
    expect(office.page.get_by_label("Heading, English")).not_to_have_value("")
    picture(office, "publish")
    assert problems_here(office) == []
    office.page.get_by_label("Text, German").fill("")
    office.button("Publish", within="#content").click()
    expect(office.page.get_by_text("Write it in German as well")).to_be_visible()
    office.forgive(because="a text was left empty")
    office.page.get_by_label("Text, German").fill("Wir sind dran.")
    office.button("Publish", within="#content").click()
    # The school may have verified itself meanwhile, and have another word to say.
    expect(office.page.locator(".word-due")).to_contain_text("Last word: ")
    visitor = visit(locale="de-DE")
    wait_for(told)
    visitor.go("/")
    expect(notices(visitor)).to_contain_text("Wir sind dran.")
    # What resolves it leads to the last word.
    office.page.get_by_role("link", name="Resolve").click()
    office.page.get_by_label("How it was resolved").fill("Found and mended.")
    office.button("Resolve", within="#content").click()
    expect(office.page.get_by_label("State")).to_have_value("resolved")
    office.button("Publish", within="#content").click()
    expect(office.page.locator(".word-due")).to_have_count(0)
    wait_for(told, count=0)
    visitor.go("/")
    expect(notices(visitor)).to_have_count(0)
