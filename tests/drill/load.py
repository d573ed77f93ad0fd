"""People who look at their calendar and their courses all the time, and what they are answered."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.cookies import SimpleCookie

CALENDAR, GROUND = "/calendar/", "/"
PATIENCE = 20.0


@dataclass(frozen=True)
class Answer:
    """at: time.monotonic() when it was asked for. status 0: no answer at all. text: of the page where one
    landed.
    """

    at: float
    path: str
    status: int
    leads_to: str = ""
    text: str = ""


class Load:
    """One thread for each session; every other page is the calendar's."""

    def __init__(self, *, port: int, sessions: Sequence[str], pause: float) -> None:
        self.answers: list[Answer] = []
        self._port, self._pause = port, pause
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._visit, args=(one,)) for one in sessions]

    def __enter__(self) -> "Load":
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        for one in self._threads:
            one.join(2 * PATIENCE)

    def since(self, at: float, path: str = "") -> list[Answer]:
        return [one for one in list(self.answers) if one.at >= at and path in ("", one.path)]

    def _visit(self, session: str) -> None:
        paths = (CALENDAR, GROUND)
        number = 0
        while not self._ended.is_set():
            self.answers.append(self._ask(session, paths[number % 2]))
            number += 1
            self._ended.wait(self._pause)

    def _ask(self, session: str, path: str) -> Answer:
        at = time.monotonic()
        try:
            cookies = {"sessionid": session}
            status, to, told, text = self._get(path, cookies)
            leads_to = to
            while to:  # with what the door wants to have said where one lands
                cookies |= told
                _status, to, told, text = self._get(to, cookies)
        except (OSError, HTTPException):
            return Answer(at, path, 0)
        return Answer(at, path, status, leads_to, text)

    def _get(self, path: str, cookies: dict[str, str]) -> tuple[int, str, dict[str, str], str]:
        """:returns: status, where it leads, cookies, text."""
        page = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        jar = "; ".join(f"{name}={value}" for name, value in cookies.items())
        try:
            page.request("GET", path, headers={"Host": f"localhost:{self._port}", "Cookie": jar})
            answer = page.getresponse()
            set_cookies = SimpleCookie()
            for one in answer.headers.get_all("Set-Cookie") or ():
                set_cookies.load(one)
            told = {name: one.coded_value for name, one in set_cookies.items()}
            text = answer.read().decode(errors="replace")
            return answer.status, answer.headers.get("Location", ""), told, text
        finally:
            page.close()
