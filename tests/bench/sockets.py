"""Open calendars: 500 websockets on one process, and what it costs a booking that they are told."""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from socket import create_connection

import psutil  # type: ignore[import-untyped]
import psycopg
from django.conf import settings
from django.db import connection
from django.test import Client
from websockets.asyncio.client import ClientConnection, connect

from config.features import CALENDAR, MASTER
from config.local import ports
from config.local.children import Child
from enrollment.models import Student
from rollback import runner
from rollback.runner import Actor
from tests.bench import bookings, schools, server
from tests.bench.bookings import Booked
from tests.bench.figures import Row, at_most, median, part_at_least, percentile, span

TOLD, UNTOLD = DATABASES = ("booked_told", "booked_untold")
ACTOR = Actor(name="benchmark")
SOCKETS = 500
PEOPLE = 50
WARM = 20
TURNS = 60
# Longer than a page that has been told waits for what comes next.
BETWEEN = 0.6
MOST_KB = 100.0
FIRST_PORT = 18_400
CLIENTS = 16
GOAL = 0.9


def rows(database_url: str, folder: Path) -> Iterator[Row]:
    for flag in (MASTER, CALENDAR):
        runner.set_share(flag=flag, percent=Decimal(100), actor=ACTOR, reason="benchmark")
    cookies = [_cookie(student) for student in Student.objects.select_related("user")[:PEOPLE]]
    connection.close()
    with _sockets_server(folder) as (port, process):
        yield from asyncio.run(_measured(port, process, cookies, database_url))
    yield from _bookings(database_url)


def _cookie(student: Student) -> tuple[int, str]:
    client = Client()
    client.force_login(student.user)
    return student.pk, f"{settings.SESSION_COOKIE_NAME}={client.session.session_key}"


@contextmanager
def _sockets_server(folder: Path) -> Iterator[tuple[int, psutil.Process]]:
    """As `make run` starts it."""
    port = ports.next_free(FIRST_PORT)
    words = f"uvicorn --host {server.HOST} --port {port} --ws websockets-sansio --log-level warning"
    words += " --ws-per-message-deflate false"
    command = [sys.executable, "-m", *words.split(), "config.asgi:application"]
    child = Child(name="sockets", command=command, log=folder / "sockets.log", env={**os.environ})
    child.start()
    try:
        deadline = time.monotonic() + server.START_SECONDS
        while not _answers(port):
            if child.exit_code() is not None or time.monotonic() > deadline:
                raise server.ServerProblem(f"No sockets:\n{child.last_lines()}")
            time.sleep(0.05)
        assert child.process is not None
        yield port, psutil.Process(child.process.pid)
    finally:
        child.stop()


def _answers(port: int) -> bool:
    try:
        with create_connection((server.HOST, port), timeout=1):
            return True
    except OSError:
        return False


async def _measured(
    port: int, process: psutil.Process, cookies: Sequence[tuple[int, str]], database_url: str
) -> list[Row]:
    opened = [await _open(port, cookies[n % PEOPLE][1]) for n in range(WARM)]
    before = process.memory_info().rss
    opened += [await _open(port, cookies[n % PEOPLE][1]) for n in range(WARM, SOCKETS)]
    grown = (process.memory_info().rss - before) / (SOCKETS - WARM) / 1024
    whole = process.memory_info().rss / 2**20
    # Every person has several pages open; a lesson concerns these.
    own = SOCKETS // PEOPLE
    mine, first = cookies[0][0], [one for n, one in enumerate(opened) if n % PEOPLE == 0]
    lesson = await _turns(database_url, f"SELECT calendar_change('lesson', NULL, {mine})", first)
    closure = await _turns(database_url, "SELECT calendar_change('closure', NULL, NULL)", opened)
    for one in opened:
        await one.close()
    return [
        at_most(
            f"memory of one of {SOCKETS} websockets in a process",
            grown,
            MOST_KB,
            ours=f"{grown:.0f} KB; the process {whole:.0f} MB",
            goal_words=f"{MOST_KB:.0f} KB",
        ),
        _latency(f"COMMIT → message of a lesson to its {own} open pages", lesson, 0.25),
        _latency(f"COMMIT → message of a closure to all {SOCKETS} pages", closure, 1.0),
    ]


async def _open(port: int, cookie: str) -> ClientConnection:
    socket = await connect(
        f"ws://{server.HOST}:{port}/ws/calendar/",
        origin=settings.SITE_URL,  # type: ignore[arg-type]
        additional_headers={"Cookie": cookie},
        proxy=None,
    )
    await socket.send("{}")
    answer = json.loads(await socket.recv())
    if answer not in ({"changes": []}, {"resync": True}):
        raise server.ServerProblem(f"A socket says {answer}.")
    return socket


async def _turns(
    database_url: str, statement: str, told: Sequence[ClientConnection]
) -> list[float]:
    """Seconds from just before COMMIT until each of them has read the message."""
    taken: list[float] = []
    async with await psycopg.AsyncConnection.connect(database_url) as database:
        for _ in range(TURNS):
            await asyncio.sleep(BETWEEN + random.uniform(0, 0.1))
            waiting = [asyncio.create_task(_next(one)) for one in told]
            await asyncio.sleep(0.05)
            await database.execute(statement)
            committing_at = time.perf_counter()
            await database.commit()
            taken += [at - committing_at for at in await asyncio.gather(*waiting)]
    return taken


async def _next(socket: ClientConnection) -> float:
    while json.loads(await socket.recv()) == {"changes": []}:
        pass  # a beat
    return time.perf_counter()


def _latency(what: str, taken: Sequence[float], goal: float) -> Row:
    p50, p99 = percentile(taken, 50), percentile(taken, 99)
    return at_most(
        what, p99, goal, ours=f"p50 {span(p50)}, p99 {span(p99)}", goal_words=f"p99 {span(goal)}"
    )


def _bookings(database_url: str) -> Iterator[Row]:
    """NOTIFY puts the commits of all who notify in order; this is what that costs."""
    for database in DATABASES:
        with schools.inside(database):
            bookings._filled(database)
            if database == UNTOLD:
                with connection.cursor() as cursor:
                    cursor.execute("DROP TRIGGER calendar_added ON enrollment_lesson")
                    cursor.execute("DROP TRIGGER calendar_changed ON enrollment_lesson")
            connection.close()
    for way in ("operation", "statement"):
        told, untold = Booked(TOLD, way), Booked(UNTOLD, way)
        bookings._rounds(CLIENTS, database_url, [told, untold])
        mine, theirs = median(told.a_second), median(untold.a_second)
        words = "as every page books" if way == "operation" else "the statement alone"
        yield part_at_least(
            f"{CLIENTS} clients book and calendars are told, {words}",
            mine / theirs,
            GOAL if way == "operation" else 0.5,
            ours=f"{mine:,.0f} bookings/s",
            beside=f"without the trigger {theirs:,.0f} bookings/s",
        )
