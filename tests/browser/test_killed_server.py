"""Somebody types without a pause while the web server is killed, and comes back."""

import os
import signal
import threading
import time
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]
import pytest
from playwright.sync_api import expect

from tests.browser.enrolling import Course, choose, course_for, fresh_student, in_words
from tests.browser.people import Visit
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

TEXT = (
    "I would like Mondays after four, “or” Saturday mornings – but not too early, please & thanks."
)
BETWEEN_KEYS = 60  # ms: less than the pause that a save waits for
KILL_AFTER = 3.0
MOST_LOST = 2.0
COMES_BACK = 60_000  # ms
WATCH = """
window.typed = [];
document.querySelector("[name=wished_times]").addEventListener(
  "input", (event) => window.typed.push([Date.now() / 1000, event.target.value]));
"""


def test_at_most_two_seconds_of_typing_are_lost_and_none_if_the_page_stays(
    school: School, visit: Visit
) -> None:
    email = fresh_student(school)
    student, course = visit(email), course_for(school, email)
    choice = choose(student, course)
    slot = in_words(choice, school)
    student.page.evaluate(WATCH)
    killed_at: list[float] = []
    killer = threading.Timer(KILL_AFTER, lambda: killed_at.append(_kill_web(school)))
    killer.start()
    # Five seconds and more without a pause.
    student.page.locator("[name=wished_times]").press_sequentially(TEXT, delay=BETWEEN_KEYS)
    killer.join()

    # What would be in the original form had the page gone with the server.
    typed: list[tuple[float, str]] = student.page.evaluate("window.typed")
    kept = _kept_at(typed, _saved(school, email, course), killed_at[0])
    lost = [at for at, text in typed if at <= killed_at[0] and len(text) > len(kept)]
    assert kept, "nothing was saved in three seconds of typing"
    assert not lost or killed_at[0] - lost[0] <= MOST_LOST

    # The page stays, and tries again by itself until it is heard.
    state = student.page.locator("[data-save-state][data-kind=saved]")
    expect(state).to_contain_text("Saved ", timeout=COMES_BACK)
    deadline = time.monotonic() + COMES_BACK / 1000
    while _saved(school, email, course) != TEXT and time.monotonic() < deadline:
        time.sleep(0.1)
    student.forgive(because="the server was killed")
    student.go(course.original)
    # The chosen time has come along, in words.
    expect(student.page.locator("[name=wished_times]")).to_have_value(f"{slot}\n{TEXT}")


def _kill_web(school: School) -> float:
    """-9, with all its workers, as if the power had gone. :returns: when."""
    port = str(urlsplit(school.url).port)
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "granian" in words and port in words and os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)
            return time.time()
    raise AssertionError("no web server found")


def _kept_at(typed: list[tuple[float, str]], saved: str, killed_at: float) -> str:
    """A server that came back quickly may have heard more since; that does not count."""
    before = [text for at, text in typed if at <= killed_at]
    return saved if len(saved) <= len(before[-1]) else before[-1]


def _saved(school: School, email: str, course: Course) -> str:
    found = school.rows(
        """SELECT d.answers->>'wished_times' FROM rollback_enrollmentdraft d
             JOIN enrollment_student s ON s.id = d.student_id
             JOIN enrollment_user u ON u.id = s.user_id
             JOIN enrollment_course c ON c.id = d.course_id
            WHERE u.email = %s AND c.slug = %s""",
        email,
        course.slug,
    )
    return str(found[0][0] or "") if found else ""
