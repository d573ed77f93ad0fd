"""The whole engine at work: a fault is put into the calendar of a school of real processes under load.

Four web processes, a worker with its beat and the runner, on one database, with the broker in it. Nothing
is called by hand: it has to be noticed, taken away, verified and written down by itself.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.test import Client

from config.local import ports
from config.local.children import Child
from config.local.place import BASE_DIR
from enrollment.models import Student
from rollback.models import Incident
from tests.bench.server import HOST, ServerProblem, wait_until_it_answers
from tests.drill.load import Load

WORKERS = 4
FIRST_PORT = 18_900
LOOK_EVERY = 0.25


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Seconds since the fault was put in, by one clock. errors_after: 5xx once it was off everywhere."""

    incident: Incident
    opened: float
    contained: float
    verified: float
    errors_after: int
    fallback: str


class Drill:
    def __init__(self, *, port: int, fault: Path) -> None:
        self.port, self._fault = port, fault

    def load(self, *, sessions: Sequence[str], pause: float) -> Load:
        return Load(port=self.port, sessions=sessions, pause=pause)

    def run(
        self, *, fault: str, load: Load, within: float, begin: Callable[[], None] = lambda: None
    ) -> Outcome:
        """Puts the fault in, or does what `begin` does, and waits until the school has helped itself.

        :raises TimeoutError: it has not
        """
        last = Incident.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        began = time.monotonic()
        self._fault.write_text(fault)
        begin()
        try:
            opened = self._until(began, within, "no incident", pk__gt=last)
            number = {"pk": Incident.objects.filter(pk__gt=last).earliest("pk").pk}
            contained = self._until(
                began, within, "not off everywhere", contained_at__isnull=False, **number
            )
            off_at = time.monotonic()
            verified = self._until(
                began, within, "not verified", verified_at__isnull=False, **number
            )
            # What was asked for before it was off may still be on its way.
            time.sleep(1)
        finally:
            self._fault.write_text("")
        after = load.since(off_at)
        turned = [one for one in after if one.status == 303]
        return Outcome(
            incident=Incident.objects.get(**number),
            opened=opened,
            contained=contained,
            verified=verified,
            errors_after=sum(one.status >= 500 or not one.status for one in after),
            fallback=turned[-1].leads_to if turned else "",
        )

    @staticmethod
    def _until(began: float, within: float, what: str, **wanted: Any) -> float:
        while not Incident.objects.filter(**wanted).exists():
            if time.monotonic() - began > within:
                raise TimeoutError(f"{what} within {within:.0f} s")
            time.sleep(LOOK_EVERY)
        return time.monotonic() - began


def sessions(count: int) -> list[str]:
    """Of students who have the calendar."""
    found = []
    for student in Student.objects.select_related("user").order_by("pk")[:count]:
        client = Client()
        client.force_login(student.user)
        found.append(client.cookies[settings.SESSION_COOKIE_NAME].value)
    return found


@contextmanager
def school(
    *, database_url: str, folder: Path, workers: int = WORKERS, sample: bool = True
) -> Iterator[Drill]:
    """Its processes, as `make run` starts them. sample: fill it, where it has no courses yet."""
    port, fault = ports.next_free(FIRST_PORT), folder / "fault.txt"
    fault.write_text("")
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "CELERY_BROKER_URL": "",
        "EMAIL_URL": "dummymail://",
        "SCHOOL_VAR": str(folder),
        "SITE_URL": f"http://localhost:{port}",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "PYTHONPATH": str(BASE_DIR),
        "LOG_LEVEL": "ERROR",
        "FAULT_FILE": str(fault),
    }
    web = f"granian --interface wsgi --host {HOST} --port {port} --workers {workers} --no-ws"
    web += " --blocking-threads 1 tests.drill.faulty_wsgi:application"
    worker = "celery -A config worker -P threads --concurrency 2 --loglevel ERROR"
    commands = {
        "web": ["-m", *web.split()],
        "worker": ["-m", *worker.split()],
        "beat": ["-m", "celery", "-A", "config", "beat", "--loglevel", "ERROR"],
        "runner": ["manage.py", "rollback", "run"],
    }
    _set_up(environment, "--sample" if sample else "--no-color")
    with ExitStack() as running:
        children = {
            name: _child(name, words, folder, environment) for name, words in commands.items()
        }
        for child in children.values():
            running.callback(child.stop)
            child.start()
        wait_until_it_answers(children["web"], port)
        yield Drill(port=port, fault=fault)
        for name, child in children.items():
            if child.exit_code() is not None:
                raise ServerProblem(f"{name} ended:\n{child.last_lines()}")


def _set_up(environment: dict[str, str], option: str) -> None:
    """The queue too, which is in the database here."""
    command = [sys.executable, str(BASE_DIR / "manage.py"), "setup", option]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def _child(name: str, words: list[str], folder: Path, environment: dict[str, str]) -> Child:
    if words[0] == "manage.py":
        words = [str(BASE_DIR / "manage.py"), *words[1:]]
    return Child(
        name=name, command=[sys.executable, *words], log=folder / f"{name}.log", env=environment
    )
