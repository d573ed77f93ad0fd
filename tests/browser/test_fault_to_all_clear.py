"""One trouble from its beginning to its end, as the student, the office and everybody else see it."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.enrolling import (
    NOTE,
    Course,
    choose,
    course_for,
    expect_enrolled,
    expect_original_form,
    expect_saved,
    fresh_student,
    only_enrollment,
    tell,
)
from tests.browser.mails import mails_to, only_mail_to, text_of
from tests.browser.office import MASTER, Office
from tests.browser.people import Person, Visit
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# A tick every ten seconds finds out what is due, another one sends it.
TICKS = 45_000  # ms
# What is resolved is looked at once a minute.
RARE = 75_000 + TICKS
# The status page is made every thirty seconds, and may be kept for fifteen.
KEPT = 60.0
SAVED, OVER, BACK = "Your enrollment has been saved", "All clear", f"Back again: {MASTER}"
NOTHING_OPEN: LiteralString = """
    SELECT rollback_say('', 'a test', 'person', '', 'it is over');
    UPDATE rollback_incident SET resolved_at = now(), resolved_by_name = 'a test', resolution = 'It is over.'
     WHERE resolved_at IS NULL
"""


@contextmanager
def nothing_left_open(school: School) -> Iterator[None]:
    try:
        yield
    finally:
        with psycopg.connect(school.database_url, application_name="a test") as connection:
            connection.execute(NOTHING_OPEN)
        school.all_on()


def test_from_the_fault_to_the_all_clear(school: School, visit: Visit, office: Office) -> None:
    email = fresh_student(school)
    student, everybody, course = visit(email), visit(), course_for(school, email)
    with nothing_left_open(school):
        choice = choose(student, course)
        tell(student)
        expect_saved(student)
        number = _taken_away(office.admin)
        student.button("Go on").click()
        expect_original_form(student, course, choice, school)

        _the_public_is_told(office.admin, number, "Investigating")
        _everybody_reads(everybody, "we are looking into a problem")
        assert not mails_to(school, email)
        _released(office.admin, number, "Enrollment affected")
        _the_mail_leads_back_to_what_was_typed(school, student, course, email)
        student.button("Enroll", within="main").click()
        expect_enrolled(student, course)
        assert only_enrollment(school, email, course)["flow"] == "original"

        _resolved(office.admin, number)
        _released(office.admin, number, "All clear")
        assert "over" in text_of(only_mail_to(school, email, about=OVER))
        office.restore()
        _released(office.admin, number, "Feature restored")
        only_mail_to(school, email, about=BACK)
        _the_public_is_told(office.admin, number, "Resolved")
        _nothing_is_wrong_any_more(everybody)
    # Nothing twice, and all of it in the timeline.
    about = [mail["Subject"].strip() for mail in mails_to(school, email)]
    assert len(about) == len(set(about))
    assert _told(school, number) == [
        f"{letter} {what}"
        for letter in ("enrollment", "all_clear", "restored")
        for what in ("prepared", "released", "done")
    ]


def _taken_away(admin: Person) -> int:
    admin.go("/admin/rollback/incident/open")
    admin.field("Title").fill("Lessons are booked twice.")
    admin.page.get_by_label(MASTER, exact=True).check()
    admin.field("Take them away now, for everybody").check()
    admin.field("What was seen").fill("Two students for one lesson, three times.")
    admin.button("Open an incident", within="#main").click()
    expect(admin.page.get_by_text("The incident is open.")).to_be_visible()
    found = re.search(r"/incident/(\d+)/change/", admin.path())
    assert found, admin.path()
    return int(found[1])


def _the_public_is_told(admin: Person, number: int, state: str) -> None:
    admin.go(f"/admin/rollback/incident/{number}/publish/")
    admin.page.get_by_label("State").select_option(label=state)
    admin.button("Fill in the words for this").click()
    admin.button("Publish").click()
    expect(admin.page).to_have_url(re.compile(r"/change/$"))


def _everybody_reads(everybody: Person, words: str) -> None:
    """Above every page, and on the public one."""
    _shows(everybody, "/", everybody.page.locator("[data-notice]", has_text=words))
    _shows(everybody, "/status/", everybody.page.locator("main", has_text=words))


def _shows(person: Person, path: str, found: Locator) -> None:
    _soon(person, path, lambda: found.count() > 0)


def _nothing_is_wrong_any_more(everybody: Person) -> None:
    notices, main = (everybody.page.locator(where) for where in ("[data-notice]", "main"))
    _soon(everybody, "/", lambda: not notices.count())
    _soon(everybody, "/status/", lambda: ": resolved" in main.inner_text())


def _soon(person: Person, path: str, is_so: Callable[[], bool]) -> None:
    """What processes and browsers keep for some seconds is old for so long."""
    deadline = time.monotonic() + KEPT
    person.go(path)
    while not is_so():
        assert time.monotonic() < deadline, f"{path} is as it was after {KEPT} s"
        person.page.wait_for_timeout(1000)
        person.go(path)


def _letter(admin: Person, title: str) -> Locator:
    return admin.page.locator("#words article", has_text=title)


def _released(admin: Person, number: int, title: str) -> None:
    """It comes by itself, says to how many it goes, and goes out when that is typed."""
    admin.go(f"/admin/rollback/incident/{number}/change/")
    expect(_letter(admin, title)).to_contain_text("Prepared", timeout=RARE)
    _letter(admin, title).get_by_role("link", name="Look at it and release it …").click()
    asked = admin.page.locator("#id_people_helptext").inner_text()
    admin.field("How many people get it").fill("".join(re.findall(r"\d", asked)))
    admin.button("Release it").click()
    expect(_letter(admin, title)).to_contain_text("Done", timeout=TICKS)


def _the_mail_leads_back_to_what_was_typed(
    school: School, student: Person, course: Course, email: str
) -> None:
    text = text_of(only_mail_to(school, email, about=SAVED))
    assert (
        "Technical update in progress. Your enrollment has been saved and you can complete it using "
        "our standard process."
    ) in text
    student.go("/")
    [link] = re.findall(r"https?://\S+/drafts/\S+", text)
    student.page.goto(link)
    expect(student.page).to_have_url(student.url + course.original)
    assert student.page.locator("[name=note]").input_value() == NOTE


def _resolved(admin: Person, number: int) -> None:
    admin.go(f"/admin/rollback/incident/{number}/resolve/")
    admin.field("How it was resolved").fill("Held twice; the guard is mended.")
    admin.button("Resolve", within="#main").click()
    expect(admin.page.get_by_text("The incident is resolved.")).to_be_visible()


def _told(school: School, number: int) -> list[str]:
    rows = school.rows(
        """SELECT payload->>'letter', payload->>'what' FROM rollback_incidentevent
            WHERE incident_id = %s AND kind = 'mailed' AND payload->>'letter' = ANY(%s) ORDER BY number""",
        number,
        ["enrollment", "all_clear", "restored"],
    )
    return [f"{letter} {what}" for letter, what in rows]
