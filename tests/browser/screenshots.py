"""Pictures of the main pages of a running sample school, for the README and for looking at.

    python -m tests.browser.screenshots DIR [--url http://localhost:8000] [--only choose]

Choosing a time leaves a draft and a hold of ten minutes behind, as it does for everybody.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from config.local import browser as chromium
from tests.browser.people import Person

COURSE = "business-english"
STUDENT, TEACHER, ADMIN = (f"{role}@school.example" for role in ("student", "teacher", "admin"))
LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 860}},
    "phone": {"viewport": {"width": 390, "height": 844}},
    "dark": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"},
}


def _choose(person: Person) -> None:
    if not person.page.locator("input[name=slot]:checked").count():
        person.page.locator("label.slot").nth(3).click()


def _hold(person: Person) -> None:
    _choose(person)
    person.page.locator("form[method=post] button.primary").click()
    person.page.wait_for_url("**/details/")


def _confirm(person: Person) -> None:
    person.page.locator("[name=wished_times]").fill("Mondays after 16:00")
    person.page.locator("main form button.primary").click()
    person.page.wait_for_url("**/confirm/")


def _make_address(person: Person) -> None:
    person.page.locator("main form.form button.primary").click()
    person.page.locator("#address").wait_for()


def _nothing(person: Person) -> None:
    pass


# Name, who, address, and what is done there before the picture.
PAGES: tuple[tuple[str, str, str, Callable[[Person], None]], ...] = (
    ("catalog", "", "/", _nothing),
    ("login", "", "/accounts/login/", _nothing),
    ("signup", "", "/accounts/signup/", _nothing),
    ("course", STUDENT, f"/courses/{COURSE}/", _nothing),
    ("choose", STUDENT, f"/calendar/choose/{COURSE}/", _choose),
    ("details", STUDENT, f"/calendar/choose/{COURSE}/", _hold),
    ("confirm", STUDENT, f"/schedule/{COURSE}/details/", _confirm),
    ("enrolled", STUDENT, "/enrollments/1/", _nothing),
    ("original", STUDENT, f"/courses/{COURSE}/enroll/", _nothing),
    ("my-courses", STUDENT, "/my/courses/", _nothing),
    ("messages", STUDENT, "/messages/", _nothing),
    ("conversation", STUDENT, "/messages/1/", _nothing),
    ("calendar", STUDENT, "/calendar/", _nothing),
    ("subscribe", STUDENT, "/calendar/subscribe/", _make_address),
    ("holidays", STUDENT, "/holidays/", _nothing),
    ("my-data", STUDENT, "/my/data/", _nothing),
    ("delete-me", STUDENT, "/my/data/delete/", _nothing),
    ("my-lessons", TEACHER, "/my/lessons/", _nothing),
    ("my-students", TEACHER, "/my/students/", _nothing),
    ("progress", TEACHER, "/my/students/1/", _nothing),
    ("week", TEACHER, "/schedule/my/week/", _nothing),
    ("dates", TEACHER, "/schedule/my/dates/", _nothing),
    ("time-off", TEACHER, "/schedule/my/time-off/", _nothing),
    ("coming-lessons", TEACHER, "/schedule/my/lessons/", _nothing),
    ("hours", TEACHER, "/schedule/my/hours/", _nothing),
    ("office", ADMIN, "/admin/", _nothing),
    ("policies", ADMIN, "/admin/scheduling/bookingpolicy/", _nothing),
    ("policy", ADMIN, "/admin/scheduling/bookingpolicy/add/", _nothing),
    ("counts", ADMIN, "/admin/scheduling/bookingpolicy/counts/?teacher=3&course=17", _nothing),
    ("office-time-off", ADMIN, "/admin/scheduling/timeoff/add/", _nothing),
    ("flags", ADMIN, "/admin/rollback/flag/", _nothing),
    ("flag", ADMIN, "/admin/rollback/flag/1/change/", _nothing),
    ("kill", ADMIN, "/admin/rollback/flag/1/kill/", _nothing),
    ("conversations", ADMIN, "/admin/enrollment/thread/", _nothing),
    ("enrollments", ADMIN, "/admin/enrollment/enrollment/", _nothing),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", default="http://localhost:8000")
    parser.add_argument("--only", default="", help="the name of one page")
    wanted = parser.parse_args()
    wanted.folder.mkdir(parents=True, exist_ok=True)
    with _chromium() as browser:
        cookies = {who: _logged_in(browser, wanted.url, who) for who in (STUDENT, TEACHER, ADMIN)}
        for look, options in LOOKS.items():
            for name, who, path, act in PAGES:
                if wanted.only not in ("", name):
                    continue
                person = Person(browser, wanted.url, storage_state=cookies.get(who), **options)
                person.go(path)
                act(person)
                person.page.mouse.move(0, 0)
                # The office's pages scroll inside; the school's are shown whole.
                file = wanted.folder / f"{name}-{look}.png"
                person.page.screenshot(path=file, full_page=who != ADMIN, animations="disabled")
                person.context.close()
    return 0


def _logged_in(browser: Browser, url: str, who: str) -> Any:
    person = Person(browser, url)
    person.log_in(who)
    state = person.context.storage_state()
    person.context.close()
    return state


@contextmanager
def _chromium() -> Iterator[Browser]:
    path = chromium.find()
    if path is None:
        sys.exit(chromium.MISSING)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=chromium.flags())


if __name__ == "__main__":
    sys.exit(main())
