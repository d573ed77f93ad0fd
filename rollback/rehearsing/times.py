"""How long the original flow's pages take, beside a fixed piece of work: a machine that is busy elsewhere
is slower at both, and a page that has become slow is slow alone.
"""

import time
from collections.abc import Mapping
from statistics import median

from django.db import connection, transaction
from django.utils.translation import gettext as _

from rollback.domain.probing import probing
from rollback.domain.verification import TIMES_SLOWER, percentiles, slowest_allowed
from rollback.probes.in_process import Browser, Handler
from rollback.probes.plan import plan

WARM_UP, REQUESTS = 1, 20
# Together about as long as a page takes, and like it: some of it here, some in the database.
LOOPS, STATEMENTS, ROWS = 40_000, 8, 2_000

# By page: p50 and p95 in ms, and the median of the work beside it.
Times = Mapping[str, Mapping[str, float]]


def measured() -> dict[str, dict[str, float]]:
    """In a transaction that is undone."""
    with probing(), transaction.atomic():
        try:
            person, paths = plan().flow_pages()
            browser = Browser(Handler(), person)
            return {name: _page(browser, path) for name, path in paths.items()}
        finally:
            transaction.set_rollback(True)


def _page(browser: Browser, path: str) -> dict[str, float]:
    pages, beside = [], []
    for _request in range(WARM_UP + REQUESTS):
        pages.append(browser.page(path).milliseconds)
        beside.append(_work())
    return percentiles(pages[WARM_UP:]) | {"beside": round(median(beside[WARM_UP:]), 1)}


def _work() -> float:
    """:returns: milliseconds"""
    began = time.perf_counter()
    sum(number * number for number in range(LOOPS))
    with connection.cursor() as cursor:
        for _statement in range(STATEMENTS):
            cursor.execute("SELECT sum(n) FROM generate_series(1, %s) AS n", [ROWS])
            cursor.fetchone()
    return (time.perf_counter() - began) * 1000


def slower(before: Times, now: Times) -> list[str]:
    """Pages that are slow as a verification has it, and also by what the machine does in that time."""
    return [
        name
        for name, was in before.items()
        if name in now
        and now[name]["p50"] > slowest_allowed(was["p50"])
        and now[name]["p50"] / now[name]["beside"] > TIMES_SLOWER * was["p50"] / was["beside"]
    ]


def in_words(before: Times, now: Times) -> str:
    said = "; ".join(
        f"{name} {was['p95']} → {now[name]['p95']} ms"
        for name, was in before.items()
        if name in now
    )
    return _("p95 before and now: %(pages)s.") % {"pages": said}
