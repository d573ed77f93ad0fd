"""What the door adds to a page of the ground floor: the same catalog with it and without it.

The whole way of a request through Django, without the server around it.
"""

import threading
import time
import timeit
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.template import engines
from django.test import Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from prometheus_client import Counter

from config.features import MASTER
from config.local.sample import LOGINS
from rollback.domain.metrics import Metric
from rollback.watch import Ring
from tests.bench.figures import Row, at_most, median, ratio_at_most, span

DOOR = "rollback.doors.middleware.FeatureDoor"
PROCESSOR = "rollback.doors.context.features"
REQUESTS = 600
WARM_UP = 30
COUNTS = 20_000


def rows() -> Iterator[Row]:
    student = get_user_model()._default_manager.get(email=LOGINS[0].email)
    client = Client()
    client.force_login(student)
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    for who, cookie in (("a visitor", ""), ("a student", cookies)):
        yield _door(who, cookie)
        yield _navigation(who, cookie)
    yield _watch()


def _watch() -> Row:
    """One count in the ring, the folding of what has been counted included; nothing writes it here."""
    ring, counter = Ring(), Counter("requests", "Of a feature.", ["feature", "on", "bad"])
    ring._thread = threading.current_thread()

    def ours() -> None:
        ring.count(Metric.REQUESTS, feature=MASTER, bad=False)

    def theirs() -> None:
        counter.labels(MASTER, "yes", "no").inc()

    best, beside = (min(timeit.repeat(one, number=COUNTS, repeat=9)) for one in (ours, theirs))
    return at_most(
        "one count of the watch",
        best / COUNTS,
        2e-6,
        ours=span(best / COUNTS),
        beside=f"a counter of prometheus_client {span(beside / COUNTS)}",
        goal_words="2 µs",
    )


def _door(who: str, cookie: str) -> Row:
    with_door = asking(handler(without=()), reverse("enrollment:catalog"), cookie)
    without = asking(handler(without=(DOOR,)), reverse("enrollment:catalog"), cookie)
    ours, bare = _in_turn(with_door, without)
    return ratio_at_most(
        f"catalog for {who}, with the door",
        median(ours) / median(bare),
        1.03,
        ours=f"{span(median(ours))} of CPU",
        beside=f"without it {span(median(bare))}",
    )


def _navigation(who: str, cookie: str) -> Row:
    """The door and what features put into every page: their links, for those who have them."""
    engine: Any = engines["django"]
    page_with = asking(handler(without=()), reverse("enrollment:catalog"), cookie)
    page_without = asking(handler(without=(DOOR,)), reverse("enrollment:catalog"), cookie)
    everything = engine.engine.template_context_processors
    ground = tuple(one for one in everything if _name(one) != PROCESSOR)
    assert len(ground) == len(everything) - 1

    def showing(processors: Any, page: Callable[[], None]) -> Callable[[], None]:
        def show() -> None:
            engine.engine.template_context_processors = processors
            page()

        return show

    all_of_it, none_of_it = showing(everything, page_with), showing(ground, page_without)
    try:
        ours, bare = _in_turn(all_of_it, none_of_it)
        more = _queries(all_of_it) - _queries(none_of_it)
    finally:
        engine.engine.template_context_processors = everything
    return Row(
        what="  with the door and the features' links",
        ours=f"{span(median(ours))} of CPU, {more} queries more",
        beside=f"without both {span(median(bare))}",
        ratio=f"{median(ours) / median(bare):.2f} ×",
    )


def _name(function: Any) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def handler(*, without: tuple[str, ...]) -> WSGIHandler:
    """The middleware is read when a handler is made, and never again."""
    kept = [name for name in settings.MIDDLEWARE if name not in without]
    assert len(kept) == len(settings.MIDDLEWARE) - len(without)
    with override_settings(MIDDLEWARE=kept):
        return WSGIHandler()


def asking(shown_by: WSGIHandler, path: str, cookie: str) -> Callable[[], None]:
    environ = RequestFactory(SERVER_NAME="localhost").get(path).environ
    environ["HTTP_COOKIE"] = cookie

    def show() -> None:
        def started(status: str, headers: Any, problem: Any = None) -> Callable[[bytes], object]:
            assert status.startswith("200"), status
            return bytes

        response = shown_by(environ | {"wsgi.input": BytesIO()}, started)
        b"".join(response)
        response.close()

    return show


def _in_turn(*pages: Callable[[], None]) -> list[list[float]]:
    """Seconds of each page, asked for one after the other, so that noise meets all of them.

    This thread's time on the processor: the door asks no database, and three hundredths are less
    than what other programs on the machine add to the time on the wall.
    """
    taken: list[list[float]] = [[] for _ in pages]
    for number in range(WARM_UP + REQUESTS):
        for page, list_of in zip(pages, taken, strict=True):
            start = time.thread_time()
            page()
            if number >= WARM_UP:
                list_of.append(time.thread_time() - start)
    return taken


def _queries(page: Callable[[], None]) -> int:
    with CaptureQueriesContext(connection) as captured:
        page()
    return len(captured)
