"""Down to the archive and home again, by two people at two browsers and the school's own runner."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.axe import CALM, problems_here
from tests.browser.people import Person, Visit
from tests.browser.school import School
from tests.browser.test_room import NOTHING_OPEN, _do, picture

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

STAFF, ADMIN = "staff@school.example", "admin@school.example"
NOW = "/admin/rollback/phaserun/now/"
# Locks, a verification of ten probes, and the other tests on the same two cores.
A_WHILE = 120_000  # ms
AWAY = "SELECT count(*) FROM rollback_ledgerentry WHERE kind = 'table' AND back_at IS NULL"


@pytest.fixture
def quiet(school: School) -> Iterator[School]:
    """Nothing is open; whatever happens, the tables come home and everything is on again."""
    _do(school, NOTHING_OPEN)
    school.all_on()
    yield school
    _do(
        school,
        "UPDATE rollback_phaserun SET status = 'cancelled', finished_at = now()"
        " WHERE status IN ('asked', 'ready', 'running')",
    )
    if school.rows(AWAY)[0][0]:
        subprocess.run(
            [sys.executable, "manage.py", "rollback", "reapply", "--reason", "over", "--yes"],
            env=os.environ | {"DATABASE_URL": school.database_url},
            check=True,
            capture_output=True,
        )
    _do(school, NOTHING_OPEN)
    school.all_on()


def test_down_to_the_archive_and_home(quiet: School, visit: Visit) -> None:
    staff, head, found = visit(STAFF, **CALM), visit(ADMIN, **CALM), []
    staff.go("/admin/rollback/flag/room/")
    staff.link("Phases, step by step …").click()
    expect(_state(staff)).to_contain_text("No phase is taken")
    expect(_state(staff)).not_to_contain_text("No runner lives")
    picture(staff, "phases-on")
    found += problems_here(staff)

    _fill(staff, "The whole sequence", reason="Lessons are booked twice.", word="archive")
    picture(staff, "phases-ask")
    found += problems_here(staff)
    staff.button("Do it").click()
    # By itself, from here on.
    run = staff.page.locator("#phase-run")
    expect(run).to_contain_text("Waits for approval", timeout=A_WHILE)
    expect(run).to_contain_text("You asked for it yourself: a second person looks at it.")
    expect(_state(staff)).to_contain_text("Phase 2 holds")
    picture(staff, "phases-waits")
    found += problems_here(staff)

    head.go(NOW)
    head.link("Look at it and approve …").click()
    picture(head, "phases-approve")
    found += problems_here(head)
    head.field("Type “archive”").fill("archive")
    head.field("Type “archive”").press("Enter")
    expect(_state(staff)).to_contain_text(
        "Phase 1 holds: the tables are in the archive.", timeout=A_WHILE
    )
    expect(run).to_contain_text("every row is as it was before.", timeout=A_WHILE)
    expect(run).to_contain_text("The last run", timeout=A_WHILE)
    picture(staff, "phases-archived")
    found += problems_here(staff)

    staff.go("/admin/scheduling/timeoff/")
    expect(staff.page.locator("body")).to_contain_text("is in the archive since")
    assert staff.path() == "/admin/"
    picture(staff, "phases-office")
    found += problems_here(staff)
    staff.go("/admin/rollback/ledgerentry/")
    picture(staff, "phases-ledger")
    staff.go("/admin/rollback/flag/room/")
    expect(staff.page.locator("#room-features")).to_contain_text("In the archive")
    picture(staff, "phases-room")
    found += problems_here(staff)

    head.go(NOW)
    _fill(head, "Bring the tables back", reason="The cause is mended.")
    head.button("Do it").click()
    expect(_state(head)).to_contain_text("Phase 2 holds", timeout=A_WHILE)
    expect(head.page.locator("#phase-run")).to_contain_text("The last run", timeout=A_WHILE)
    expect(head.page.locator("#phase-run")).to_contain_text("every row is as it was before.")
    picture(head, "phases-home")
    assert not [*found, *problems_here(head)]
    assert quiet.rows(AWAY) == [(0,)]


def test_without_scripts_it_is_loaded_again(quiet: School, visit: Visit) -> None:
    staff = visit(STAFF, java_script_enabled=False)
    staff.go(f"{NOW}?target=3")
    _fill(staff, "Phase 3", reason="Too slow.")
    staff.button("Do it").click()
    for _again in range(60):
        staff.go(NOW)
        if "The last run" in staff.page.locator("#phase-run").inner_text():
            break
        staff.page.wait_for_timeout(1_000)
    expect(_state(staff)).to_contain_text("Phase 3 holds: the pages are off for everybody.")
    expect(staff.page.locator("#phase-run")).to_contain_text("2 of 2 steps done")


def _state(person: Person) -> Locator:
    return person.page.locator("#phase-state")


def _fill(person: Person, what: str, *, reason: str, word: str = "") -> None:
    """And look at what it means."""
    form = person.page.locator("#phase-ask")
    if form.get_attribute("open") is None:
        form.locator("summary").click()
    form.get_by_label(what).check()
    form.get_by_label("Reason").fill(reason)
    if word:
        form.get_by_label("type “archive”").fill(word)
    person.button("Show what it means").click()
    expect(person.page.locator("#phase-ask")).to_contain_text("What it means, read just now")
