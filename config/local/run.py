"""`make run`: the whole school on one desk, and all of it gone again after Ctrl-C."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from types import FrameType
from typing import TextIO
from urllib.parse import urlsplit

from rich.console import Console

from config.local import database, place, ports, welcome
from config.local.check import check_reachable
from config.local.children import Child

# 8025 beside 8000. By the school's own port, so that two that start at once do not take the same.
MAIL_ABOVE = 25
HIGHEST_MAIL = 65_000
SOCKETS_ABOVE = 27
WEB_SECONDS = 60.0
LOOK_EVERY = 0.2
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    _let_signals_interrupt()
    place.read_env()
    try:
        with _only_one() as address:
            port = _port(address)
            with _database() as database_url:
                _run(port, database_url)
    except place.Problem as problem:
        console.print(str(problem), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
    return 0


def _run(port: int, database_url: str) -> None:
    mail_ports = _name_addresses(port)
    socket_port = _name_sockets(port, mail_ports)
    _prepare()
    children = _children(port, mail_ports, socket_port)
    try:
        # The worker loads the same code; on two cores both at once would only be later.
        children[0].start()
        _wait_for_web(children[0], port)
        for child in children[1:]:
            child.start()
        welcome.show(console, database_url)
        _watch(children)
    finally:
        _stop(children)


def _let_signals_interrupt() -> None:
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in STOP_SIGNALS:
        # Under nohup a closed terminal is to be ignored, and stays so.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interrupt)


@contextmanager
def _only_one() -> Iterator[TextIO]:
    """Two schools in one folder would share a beat and do everything twice."""
    folder = place.var()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "run.lock").open("a+")
    except OSError as error:
        raise place.Problem(f"{folder} cannot be written ({error.strerror}).") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise place.Problem(
                f"This school is already running at {file.read()}; stop it first, "
                "or give the second one a folder of its own with SCHOOL_VAR."
            ) from error
        yield file


def _port(note: TextIO) -> int:
    """Written down for whoever tries to start a second one."""
    port = ports.parsed(place.setting("PORT", "8000"))
    ports.check_free(port)
    note.truncate(0)
    note.write(f"http://localhost:{port}")
    note.flush()
    return port


@contextmanager
def _database() -> Iterator[str]:
    if place.uses_embedded_database():
        with database.used(place.var() / "postgres") as url:
            yield url
    else:
        # Without one, in production, the settings have a better sentence to say.
        if url := place.setting("DATABASE_URL"):
            check_reachable(url)
        yield url


def _name_addresses(port: int) -> tuple[int, int] | None:
    """For us and the children: links lead to the chosen port, mails to the chosen catcher."""
    site = place.setting("SITE_URL", "http://localhost")
    if urlsplit(site).hostname in {"localhost", "127.0.0.1"}:
        os.environ["SITE_URL"] = f"http://localhost:{port}"
    if place.setting("EMAIL_URL") or place.setting("SCHOOL_ENV") == "production":
        return None
    smtp = ports.next_free(min(port + MAIL_ABOVE, HIGHEST_MAIL))
    reader = ports.next_free(smtp + 1)
    os.environ["EMAIL_URL"] = f"smtp://127.0.0.1:{smtp}"
    os.environ["MAIL_READER_URL"] = f"http://localhost:{reader}"
    return smtp, reader


def _name_sockets(port: int, mail_ports: tuple[int, int] | None) -> int | None:
    """A port of their own beside the pages; where an address is given, somebody else serves them.

    mail_ports: still free, because nobody listens there yet, and not to be taken twice.
    """
    if place.setting("SOCKET_URL") or place.setting("SCHOOL_ENV") == "production":
        return None
    first = max([port + SOCKETS_ABOVE, *(taken + 1 for taken in mail_ports or ())])
    sockets = ports.next_free(min(first, HIGHEST_MAIL + SOCKETS_ABOVE))
    os.environ["SOCKET_URL"] = f"ws://localhost:{sockets}"
    return sockets


def _prepare() -> None:
    sample = [] if place.setting("SCHOOL_ENV") == "production" else ["--sample"]
    command = [sys.executable, str(place.BASE_DIR / "manage.py"), "setup", *sample]
    done = subprocess.run(command, check=False)  # noqa: S603  our own command
    if done.returncode:
        raise place.Problem("The school could not be set up; the reason stands above.")


def _children(
    port: int, mail_ports: tuple[int, int] | None, socket_port: int | None
) -> list[Child]:
    """The web server first: it is the one whose readiness we wait for."""
    logs = place.var() / "log"
    web = f"granian --interface wsgi --host 127.0.0.1 --port {port} --workers 2 --no-ws"
    web += " --blocking-threads 1 --blocking-threads-idle-timeout 600 --respawn-failed-workers"
    web += " --workers-kill-timeout 5 config.wsgi:application"
    worker = "celery -A config worker -P threads --concurrency 2 --loglevel INFO"
    worker += " --without-gossip --without-mingle --without-heartbeat"
    # Celery waits for running tasks on SIGTERM, and sometimes for ever; without a supervisor both
    # end at once. That is why beat is no child of the worker's: nobody would end it then.
    children = [
        _child("web", web.split()),
        _child("worker", worker.split(), signal.SIGKILL),
        _child("beat", ["celery", "-A", "config", "beat", "--loglevel", "INFO"], signal.SIGKILL),
        # Steps of plans go on while worker, beat and broker are down.
        _child("runner", ["manage", "rollback", "run"]),
    ]
    if socket_port:
        sockets = f"uvicorn --host 127.0.0.1 --port {socket_port} --ws websockets-sansio"
        # The messages are tiny: to compress them costs each socket memory and saves nothing.
        sockets += " --ws-per-message-deflate false --timeout-graceful-shutdown 2"
        sockets += " config.asgi:application"
        children.append(_child("sockets", sockets.split()))
    if mail_ports:
        words = [str(place.var() / "mail"), *map(str, mail_ports)]
        children.append(_child("mail", ["config.local.mailcatcher", *words]))
    logs.mkdir(exist_ok=True)
    return children


def _child(name: str, words: list[str], ending: signal.Signals = signal.SIGTERM) -> Child:
    return Child(
        name=name,
        command=[sys.executable, "-m", *words],
        log=place.var() / "log" / f"{name}.log",
        env=os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(place.BASE_DIR)},
        ending=ending,
    )


def _wait_for_web(web: Child, port: int) -> None:
    deadline = time.monotonic() + WEB_SECONDS
    while not (status := _status(port)):
        if web.exit_code() is not None or time.monotonic() > deadline:
            raise place.Problem(
                f"The web server could not start; the end of {web.log}:\n{web.last_lines()}"
            )
        time.sleep(0.05)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        console.print(f"The first page fails; the reason is in {web.log}.", style="yellow")


def _status(port: int) -> int:
    """0 while nobody answers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/", headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def _watch(children: list[Child]) -> None:
    while True:
        time.sleep(LOOK_EVERY)
        for child in children:
            if child.process is None:
                if time.monotonic() >= child.restart_at:
                    child.start()
            elif (code := child.exit_code()) is not None:
                child.bury()
                console.print(
                    f"The {child.name} process ended ({_how(code)}) and starts again in "
                    f"{child.pause:.0f} s. The end of {child.log}:\n{child.last_lines()}",
                    style="yellow",
                    markup=False,
                )


def _how(code: int) -> str:
    return f"code {code}" if code >= 0 else signal.Signals(-code).name


def _stop(children: list[Child]) -> None:
    """No second Ctrl-C may leave half of them running; each has its seconds, then it is ended."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    console.print("\nStopping …")
    # All but the mail catcher at once: the worker's last task may still send one.
    for child in children[:2]:
        child.ask_to_stop()
    for child in children:
        child.stop()


if __name__ == "__main__":
    sys.exit(main())
