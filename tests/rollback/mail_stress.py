"""Many people are told while those who send are killed, and the mail server is killed and frozen.

In rounds: some workers are started and killed one after the other, each at a moment of the dice. When none
is left, the leases of the dead are over: time passes by moving `next_at`, and nobody waits.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from django.db.models.functions import Now

from config.local.place import BASE_DIR
from enrollment.models import Course, Student, User
from rollback import outbox
from rollback.audit import Actor
from rollback.models import (
    AffectedPerson,
    EnrollmentDraft,
    Incident,
    MessageTemplate,
    Notification,
    Sending,
)
from rollback.outbox import going
from tests.rollback.others import eventually

LANGUAGES = ("en", "de", "es")
LETTER = "enrollment"
OFFICE = Actor(name="stress")
WITHIN = 20.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """stops, freezes: in which rounds the mail server is killed, or frozen for longer than anybody waits."""

    people: int
    rounds: int
    workers: int
    stops: Sequence[int]
    freezes: Sequence[int] = ()
    # A worker lives between so many seconds. patience: how long it waits for the mail server.
    lives: tuple[float, float] = (0.02, 0.3)
    patience: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Told:
    to: str
    message_id: str
    subject: str


@dataclass(kw_only=True)
class Outcome:
    people: Mapping[str, str]  # address → language
    told: Sequence[Told]
    kills: int = 0
    stops: int = 0
    freezes: int = 0
    # Of the kills, those that met a worker with a mail in its hands.
    met: int = 0
    seconds: float = 0.0
    states: Mapping[str, int] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        return len(set(self.people) - {one.to for one in self.told})

    @property
    def duplicates(self) -> int:
        return sum(count - 1 for count in Counter(one.to for one in self.told).values())

    @property
    def wrong_language(self) -> int:
        return sum(not one.subject.startswith(f"{self.people[one.to]}: ") for one in self.told)

    @property
    def other_ids(self) -> int:
        """Mails of one person with different Message-IDs, or of two with the same."""
        pairs = {(one.to, one.message_id) for one in self.told}
        return 2 * len(pairs) - len({to for to, _id in pairs}) - len({id_ for _to, id_ in pairs})


class MailServer:
    def __init__(self, port: int, file: Path) -> None:
        self.port, self.file = port, file
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.rollback.mail_server", str(self.port)]
        self.process = subprocess.Popen(
            [*command, str(self.file)], stdout=subprocess.PIPE, text=True, cwd=BASE_DIR
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def stop(self) -> None:
        """At once, as in a crash: its port is closed, whatever it had on the way is gone."""
        assert self.process is not None
        self.process.kill()
        self.process.communicate()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def told(self) -> list[Told]:
        if not self.file.exists():
            return []
        lines = [json.loads(line) for line in self.file.read_text().splitlines()]
        return [
            Told(to=to, message_id=one["id"], subject=one["subject"])
            for one in lines
            for to in one["to"]
        ]


class Senders:
    """The process that makes them, as `tests.rollback.senders` says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def one_more(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


def environment(address: str, port: int) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": address,
        "EMAIL_URL": f"smtp://127.0.0.1:{port}",
        "LOG_LEVEL": "CRITICAL" if sys.flags.dev_mode else "ERROR",
        "PYTHONPATH": str(BASE_DIR),
    }


@contextmanager
def senders(address: str, port: int, *, patience: float) -> Iterator[Senders]:
    command = [sys.executable, "-m", "tests.rollback.senders", str(patience)]
    with subprocess.Popen(
        command,
        env=environment(address, port),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a killed one's, and those of a server that is away
        text=True,
    ) as process:
        try:
            yield Senders(process)
        finally:
            for child in psutil.Process(process.pid).children():
                child.kill()
            process.kill()


def prepare(people: int) -> tuple[Sending, dict[str, str]]:
    """A sending that is released, to so many in three languages, one in three of them with a draft.

    :returns: address → language, besides
    """
    incident = Incident.objects.create(title="A stress", opened_by_name="stress")
    course = Course.objects.create(title="Violin", slug="stress-violin", capacity=9)
    users = User.objects.bulk_create(
        User(
            email=f"stress-{n}@school.example",
            first_name="Ada",
            last_name=f"Number {n}",
            language=LANGUAGES[n % len(LANGUAGES)],
            password="!",
        )
        for n in range(people)
    )
    students = Student.objects.bulk_create(
        Student(user=user, zone="Europe/Berlin") for user in users
    )
    now = incident.opened_at
    EnrollmentDraft.objects.bulk_create(
        EnrollmentDraft(
            student=student, course=course, answers={"note": "x"}, saved_at=now, started_at=now
        )
        for student in students[::3]
    )
    AffectedPerson.objects.bulk_create(
        AffectedPerson(incident=incident, user=user, reasons=["exposed"]) for user in users
    )
    for language in LANGUAGES:
        MessageTemplate.objects.create(
            key=LETTER,
            language=language,
            version=1,
            subject=f"{language}: {{{{ feature }}}}",
            text="Hello {{ name }},\n\n{{ saved }}\n\n{{ instead }}\n\nGo on:\n{{ link }}",
            saved_by_name="stress",
        )
    sending = outbox.prepare(incident=incident, letter=LETTER, actor=OFFICE)
    outbox.release(sending=sending.pk, actor=OFFICE, people=people)
    return sending, {user.email: user.language for user in users}


def let_time_pass() -> None:
    """Only while nobody sends: a lease that is over is somebody else's."""
    Notification.objects.filter(state=Notification.State.WAITING).update(next_at=Now())


def run(plan: Plan, *, address: str, port: int, file: Path, seed: int) -> Outcome:
    dice = random.Random(seed)
    server = MailServer(port, file)
    sending, people = prepare(plan.people)
    outcome = Outcome(people=people, told=[])
    server.start()
    began = time.monotonic()
    try:
        with senders(address, port, patience=plan.patience) as made:
            for number in range(plan.rounds):
                _round(plan, number, made, server, dice, outcome)
                let_time_pass()
            _drain(made, sending)
        outcome.seconds = time.monotonic() - began
    finally:
        server.stop()
    outcome.told = server.told()
    sending.refresh_from_db()
    outcome.states = going.progress(sending)
    return outcome


def _round(
    plan: Plan,
    number: int,
    made: Senders,
    server: MailServer,
    dice: random.Random,
    outcome: Outcome,
) -> None:
    pids = [made.one_more() for _ in range(plan.workers)]
    time.sleep(dice.uniform(*plan.lives))
    if number in plan.stops:
        server.stop()
        outcome.stops += 1
        assert _is_away()
        server.start()
        let_those_pass_that_found_nobody()
    if number in plan.freezes:
        with server.frozen():
            time.sleep(plan.patience * 1.5)
        outcome.freezes += 1
    for pid in pids:
        time.sleep(dice.uniform(*plan.lives) / plan.workers)
        os.kill(pid, signal.SIGKILL)
        outcome.kills += 1
    assert eventually(lambda: not any(map(psutil.pid_exists, pids)), within=WITHIN)
    outcome.met += Notification.objects.filter(state="waiting", next_at__gt=Now()).count()


def _is_away() -> bool:
    """Whoever sends has noticed: a row says so."""
    refused = Notification.objects.filter(state="waiting").exclude(error="")
    return eventually(refused.exists, within=WITHIN)


def let_those_pass_that_found_nobody() -> None:
    """They are in nobody's hands."""
    Notification.objects.filter(state="waiting").exclude(error="").update(next_at=Now(), error="")


def _drain(made: Senders, sending: Sending) -> None:
    made.one_more()
    waiting = sending.notifications.filter(state="waiting")
    # On a machine that does much else besides.
    patience = WITHIN + sending.notifications.count() / 4
    assert eventually(lambda: not waiting.exists(), within=patience)
    assert eventually(lambda: _is_done(sending), within=WITHIN)


def _is_done(sending: Sending) -> bool:
    return Sending.objects.filter(pk=sending.pk, state=Sending.State.DONE).exists()
