"""What a check costs, beside stock django-waffle: rounds in turn, on one PostgreSQL server."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.http import HttpRequest
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils.functional import SimpleLazyObject

from config.features import MASTER
from enrollment.models import User
from rollback import registry, runner, switchboard
from rollback.doors.context import Features
from tests.bench import stock
from tests.bench.figures import Row, at_most, median, ratio_at_least, span
from tests.bench.propagation import ACTOR

ROUNDS = 15
# How often a figure is repeated in one round: some hundredths of a second each.
OURS, STOCK, STOCK_COLD = 5_000, 100, 40


@contextmanager
def stock_waffle(database_url: str, cache: str) -> Iterator[Callable[[str, int], float]]:
    """:returns: asks the other process for one round, in seconds a repetition."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.stock_waffle"],
        env=stock.environment(database_url, cache=cache),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asks, answers = process.stdin, process.stdout
        if answers.readline() != "ready\n":
            raise RuntimeError("Stock waffle did not start; its reason stands above.")

        def round_of(kind: str, count: int) -> float:
            asks.write(f"{kind} {count}\n")
            asks.flush()
            return float(answers.readline())

        yield round_of
        asks.close()


def rows(database_url: str) -> Iterator[Row]:
    user = User.objects.create_user("benchmark@school.example")
    _some_early(user)
    switchboard.board.start()
    assert switchboard.is_on(MASTER, user)
    ours: dict[str, list[float]] = {"one": [], "request": [], "page": []}
    locmem: dict[str, list[float]] = {"one": [], "page": [], "group": [], "cold": []}
    redis: dict[str, list[float]] = {"one": [], "page": []}
    with stock.redis() as url, ExitStack() as stack:
        asked = [(locmem, stack.enter_context(stock_waffle(database_url, stock.LOCMEM)))]
        if url:
            asked.append((redis, stack.enter_context(stock_waffle(database_url, url))))
        for _ in range(ROUNDS):
            for kind, seconds in _our_round(user).items():
                ours[kind].append(seconds)
            for figures, stock_round in asked:
                for kind, taken in figures.items():
                    taken.append(stock_round(kind, STOCK_COLD if kind == "cold" else STOCK))
    # The quickest round of each, as timeit advises: what slows a round down is somebody else.
    ours_best, locmem_best = _best(ours), _best(locmem)
    yield from _judged(ours_best, locmem_best)
    yield from _beside_redis(ours_best, _best(redis) if url else None)
    yield _queries(user)
    yield _cold()
    switchboard.board.stop()


def _best(figures: dict[str, list[float]]) -> dict[str, float]:
    return {kind: min(taken) for kind, taken in figures.items()}


def _beside_redis(ours: dict[str, float], redis: dict[str, float] | None) -> Iterator[Row]:
    for kind, what in (("one", "one check"), ("page", "four flags, early users, no group")):
        yield Row(
            what=f"  {what}, beside stock waffle, Redis",
            ours=span(ours[kind]),
            beside=span(redis[kind]) if redis else stock.NO_REDIS,
            ratio=f"{redis[kind] / ours[kind]:,.0f} ×" if redis else "",
        )


def _some_early(user: User) -> None:
    """So that no list is empty; the user who asks is on by the share."""
    boss = User.objects.create_user("early@school.example")
    for feature in registry.features():
        runner.set_share(flag=feature.flag, percent=Decimal(100), actor=ACTOR, reason="benchmark")
        runner.set_early(
            flag=feature.flag,
            staff=True,
            superusers=True,
            users=[boss],
            actor=ACTOR,
            reason="benchmark",
        )


def _our_round(user: User) -> dict[str, float]:
    child = registry.features()[-1].flag
    names = [feature.name for feature in registry.features()]
    requests = [_request(user) for _ in range(OURS)]

    def page(request: HttpRequest) -> None:
        features = Features(request)
        for name in names:
            features[name]

    return {
        "one": _seconds(lambda _: switchboard.is_on(child, user), requests),
        "page": _seconds(page, requests),
        # The same requests once more: the door has asked before the page does.
        "request": _seconds(lambda request: switchboard.is_on(child, request), requests),
    }


def _request(user: User) -> HttpRequest:
    """As the middleware leaves it: a lazy user, looked up already."""
    request = RequestFactory().get("/")
    request.user = SimpleLazyObject(lambda: user)  # type: ignore[assignment]
    assert not isinstance(request.user, AnonymousUser)
    assert request.user.is_authenticated
    return request


def _seconds(ask: Callable[[Any], Any], requests: Sequence[HttpRequest]) -> float:
    start = time.perf_counter()
    for request in requests:
        ask(request)
    return (time.perf_counter() - start) / len(requests)


def _judged(ours: dict[str, float], locmem: dict[str, float]) -> Iterator[Row]:
    yield at_most(
        "one check for a user, warm",
        ours["one"],
        2e-6,
        ours=span(ours["one"]),
        beside=f"stock waffle, LocMem {span(locmem['one'])}",
        goal_words="2 µs",
    )
    yield Row(what="one check for a request the door has asked for", ours=span(ours["request"]))
    yield at_most(
        "four flags on a page, request fresh",
        ours["page"],
        10e-6,
        ours=span(ours["page"]),
        goal_words="10 µs",
    )
    beside = "  the same beside stock waffle, LocMem, "
    yield ratio_at_least(
        beside + "an early group",
        locmem["group"] / ours["page"],
        200,
        ours=span(ours["page"]),
        beside=f"4 queries, {span(locmem['group'])}",
    )
    for kind, words in (("page", "early users, no group"), ("cold", "cache empty")):
        yield Row(
            what=beside + words,
            ours=span(ours["page"]),
            beside=span(locmem[kind]),
            ratio=f"{locmem[kind] / ours['page']:,.0f} ×",
        )


def _queries(user: User) -> Row:
    with CaptureQueriesContext(connection) as captured:
        _our_round(user)
    return at_most(
        "queries of all these checks",
        len(captured),
        0,
        ours=str(len(captured)),
        goal_words="0",
    )


def _cold() -> Row:
    """Another switchboard, as in a process that has just started: connect, one query."""
    taken = []
    for _ in range(ROUNDS):
        board = switchboard.Switchboard()
        start = time.perf_counter()
        board.snapshot()
        taken.append(time.perf_counter() - start)
        board.stop()
    return Row(
        what="first check of a cold process: a connection, one query", ours=span(median(taken))
    )
