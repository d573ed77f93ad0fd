"""A simulated student in the middle of enrolling: a real session, real HTTP, the script's rhythm.

What the autosave script does in a browser is done here in the same rhythm: 500 ms after a change,
1500 ms after the first at the latest, one save at a time, 5 s after one that failed.
tests/browser/test_killed_server.py holds the script itself to it.
"""

import html
import json
import random
import re
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlencode

PAUSE, LONGEST, RETRY = 0.5, 1.5, 5.0
# Longer than the server needs to start on a busy machine.
PATIENCE = 40.0
WORDS = (
    "viola", "Montag", "“maybe”", "it's", "🎻", "naïve", "<b>", "&amp;", "{}", "%s", "\n", "\n\n",
    "👩‍🏫", "日本", "مرحبا", "\\u0000", '"', "'; --", "16:00–17:00", "Ω", "\t", "null", "é",
)  # fmt: skip
HIDDEN = re.compile(
    r'<input type="hidden"\s+name="(?P<name>csrfmiddlewaretoken|teacher|slot|seen:\w+)"[^>]*>'
)
TEXTAREA = re.compile(r'<textarea name="(\w+)"[^>]*>\n?(.*?)</textarea>', re.DOTALL)


@dataclass(frozen=True)
class Change:
    """at: seconds after the page was opened. text: what the field holds from then on."""

    at: float
    name: str
    text: str


@dataclass(kw_only=True)
class Story:
    """What happened to one student, in seconds where it is about time.

    acknowledged: how many of the changes the server has confirmed. slowest: from typing to
    acknowledgement. waited: the longest time the server or this busy machine let a due save wait.
    """

    typed: int
    cut_at: float
    acknowledged: int = 0
    saves: int = 0
    failed_saves: int = 0
    slowest: float = 0.0
    waited: float = 0.0
    lost: float = 0.0
    wrong: list[str] = field(default_factory=list)


def typing(chance: random.Random) -> list[Change]:
    """In both fields, one after the other and back, now and then with a pause to think."""
    changes, texts, at = [], {"note": "", "wished_times": ""}, 0.05
    name = chance.choice(list(texts))
    until = chance.uniform(0.8, 3.2)
    while at < until:
        if chance.random() < 0.04:
            name = "note" if name == "wished_times" else "wished_times"
        texts[name] += chance.choice(WORDS) + chance.choice(("", " "))
        changes.append(Change(at, name, texts[name]))
        at += 0.7 if chance.random() < 0.2 else chance.uniform(0.06, 0.25)
    return changes


class Unreachable(Exception):
    """No answer, or one of a server that is going down."""


class Page:
    """One browser's connection."""

    def __init__(self, port: int, session: str) -> None:
        self._port = port
        # As the server would have given it with an earlier page.
        self.csrf_token = f"{random.getrandbits(128):032x}"
        self._cookies = {"sessionid": session, "csrftoken": self.csrf_token}
        self._connection: HTTPConnection | None = None

    def get(self, path: str) -> tuple[int, str, str]:
        return self._ask("GET", path, None)

    def post(self, path: str, fields: dict[str, str]) -> tuple[int, str, str]:
        return self._ask("POST", path, urlencode(fields))

    def _ask(self, method: str, path: str, body: str | None) -> tuple[int, str, str]:
        """:returns: status, text, where it leads."""
        headers = {
            "Host": f"localhost:{self._port}",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
        }
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            if self._connection is None:
                self._connection = HTTPConnection("127.0.0.1", self._port, timeout=10)
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            text = response.read().decode()
        except (OSError, HTTPException) as error:
            self.close()
            raise Unreachable from error
        for cookie in response.headers.get_all("Set-Cookie") or ():
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        return response.status, text, response.headers.get("Location", "")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class Student:
    """In the middle: a teacher and a time are chosen, the details are being typed."""

    def __init__(
        self, *, port: int, session: str, course: str, chosen: dict[str, str], seed: int
    ) -> None:
        self._chance = random.Random(seed)
        self._page = Page(port, session)
        self._course = course
        self._changes = typing(self._chance)
        cut = self._chance.uniform(0.6, self._changes[-1].at + 0.3)
        self.story = Story(typed=len(self._changes), cut_at=cut)
        # What stands hidden in the page. Three of four have had theirs open for a while; loading
        # it for each of them would only tell how fast this machine is.
        self._hidden = chosen | {"csrfmiddlewaretoken": self._page.csrf_token}
        self._loads_page = seed % 4 == 0
        self._wished_before = ""
        self._saves = 0
        self._started = 0.0

    def live(self) -> Story:
        if self._loads_page:
            self._open_details()
        self._started = time.monotonic()
        self._type_until_cut()
        if "slot" in self._hidden and self._chance.random() < 0.3:
            self._press_go_on()
        self._page.close()  # the tab is gone, without a last word
        self._look_at_original_form()
        self._page.close()
        return self.story

    def _open_details(self) -> None:
        text = self._insist(f"/schedule/{self._course}/details/")
        if "data-autosave" not in text:
            self.story.wrong.append("a form without autosave")
        # While scheduling is off it is the original form: no slot there, and the teacher is a list.
        self._hidden.clear()
        for tag in HIDDEN.finditer(text):
            if value := re.search(r'value="([^"]*)"', tag[0]):
                self._hidden[tag["name"]] = html.unescape(value[1])
        if "slot" not in self._hidden:
            # The original form: the time stands among the wished ones, and typing goes on below it.
            self._wished_before = f"{_textareas(text).get('wished_times', '')}\n"

    def _insist(self, path: str) -> str:
        """As a person does whose page does not come: once more, and wherever it leads."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                status, text, location = self._page.get(path)
            except Unreachable:
                time.sleep(0.25)
                continue
            if status == 200:
                return text
            if status not in (302, 303):
                self.story.wrong.append(f"{status} at {path}")
                return ""
            path = location
        self.story.wrong.append(f"no answer at {path}")
        return ""

    def _now(self) -> float:
        return time.monotonic() - self._started

    def _typed(self) -> int:
        """How many of the changes are made by now; after the cut there are no more."""
        until = min(self._now(), self.story.cut_at)
        return sum(change.at <= until for change in self._changes)

    def _type_until_cut(self) -> None:
        """The tab may be cut anywhere, but nobody closes one that says “not saved yet”."""
        seen, since, retry = 0, None, None
        while self._now() < self.story.cut_at or retry is not None:
            if self._now() > self.story.cut_at + PATIENCE:
                self.story.wrong.append("never saved")
                return
            if (typed := self._typed()) > seen:
                since = self._changes[seen].at if since is None else since
                seen = typed
            due = retry if since is None else self._due(seen, since)
            if due is None or self._now() < due:
                self._wait(seen, due)
                continue
            since = None
            retry = None if self._save(seen) else self._now() + RETRY
            self.story.waited = max(self.story.waited, self._now() - due)

    def _wait(self, seen: int, due: float | None) -> None:
        """For the next change, the next save, or the cut."""
        coming = [change.at for change in self._changes[seen : seen + 1]]
        until = [at for at in (*coming, self.story.cut_at, due) if at and at > self._now()]
        time.sleep(max(min(until, default=0.0) - self._now(), 0.001))

    def _due(self, seen: int, since: float) -> float:
        return min(self._changes[seen - 1].at + PAUSE, since + LONGEST)

    def _save(self, typed: int) -> bool:
        news = self._changes[self.story.acknowledged : typed]
        fields = self._texts(news)
        if "wished_times" in fields and "slot" in self._hidden:
            fields["slot"] = self._hidden["slot"]  # data-with
        self._saves += 1
        fields |= {name: told for name, told in self._hidden.items() if name.startswith("seen:")}
        fields |= {"save_page": "page", "save_count": str(self._saves)}
        fields["csrfmiddlewaretoken"] = self._hidden["csrfmiddlewaretoken"]
        try:
            status, text, _ = self._page.post(f"/drafts/{self._course}/", fields)
        except Unreachable:
            status, text = 503, ""
        if status >= 500:
            self.story.failed_saves += 1
            return False
        if status != 200:
            self.story.wrong.append(f"autosave: {status} {text[:200]}")
        else:
            self._know(fields, json.loads(text)["version"])
        self.story.saves += 1
        self.story.acknowledged = typed
        self.story.slowest = max(self.story.slowest, self._now() - news[0].at)
        return True

    def _know(self, fields: dict[str, str], version: int) -> None:
        """The page has seen what it has just said."""
        for name in fields:
            if f"seen:{name}" in self._hidden:
                self._hidden[f"seen:{name}"] = str(version)

    def _texts(self, changes: list[Change]) -> dict[str, str]:
        texts = {change.name: change.text for change in changes}
        if "wished_times" in texts:
            texts["wished_times"] = self._wished_before + texts["wished_times"]
        return texts

    def _press_go_on(self) -> None:
        """The last page of the new flow, whether or not it is still there."""
        typed = self._typed()
        fields = self._hidden | self._texts(self._changes[:typed])
        try:
            status, text, _ = self._page.post(f"/schedule/{self._course}/details/", fields)
        except Unreachable:
            return
        if status == 303:
            self.story.acknowledged = typed
        else:
            self.story.wrong.append(f"go on: {status} {text[:200]}")

    def _look_at_original_form(self) -> None:
        text = self._insist(f"/courses/{self._course}/enroll/")
        found = _textareas(text)
        if len(found) < 2:
            self.story.wrong.append("no original form")
            return
        slot, _, wished = found["wished_times"].partition("with Marta Rossi")
        if "(Europe/Berlin)" not in slot or "selected>Marta Rossi" not in text:
            self.story.wrong.append(f"teacher or time are gone: {found['wished_times']!r}")
        self._compare("note", found["note"])
        self._compare("wished_times", wished)

    def _compare(self, name: str, found: str) -> None:
        """What is in the form must be a text the student had typed: the acknowledged, or a newer."""
        history = [change for change in self._changes if change.name == name]
        same = [n for n, change in enumerate(history) if _same(change.text, found)]
        if found.strip() and not same:
            self.story.wrong.append(f"{name} was never typed so: {found!r}")
            return
        kept = same[-1] if same else -1
        confirmed = self._changes[: self.story.acknowledged]
        if kept + 1 < sum(change.name == name for change in confirmed):
            self.story.wrong.append(f"{name}: an acknowledged save is lost")
        lost = [change.at for change in history[kept + 1 :] if change.at <= self.story.cut_at]
        if lost:
            self.story.lost = max(self.story.lost, self.story.cut_at - lost[0])


def _textareas(page: str) -> dict[str, str]:
    return {name: html.unescape(text) for name, text in TEXTAREA.findall(page)}


def _same(typed: str, found: str) -> bool:
    """A form does not keep white space at the ends."""
    return typed.strip() == found.replace("\r\n", "\n").strip()
