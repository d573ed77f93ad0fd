"""A real granian, and one kept connection to each of its worker processes.

Which process answers on a connection is seen from outside, in the system's table of connections:
the product needs no page that tells.
"""

import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from config.local import ports
from config.local.children import Child

HOST = "127.0.0.1"
FIRST_PORT = 18_000
START_SECONDS = 60.0
MOST_CONNECTIONS = 400


class ServerProblem(Exception):
    pass


@contextmanager
def running(
    *, workers: int, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[tuple[int, int]]:
    """`make run`'s web server with that many processes. :returns: its port and its process id."""
    port = ports.next_free(FIRST_PORT)
    words = f"granian --interface wsgi --host {HOST} --port {port} --workers {workers} --no-ws"
    words += " --blocking-threads 1 --blocking-threads-idle-timeout 600 config.wsgi:application"
    child = Child(
        name="bench",
        command=[sys.executable, "-m", *words.split()],
        log=log,
        env={**os.environ, "LOG_LEVEL": "INFO", **(env or {})},
    )
    child.start()
    try:
        wait_until_it_answers(child, port)
        assert child.process is not None
        yield port, child.process.pid
    finally:
        child.stop()


def wait_until_it_answers(child: Child, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while child.exit_code() is None and time.monotonic() < deadline:
        connection = HTTPConnection(HOST, port, timeout=10)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise ServerProblem(f"The server did not start; the end of its log:\n{child.last_lines()}")


@contextmanager
def connection_to_each(*, port: int, pid: int, workers: int) -> Iterator[list[socket.socket]]:
    """One open connection to each worker process; the system deals them out, we pick."""
    deadline = time.monotonic() + START_SECONDS
    found: dict[int, socket.socket] = {}
    with ExitStack() as opened:
        while time.monotonic() < deadline:
            found |= _one_for_each(opened, port, pid, count=3 * workers)
            if len(found) == workers:
                kept = list(found.values())
                yield kept
                return
            time.sleep(0.5)
    raise ServerProblem(f"Only {len(found)} of {workers} server processes take connections.")


def _one_for_each(
    opened: ExitStack, port: int, pid: int, *, count: int
) -> dict[int, socket.socket]:
    """:returns: a connection for each worker's process id."""
    ours = {}
    for _ in range(count):
        connection = opened.enter_context(socket.create_connection((HOST, port)))
        ours[connection.getsockname()[1]] = connection
    time.sleep(0.1)  # until they are accepted
    return {
        worker.pid: ours[held.raddr.port]
        for worker in psutil.Process(pid).children(recursive=True)
        for held in worker.net_connections("tcp")
        if held.raddr and held.raddr.port in ours
    }
