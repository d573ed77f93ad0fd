"""Every page of everybody, with all features on and with all of them off."""

import pytest

from tests.browser.crawler import crawl
from tests.browser.people import Visit
from tests.browser.prober import wait_until_off, wait_until_on
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

STARTS = ["/", "/home/"]
OFFICE = ["/admin/"]
PEOPLE = {
    "": STARTS,
    "student@school.example": STARTS,
    "teacher@school.example": STARTS,
    "staff@school.example": [*STARTS, *OFFICE],
    "admin@school.example": [*STARTS, *OFFICE],
}
# The office's pages are the same for staff and while everything is off; looking takes its time.
LOOKS_AT_THE_OFFICE = ("admin@school.example", True)


@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
@pytest.mark.parametrize("email", PEOPLE, ids=lambda email: email.partition("@")[0] or "nobody")
def test_no_link_is_dead_and_no_page_fails(
    school: School, visit: Visit, email: str, on: bool
) -> None:
    """All are fetched; one of each kind is also looked at, for its scripts and styles."""
    if not on:
        school.kill_all()
    (wait_until_on if on else wait_until_off)(school)
    person = visit(email)
    findings = crawl(person, PEOPLE[email])
    assert not findings.wrong
    assert findings.seen >= len(PEOPLE[email]), "somebody must have been somewhere"
    for path in _worth_a_look(findings.pages, office=(email, on) == LOOKS_AT_THE_OFFICE):
        person.go(path)
    assert not person.trouble


def _worth_a_look(pages: dict[str, str], *, office: bool) -> list[str]:
    """Django's own two pages look the same for every model."""
    kinds: dict[str, str] = {}
    for route, path in pages.items():
        if office or not route.startswith("/admin/"):
            same = next((end for end in ("/history/", "/delete/") if route.endswith(end)), route)
            kinds.setdefault(same, path)
    return list(kinds.values())
