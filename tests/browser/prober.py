"""Asking the school again and again, each time on a new connection, as any of its processes."""

import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.browser.people import Person
from tests.browser.school import School

LOGIN = 302
TURNED_AWAY = 303
# The kernel picks one of two processes for each connection; all of these by one of them is chance
# of one in two thousand.
IN_A_ROW = 12
GIVE_UP = 10.0


def status(url: str, path: str, cookie: str = "") -> int:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        connection.request("GET", path, headers={"Cookie": cookie})
        return connection.getresponse().status
    finally:
        connection.close()


def seconds_until_turned_away(person: Person, path: str, *, since: float) -> float:
    """From `since` (time.monotonic()) to the last request that was still let in."""
    cookies = person.context.cookies(person.url)
    cookie = "; ".join(f"{one.get('name')}={one.get('value')}" for one in cookies)
    turned_away, last_let_in = 0, since
    while turned_away < IN_A_ROW:
        asked_at = time.monotonic()
        if status(person.url, path, cookie) == TURNED_AWAY:
            turned_away += 1
        else:
            turned_away, last_let_in = 0, asked_at
        assert asked_at - since < GIVE_UP, "the kill never arrived"
    return last_let_in - since


def wait_until_on(school: School) -> None:
    """For a visitor who is not logged in, the new flow asks to log in; off, it turns away."""
    _wait_for(school, LOGIN)


def wait_until_off(school: School) -> None:
    _wait_for(school, TURNED_AWAY)


def _wait_for(school: School, answer: int) -> None:
    deadline = time.monotonic() + GIVE_UP
    right = 0
    while right < IN_A_ROW:
        right = right + 1 if status(school.url, "/schedule/any-course/details/") == answer else 0
        assert time.monotonic() < deadline, (
            f"the flags' change has not arrived, waiting for {answer}"
        )
