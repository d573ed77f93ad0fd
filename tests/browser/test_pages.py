"""Every page of everybody, with all features on and with all of them off."""

import pytest

from tests.browser.crawler import crawl
from tests.browser.people import Visit
from tests.browser.prober import wait_until_off, wait_until_on
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

STARTS = ["/", "/home/"]
OFFICE = ["/admin/"]
PEOPLE = {
    "": STARTS,
    "student@school.example": STARTS,
    "teacher@school.example": STARTS,
    "staff@school.example": [*STARTS, *OFFICE],
    "admin@school.example": [*STARTS, *OFFICE],
}


@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
@pytest.mark.parametrize("email", PEOPLE, ids=lambda email: email.partition("@")[0] or "nobody")
def test_no_link_is_dead_and_no_page_fails(
    school: School, visit: Visit, email: str, on: bool
) -> None:
    """All are fetched; one of each kind is also looked at, for its scripts and styles.

    Not the office's: test_accessibility.py opens each of them, with an eye on the same troubles.
    """
    if not on:
        school.kill_all()
    (wait_until_on if on else wait_until_off)(school)
    person = visit(email)
    findings = crawl(person, PEOPLE[email])
    assert not findings.wrong
    assert findings.seen >= len(PEOPLE[email]), "somebody must have been somewhere"
    for path in findings.pages.values():
        if not path.startswith("/admin/"):
            person.go(path)
    assert not person.trouble
