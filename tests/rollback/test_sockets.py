"""The door of the websockets: a real server, real sockets, the real switchboard."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from socket import create_connection
from typing import Any

import pytest
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from config.local.place import BASE_DIR
from enrollment.models import User
from enrollment.operations.tokens import make_token
from rollback import runner, switchboard
from rollback.domain.shares import Subject
from rollback.doors import counting
from rollback.doors.sockets import SWITCHED_OFF_CODE, Changes, FeaturesSocket, SocketDoor
from rollback.models import Flag, Process
from rollback.runner import Actor
from rollback.switchboard import Switchboard
from tests import ports
from tests.conftest import Switches, make_student
from tests.rollback.others import START, address_of_this_test, eventually
from tests.rollback.serving import opened, served

CALENDAR = "ENABLE_CALENDAR_DISPLAY"
ACTOR = Actor(name="a test")

pytestmark = pytest.mark.django_db(transaction=True)


class Echo:
    """A feature's socket: says back what it hears, and notes how it ended."""

    ended: threading.Event

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        self.ended.set()


@pytest.fixture
def echo() -> Echo:
    echo = Echo()
    echo.ended = threading.Event()
    return echo


@pytest.fixture
def server(real_switchboard: Switchboard, echo: Echo) -> Iterator[str]:
    """With one more socket of the calendar's."""
    with served(calendar_echo=echo) as url:
        yield url


@pytest.fixture
def student(real_switchboard: Switchboard) -> User:
    share(100)
    return make_student().user


def share(percent: int) -> None:
    Flag.objects.update(percent=percent)
    switchboard.board.refresh()


def on(socket: ClientConnection) -> list[str]:
    names: list[str] = json.loads(socket.recv(timeout=10))["on"]
    return names


def test_a_socket_of_a_feature_lives_while_it_is_on(server: str, student: User, echo: Echo) -> None:
    with opened(f"{server}/ws/calendar/echo/", student) as socket:
        socket.send("hello")
        assert socket.recv(timeout=10) == "hello"
        killed_at = time.monotonic()
        runner.kill(flag=CALENDAR, actor=ACTOR, reason="test")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
        assert time.monotonic() - killed_at < 3
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == SWITCHED_OFF_CODE
    assert echo.ended.wait(5), "the feature's own code was told that its socket is gone"


def test_while_off_a_socket_is_refused_with_a_code_and_counted(server: str, student: User) -> None:
    share(0)
    with (
        opened(f"{server}/ws/calendar/echo/", student) as socket,
        pytest.raises(ConnectionClosed) as closed,
    ):
        socket.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == SWITCHED_OFF_CODE
    assert [key[:2] for key in counting._counts] == [(CALENDAR, "socket")]


def test_the_features_socket_tells_at_once_and_after_each_change(
    server: str, student: User
) -> None:
    with opened(f"{server}/ws/features/", student) as socket:
        assert "calendar" in on(socket)
        runner.kill(flag=CALENDAR, actor=ACTOR, reason="test")
        assert on(socket) == ["scheduling", "availability", "holidays"]
        runner.kill(actor=ACTOR, reason="test")
        assert on(socket) == []


def test_socket_and_page_agree_for_every_student(server: str, student: User) -> None:
    """At 50 %: by cookie and by token, the answer of the rule."""
    share(50)
    seen = set()
    now = timezone.now()
    for n in range(12):
        user = make_student(f"s{n}@school.example").user
        _row, token = make_token(user=user, name="x", lifetime=timedelta(days=1), now=now)
        with opened(f"{server}/ws/features/", user) as by_cookie:
            answers = {tuple(on(by_cookie))}
        headers = {"Authorization": f"Token {token}"}
        address = f"{server}/ws/features/"
        with opened(address, origin=None, additional_headers=headers) as by_token:
            answers.add(tuple(on(by_token)))
        assert len(answers) == 1
        assert ("calendar" in answers.pop()) is switchboard.is_on(CALENDAR, user)
        seen.add(switchboard.is_on(CALENDAR, user))
    assert seen == {True, False}


def test_a_visitor_keeps_the_answer_of_the_cookie(server: str, student: User) -> None:
    share(50)
    seen = set()
    for n in range(12):
        visitor = f"{n:032x}"
        cookie = {"Cookie": f"visitor={switchboard.visitor_cookie(visitor)}"}
        with opened(f"{server}/ws/features/", additional_headers=cookie) as socket:
            answer = "calendar" in on(socket)
        subject = Subject(key=f"a:{visitor}")
        assert answer is switchboard.is_on(CALENDAR, subject)
        seen.add(answer)
    assert seen == {True, False}


@pytest.mark.parametrize(
    "options",
    [
        {"origin": "https://evil.example"},
        {"origin": None},
        {"origin": None, "additional_headers": {"Authorization": "Token nonsense"}},
    ],
    ids=["another site", "no origin", "no such token"],
)
def test_strangers_are_refused(server: str, student: User, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidStatus), opened(f"{server}/ws/features/", **options):
        pass


# ---------------------------------------------------------------- without a server


async def _for_ever(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


async def _leftovers(path: str, end: Callable[[asyncio.Task[None]], object]) -> list[str]:
    """The tasks that an open socket leaves behind after `end`, when nothing can be sent any more."""
    changes = Changes()
    door = SocketDoor(_for_ever if "calendar" in path else FeaturesSocket(changes), changes)
    cookies = {switchboard.VISITOR_COOKIE: switchboard.visitor_cookie("a" * 32)}
    scope = {"type": "websocket", "path": path, "user": None, "cookies": cookies}
    connected, is_open = iter([{"type": "websocket.connect"}]), True

    async def receive() -> Any:
        return next(connected, None) or await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if not is_open:
            raise OSError("the other side is gone")

    before = asyncio.all_tasks()
    socket = asyncio.create_task(door(scope, receive, send))
    await asyncio.sleep(0.2)
    is_open = False
    end(socket)
    await asyncio.wait({socket}, timeout=1)
    await asyncio.sleep(0.2)
    return [repr(task) for task in asyncio.all_tasks() - before]


ENDS = {
    "a feature's socket, cancelled": ("/ws/calendar/", False),
    "the features' socket, cancelled": ("/ws/features/", False),
    "gone with its feature": ("/ws/calendar/", True),
}


@pytest.mark.parametrize(("path", "goes_off"), ENDS.values(), ids=ENDS)
def test_a_socket_leaves_no_task(
    path: str, goes_off: bool, monkeypatch: pytest.MonkeyPatch, switches: Switches
) -> None:
    # The flags of this test are held in memory: no watch.
    monkeypatch.setattr(switchboard.board, "start", lambda: None)
    end = (lambda socket: switches.kill()) if goes_off else asyncio.Task.cancel
    assert asyncio.run(_leftovers(path, end)) == []


def test_the_sockets_server_signs_off_when_it_is_stopped(student: User) -> None:
    """As `make run` starts it; the switchboard's page must not name it as silent afterwards."""
    port = ports.of_our_own(19_800)
    command = f"-m uvicorn --port {port} --ws websockets-sansio --log-level warning"
    env = os.environ | {"DATABASE_URL": address_of_this_test(), "PYTHONPATH": str(BASE_DIR)}
    words = [sys.executable, *command.split(), "config.asgi:application"]
    with subprocess.Popen(words, env=env) as server:
        try:
            assert eventually(lambda: answers(port), within=START)
            with opened(f"ws://127.0.0.1:{port}/ws/features/", student) as socket:
                assert "calendar" in on(socket)
                listed = Process.objects.filter(pid=server.pid)
                assert eventually(listed.exists, within=5)
            server.terminate()
            server.wait(20)
            assert not listed.exists()
        finally:
            server.kill()


def answers(port: int) -> bool:
    try:
        with create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
