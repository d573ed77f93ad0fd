"""Two processes of websockets behind one Redis: a real one."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from environ import Env

from config import environment
from enrollment.models import Student
from holidays.models import Holiday
from rollback import switchboard
from rollback.models import Flag
from rollback.switchboard import Switchboard
from scheduling.live import hub, relaying
from scheduling.live.application import CalendarSocket
from tests.rollback.serving import opened, served
from tests.scheduling.test_live import NOTHING, hello, said


@contextmanager
def redis_server(folder: Path) -> Iterator[None]:
    program = shutil.which("redis-server")
    if program is None:
        words = "No redis-server here: many socket processes are not tested. Install redis-server."
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    words = f"--port 0 --unixsocket {folder}/redis.sock --save '' --dir {folder} --loglevel warning"
    with subprocess.Popen([program, *words.split()], stdout=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 10
        while not (folder / "redis.sock").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        try:
            yield
        finally:
            server.kill()
            server.wait()
            (folder / "redis.sock").unlink(missing_ok=True)


def rain() -> None:
    Holiday.objects.create(
        name=f"{time.time()}", first_on=date(2030, 1, 7), last_on=date(2030, 1, 7)
    )


def next_word(socket: Any) -> dict[str, Any]:
    """What comes after it was said that nothing is heard."""
    while (word := said(socket, within=20)) in ({"deaf": True}, NOTHING):
        pass
    return word


@pytest.mark.django_db(transaction=True)
def test_one_process_tells_the_others_and_another_takes_over(
    real_switchboard: Switchboard,
    student: Student,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    Flag.objects.update(percent=100)
    switchboard.board.refresh()
    settings.CHANNEL_LAYER_URL = f"unix://{tmp_path}/redis.sock"
    monkeypatch.setattr(hub, "APART", 0.05)
    monkeypatch.setattr(relaying, "BEAT", 0.2)
    monkeypatch.setattr(relaying, "RETRY", 0.1)
    first, second = CalendarSocket(), CalendarSocket()
    with ExitStack() as both:
        redis = both.enter_context(ExitStack())
        redis.enter_context(redis_server(tmp_path))
        relays = both.enter_context(ExitStack())
        url = relays.enter_context(served(first.stop, calendar=first))
        one = relays.enter_context(opened(f"{url}/ws/calendar/", student.user))
        assert hello(one) == NOTHING
        other_url = both.enter_context(served(second.stop, calendar=second))
        other = both.enter_context(opened(f"{other_url}/ws/calendar/", student.user))
        assert hello(other) == NOTHING
        rain()
        assert next_word(one) == next_word(other) == {"changes": ["closure"]}
        assert _listening() == 1, "one connection listens for both"

        relays.close()
        assert next_word(other) == {"resync": True}
        rain()
        assert next_word(other) == {"changes": ["closure"]}

        redis.close()
        assert said(other, within=20) == {"deaf": True}
        rain()
        redis.enter_context(redis_server(tmp_path))
        assert next_word(other) == {"resync": True}
        rain()
        assert next_word(other) == {"changes": ["closure"]}


def _listening() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("value", ["localhost", "http://localhost", "redis://"])
def test_nonsense_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHANNEL_LAYER_URL", value)
    with pytest.raises(ImproperlyConfigured, match="redis://localhost"):
        environment.redis_address(Env(), "CHANNEL_LAYER_URL")
