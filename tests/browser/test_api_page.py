"""The page on which a person reads and tries the API, under the school's own content policy."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.axe import OVERFLOW, SIZES
from tests.browser.people import Person, Visit

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]


@pytest.fixture
def reader(visit: Visit) -> Person:
    person = visit("teacher@school.example")
    person.go("/my/tokens/")
    person.link("What programs can do, to read and to try").click()
    expect(person.page.locator(".swagger-ui .opblock").first).to_be_visible()
    return person


def operation(person: Person, key: str) -> Any:
    """Opened, and ready to be tried."""
    block = person.page.locator(f"#operations-{key}")
    block.locator(".opblock-summary").click()
    block.get_by_role("button", name="Try it out").click()
    return block


def test_nothing_on_it_is_refused_by_the_policy(reader: Person) -> None:
    """`reader.trouble` holds every violation and every error of a script; see conftest."""
    answer = reader.page.request.get("/api/docs/")
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    for block in reader.page.locator(".opblock-summary").all():
        block.click()
    reader.page.locator(".models-control").first.click()
    assert reader.trouble == []
    for size in SIZES.values():
        reader.page.set_viewport_size(size)
        assert reader.page.evaluate(OVERFLOW) == 0, size


def test_reading_as_oneself(reader: Person) -> None:
    block = operation(reader, "rules-rules")
    block.get_by_role("button", name="Execute").click()
    live = block.locator(".live-responses-table")
    expect(live.locator(".response-col_status").nth(1)).to_have_text(re.compile("^200"))
    assert "weekday" in live.locator(".highlight-code").inner_text()


def test_writing_with_the_csrf_token(reader: Person) -> None:
    """The page sends it; a refusal names the member that is wrong."""
    block = operation(reader, "rules-add_rule")
    hours = {"weekday": 6, "starts": "05:00", "ends": "04:00"}
    block.locator("textarea.body-param__text").fill(json.dumps(hours))
    block.get_by_role("button", name="Execute").click()
    live = block.locator(".live-responses-table")
    expect(live.locator(".response-col_status").nth(1)).to_have_text(re.compile("^422"))
    assert "/ends" in live.locator(".highlight-code").inner_text()
    reader.forgive(because="the browser writes a 422 to its console")


def test_without_a_script_the_schema_itself_is_named(visit: Visit) -> None:
    person = visit("student@school.example", java_script_enabled=False)
    person.go("/api/docs/")
    link = person.link("The schema itself")
    assert link.get_attribute("href") == "/api/schema/"
