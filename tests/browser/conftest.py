"""One school and one Chromium for all tests in here; a browser context for each person."""

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from config.local import browser as chromium
from tests.browser.office import Office
from tests.browser.people import Person, Visit
from tests.browser.school import School, running

# The browser's own page behind the address field costs half a second of a core for each window. Only
# the last --disable-features counts, so those that Playwright turns off for even tests stand here too.
UNUSED = (
    *("WebUIOmniboxPopup", "WebUIOmniboxFullPopup", "WebUIOmniboxAimPopup"),
    *("PaintHolding", "HttpsUpgrades", "HttpsFirstBalancedModeAutoEnable", "LensOverlay"),
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "AvoidCorsURLLoaderRestartOnRedirect"),
    *("DestroyProfileOnBrowserClose", "ThirdPartyStoragePartitioning", "OptimizationHints"),
    *("MediaRouter", "NetworkTimeServiceQuerying", "PreconnectToSearch", "AimEnabled"),
)
# Nothing is fetched behind the tests' back, and there is no graphics card.
FLAGS = (
    "--disable-gpu",
    "--disable-background-networking",
    f"--disable-features={','.join(UNUSED)}",
)
# The school shares its two cores with the other tests.
PATIENCE = 15_000  # ms
ADMIN = "admin@school.example"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the school said meanwhile, below what the test says: elsewhere its logs are gone with it."""
    report = yield
    school = getattr(item, "funcargs", {}).get("running_school")
    if report.failed and school is not None:
        report.sections.append(("What the school said last", school.said_last()))
    return report


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Of the package, not the session: Playwright's event loop must not outlive these tests."""
    path = chromium.find()
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail(chromium.MISSING)
        pytest.skip(chromium.MISSING)
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        args = [*chromium.flags(), *FLAGS]
        found = playwright.chromium.launch(executable_path=path, args=args)
        yield found
        found.close()


@pytest.fixture(scope="package")
def running_school(browser: Browser) -> Iterator[School]:
    """Asks for the browser, so that a missing one skips before anything is started."""
    with running() as school:
        yield school


@pytest.fixture
def school(running_school: School) -> School:
    running_school.all_on()
    return running_school


@pytest.fixture(scope="package")
def cookies() -> dict[str, Any]:
    """Everybody logs in once, by the form; allauth allows thirty logins a minute."""
    return {}


@pytest.fixture
def visit(browser: Browser, school: School, cookies: dict[str, Any]) -> Iterator[Visit]:
    people: list[Person] = []

    def come(email: str = "", **options: Any) -> Person:
        if email and email not in cookies:
            newcomer = Person(browser, school.url)
            newcomer.log_in(email)
            cookies[email] = newcomer.context.storage_state()
            newcomer.context.close()
        if email:
            options["storage_state"] = cookies[email]
        people.append(Person(browser, school.url, **options))
        return people[-1]

    yield come
    for person in people:
        person.context.close()
    assert not [trouble for person in people for trouble in person.trouble]


@pytest.fixture
def office(visit: Visit) -> Office:
    return Office(visit(ADMIN))
