"""From the COMMIT of a kill to the first "off" of every process of a real server."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from django.db import transaction
from django.urls import reverse

from config.features import AVAILABILITY, MASTER
from rollback import runner, switchboard
from rollback.runner import Actor
from tests.bench import server
from tests.bench.figures import Row, at_most, median, percentile, span
from tests.bench.poller import Answer, Poller

ACTOR = Actor(name="benchmark")
PROCESSES = 8
KILLS = 200
KILLS_WITHOUT_LISTEN = 25
# The anonymous answers of a gated address: "log in first" while it is on, "switched off" else.
ON, OFF = 401, 503
LIMIT = 10.0
# How long it is watched that nobody answers "on" again.
AFTERWARDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Kill:
    """off_after: seconds from just before COMMIT until the first "off" of each process had come.
    asked_after: the same until that answer's question was asked; below 0 is before COMMIT.

    flickers: "on" answers to questions asked after the same process had said "off".
    """

    off_after: Sequence[float]
    asked_after: Sequence[float]
    flickers: int


@dataclass(frozen=True, kw_only=True)
class Run:
    kills: Sequence[Kill]
    request_seconds: Sequence[float]

    @property
    def all_off(self) -> list[float]:
        return [max(kill.off_after) for kill in self.kills]

    @property
    def all_asked(self) -> list[float]:
        return [max(0.0, *kill.asked_after) for kill in self.kills]

    @property
    def flickers(self) -> int:
        return sum(kill.flickers for kill in self.kills)


def rows(log: Path) -> Iterator[Row]:
    told = measure(log, kills=KILLS, pooled=False)
    yield at_most(
        f"kill → all {PROCESSES} processes off, p99 of {KILLS} kills",
        percentile(told.all_off, 99),
        0.050,
        ours=_p50_p99(told.all_off),
        beside=f"one request alone {_p50_p99(told.request_seconds)}",
        goal_words="50 ms",
    )
    yield Row(
        what="  of this until the last of those “off” was asked for",
        ours=_p50_p99(told.all_asked),
    )
    polled = measure(log, kills=KILLS_WITHOUT_LISTEN, pooled=True)
    yield at_most(
        f"the same with LISTEN lost, slowest of {KILLS_WITHOUT_LISTEN} kills",
        max(polled.all_off),
        1.2,
        ours=f"p50 {span(median(polled.all_off))}, slowest {span(max(polled.all_off))}",
        beside=f"one request alone {_p50_p99(polled.request_seconds)}",
        goal_words="1.2 s",
    )
    flickers = told.flickers + polled.flickers
    yield at_most(
        "answers “on” after an “off” of the same process",
        flickers,
        0,
        ours=str(flickers),
        goal_words="0",
    )


def _p50_p99(seconds: Sequence[float]) -> str:
    return f"p50 {span(median(seconds))}, p99 {span(percentile(seconds, 99))}"


def measure(log: Path, *, kills: int, pooled: bool) -> Run:
    """pooled: as behind a transaction pooler, where no process LISTENs."""
    switch_on()
    env = {"DATABASE_POOLED": str(pooled).lower()}
    with (
        server.running(workers=PROCESSES, log=log, env=env) as (port, pid),
        server.connection_to_each(port=port, pid=pid, workers=PROCESSES) as connections,
        Poller(request=question(port), connections=connections) as poller,
    ):
        _wait_for_all(poller, ON)
        before = len(poller.answers)
        time.sleep(1.0)
        alone = [answer.came_at - answer.sent_at for answer in poller.answers[before:]]
        made = [_kill_and_restore(poller, apart=1.0 if pooled else 0.02) for _ in range(kills)]
    return Run(kills=made, request_seconds=alone)


def question(port: int) -> bytes:
    """Always the same anonymous visitor; no session, so that the answer costs no query while on."""
    cookie = f"{switchboard.VISITOR_COOKIE}={switchboard.visitor_cookie('benchmark')}"
    path = reverse("availability-api:slots", args=[1])
    return f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: {cookie}\r\n\r\n".encode()


def switch_on() -> None:
    for flag in (MASTER, AVAILABILITY):
        runner.set_share(flag=flag, percent=Decimal(100), actor=ACTOR, reason="benchmark")


def _kill_and_restore(poller: Poller, *, apart: float) -> Kill:
    """`apart`: at most so many seconds' pause before, so that no kill keeps step with the poll."""
    time.sleep(random.uniform(0, apart))
    since = len(poller.answers)
    with transaction.atomic():
        runner.kill(flag=AVAILABILITY, actor=ACTOR, reason="benchmark")
        committing_at = time.monotonic()  # the next statement is COMMIT; its time counts
    _wait_for_all(poller, OFF, since=since)
    time.sleep(AFTERWARDS)
    answers = poller.answers[since:]
    runner.restore(flag=AVAILABILITY, actor=ACTOR, reason="benchmark")
    _wait_for_all(poller, ON, since=len(poller.answers))
    return _judged(answers, committing_at)


def _judged(answers: Sequence[Answer], committing_at: float) -> Kill:
    first_off: dict[int, Answer] = {}
    flickers = 0
    for answer in answers:
        if answer.status == OFF:
            first_off.setdefault(answer.process, answer)
        elif answer.process in first_off:
            flickers += 1
    return Kill(
        off_after=[answer.came_at - committing_at for answer in first_off.values()],
        asked_after=[answer.sent_at - committing_at for answer in first_off.values()],
        flickers=flickers,
    )


def _wait_for_all(poller: Poller, status: int, *, since: int = 0) -> None:
    def fulfilled(answers: Sequence[Answer]) -> bool:
        return len({a.process for a in answers if a.status == status}) == PROCESSES

    if not poller.wait(fulfilled, since=since, limit=LIMIT):
        seen = {answer.status for answer in poller.answers[since:]}
        raise server.ServerProblem(f"No {status} from all processes in {LIMIT:g} s; seen: {seen}.")
