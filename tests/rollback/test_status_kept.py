"""Real processes that ask for the status page at once: one makes it, and nobody ever sees half of one."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError

from config.local.place import BASE_DIR
from rollback.public.status import facts, kept
from tests.rollback.test_status_page import all_on, an_incident, publish

# Everything but the database's part is real: what is read says so in a file, and takes a while.
ASK = """
import sys, time, threading, django
django.setup()
from datetime import UTC, datetime
from rollback.domain.standing import Facts, Part, Standing
from rollback.public.status import kept
made = sys.argv[1]
def read():
    with open(made, "a") as file:
        file.write("made\\n")
    time.sleep(pause)
    parts = [Part(key="school", standing=Standing.OPERATIONAL)]
    return Facts(as_of=datetime.now(UTC), parts=parts)
kept.read_facts, kept.FIRST = read, 60.0
def whole(number):
    found = []
    def ask():
        found.extend(kept.get(name) for name in ("index.en.html", "index.json"))
    threads = [threading.Thread(target=ask) for _ in range(number)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return sum(one is not None and one.text.endswith((b"</html>\\n", b"}")) for one in found)
print("ready", flush=True)
sys.stdin.readline()
pause = 0.3
print(whole(25), flush=True)
sys.stdin.readline()
pause, kept.FRESH, broken = 0.0, 0.0, 0
until = time.monotonic() + 60
while open(made).read().count("made") <= 11 and time.monotonic() < until:
    broken += 4 - whole(2)
print(broken, flush=True)
"""


def test_of_fifty_that_ask_at_once_one_makes_it_and_nobody_sees_half_of_one(tmp_path: Path) -> None:
    made, status = tmp_path / "made", tmp_path / "status"
    env = {
        "STATUS_DIR": str(status),
        "PYTHONPATH": str(BASE_DIR),
        "DJANGO_SETTINGS_MODULE": "tests.rollback.status_settings",
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "LOG_LEVEL": "ERROR",
    }
    with ExitStack() as stack:
        both = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", ASK, str(made)],
                    env=os.environ | env,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(2)
        ]
        assert told(both) == ["ready", "ready"]
        go(both)
        assert told(both) == ["50", "50"]
        assert made.read_text() == "made\n"
        go(both)
        assert told(both) == ["0", "0"]
    assert made.read_text().count("made") > 10
    assert not list(status.glob(".*")), "nothing is left lying about"


def told(processes: list[subprocess.Popen[str]]) -> list[str]:
    return [one.stdout.readline().strip() for one in processes if one.stdout]


def go(processes: list[subprocess.Popen[str]]) -> None:
    for one in processes:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()


# ---------------------------------------------------------------- for another web server


@pytest.mark.django_db
@pytest.mark.usefixtures("flag_rows")
def test_the_command_writes_pages_that_need_nothing_of_the_school(tmp_path: Path) -> None:
    all_on()
    publish(an_incident(), "identified", "A cable.")
    call_command("rollback", "status-page", str(tmp_path / "out"))
    names = {file.name for file in (tmp_path / "out").iterdir()}
    page = (tmp_path / "out" / "index.html").read_text()
    assert "A cable." in page
    assert "<!--" not in page
    for language in ("en", "de", "es"):
        assert {f"index.{language}.html", f"feed.{language}.rss", f"feed.{language}.atom"} <= names
        assert f'href="index.{language}.html"' in page
    assert {"school.css", "status.css", "logo.svg", "index.json"} <= names
    assert "/static/" not in page
    assert json.loads((tmp_path / "out" / "index.json").read_text())["is_current"] is True


@pytest.mark.django_db
def test_the_command_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(facts, "read", fail)
    (tmp_path / "index.html").write_text("before")
    with pytest.raises(CommandError, match="does not answer"):
        call_command("rollback", "status-page", str(tmp_path))
    assert (tmp_path / "index.html").read_text() == "before"


@pytest.mark.django_db
@pytest.mark.usefixtures("flag_rows")
def test_the_command_says_where_it_may_not_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="Name a folder"):
        call_command("rollback", "status-page", str(tmp_path / "file"))


@pytest.mark.django_db
@pytest.mark.usefixtures("flag_rows")
def test_a_clock_that_was_wrong_is_no_page_of_tomorrow() -> None:
    kept.look(by="a test")
    file = settings.STATUS_DIR / "index.json"
    ahead = file.stat().st_mtime + 86_400
    os.utime(file, (ahead, ahead))
    kept.forget()
    assert kept.look(by="a test") is True
