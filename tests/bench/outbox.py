"""Many people are told while those who send are killed and the mail server with them; and how fast it goes
when nothing is: beside a plain loop over Django's `send_mail`, which knows of nobody killed.

OUTBOX_PEOPLE="1000" says how many people there are.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import Max, Min
from psycopg.conninfo import make_conninfo

from config.local import ports
from config.local.place import BASE_DIR
from rollback.models import Notification, Sending
from tests.bench import schools
from tests.bench.figures import Row, at_most, part_at_least
from tests.rollback import mail_stress
from tests.rollback.mail_stress import MailServer, Outcome, Plan

DRILL, SPEED = "bench_outbox", "bench_mails"
DATABASES = (DRILL, SPEED)
PEOPLE = int(os.environ.get("OUTBOX_PEOPLE", "10000"))
# Forty workers, two at a time; the mail server is killed twice, and hangs once.
PLAN = Plan(people=PEOPLE, rounds=20, workers=2, stops=(5, 13), freezes=(9,), lives=(0.3, 3.0))
MAILS = PEOPLE // 5
FIRST_PORT = 19_200
# Of what a plain loop sends in the same time: each of ours is claimed, made from a letter and noted besides.
AS_FAST = 0.5


def rows(url: str, folder: Path) -> Iterator[Row]:
    with schools.inside(DRILL):
        address = make_conninfo(url, dbname=DRILL)
        port = ports.next_free(FIRST_PORT)
        yield from _told(
            mail_stress.run(PLAN, address=address, port=port, file=folder / "drill", seed=8)
        )
    with schools.inside(SPEED):
        yield _speed(make_conninfo(url, dbname=SPEED), folder)


def _told(done: Outcome) -> Iterator[Row]:
    faults = (
        f"{done.kills} kills of workers, {done.stops} of the mail server, {done.freezes} freeze"
    )
    people = f"{len(done.people):,} people"
    # A server that hangs may take what nobody could wait for: as many as there are workers.
    bound = done.kills + PLAN.workers * (done.stops + done.freezes)
    yield at_most(
        f"outbox: {people}, {faults}: lost", done.lost, 0, ours=str(done.lost), goal_words="0"
    )
    yield at_most(
        "  told twice",
        done.duplicates,
        done.kills,
        ours=f"{done.duplicates} ({done.met} kills met a mail on its way)",
        goal_words=f"{done.kills} (one a kill; could be {bound})",
    )
    yield at_most(
        "  twice with another Message-ID",
        done.other_ids,
        0,
        ours=str(done.other_ids),
        goal_words="0",
    )
    yield at_most(
        "  in a wrong language",
        done.wrong_language,
        0,
        ours=str(done.wrong_language),
        goal_words="0",
    )
    yield Row(what="  all of it", ours=f"{done.seconds:.0f} s")


def _speed(address: str, folder: Path) -> Row:
    server = MailServer(ports.next_free(FIRST_PORT), folder / "speed")
    mail_stress.prepare(MAILS)
    server.start()
    try:
        ours = _ours(address, server.port)
        plain = _plain(server.port)
        assert len(server.told()) == 2 * MAILS
    finally:
        server.stop()
    return part_at_least(
        f"mails a second, one process ({MAILS:,} mails)",
        ours / plain,
        AS_FAST,
        ours=f"{ours:.0f}",
        beside=f"{plain:.0f}: a loop over send_mail, all words known before",
    )


def _ours(address: str, port: int) -> float:
    """As it is started at a terminal; the start of Python and Django is not counted."""
    command = [sys.executable, str(BASE_DIR / "manage.py"), "rollback", "send"]
    env = mail_stress.environment(address, port)
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    sent = Notification.objects.filter(state=Notification.State.SENT)
    took = sent.aggregate(took=Max("sent_at") - Min("sent_at"))["took"]
    assert sent.count() == MAILS
    assert Sending.objects.get().state == Sending.State.DONE
    return (MAILS - 1) / float(took.total_seconds())


def _plain(port: int) -> float:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    began = time.monotonic()
    for number in range(MAILS):
        send_mail(
            "Calendar",
            "What you typed is saved.\n" * 8,
            None,
            [f"plain-{number}@school.example"],
            html_message="<p>What you typed is saved.</p>\n" * 30,
        )
    return MAILS / (time.monotonic() - began)
