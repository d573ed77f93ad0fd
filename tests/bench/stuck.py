"""Two saves within two milliseconds under eight busy readers: who stays with the first of them?"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from config.features import MASTER
from rollback.models import Flag, Switchboard
from rollback.switchboard import POLL
from tests.bench import stock
from tests.bench.figures import Row, at_most, percentile, span
from tests.rollback.busy import READERS, all_off, busy_readers, change_twice, look
from tests.rollback.others import START, eventually

CHANGES, BATCH = 10_000, 25


def rows(database_url: str, folder: Path) -> Iterator[Row]:
    yield from _ours(database_url, folder)
    yield from _beside("LocMem", stock.LOCMEM, database_url)
    with stock.redis() as url:
        if url is None:
            yield Row(what="  the same with stock waffle, Redis", ours="", beside=stock.NO_REDIS)
        else:
            yield from _beside("Redis", url, database_url)


def _ours(database_url: str, folder: Path) -> Iterator[Row]:
    row = Flag.objects.get(name=MASTER)
    row.percent, row.everyone = 100, False
    row.save()
    version = Switchboard.objects.get().version
    stuck, started = 0, time.monotonic()
    with busy_readers(first=version, flag=MASTER, address=database_url, folder=folder) as told:
        if not eventually(all_off(told, version), within=START):
            raise RuntimeError("The readers did not start; their reason stands above.")
        for _ in range(CHANGES // BATCH):
            stuck += not change_twice(row, told, version, changes=BATCH, within=2 * POLL)
            version += 2 * BATCH
        wrong = sum(reader.wrong for reader in look(told))
    row.everyone = None
    row.save()
    yield at_most(
        f"stuck after {CHANGES:,} two-write changes, {READERS} busy readers",
        stuck,
        0,
        ours=f"{stuck}, in {span(time.monotonic() - started)}",
        goal_words="0",
    )
    yield at_most(
        "  answers that were not their version's", wrong, 0, ours=str(wrong), goal_words="0"
    )


def _beside(name: str, cache: str, database_url: str) -> Iterator[Row]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.stock_stuck"],
        env=stock.environment(database_url, cache=cache),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    yield Row(
        what=f"  the same with stock waffle, {name}",
        ours="",
        beside=f"{found['stuck']} of {found['trials']} stuck for longer than 1 s",
    )
    yield Row(
        what=f"  one save → all {READERS} readers off, stock waffle, {name}",
        ours="",
        beside=_in_time([seconds for seconds in found["kills"] if seconds], len(found["kills"])),
    )


def _in_time(seconds: list[float], tries: int) -> str:
    if len(seconds) < tries:
        return f"{tries - len(seconds)} of {tries} not within 1 s"
    return f"p50 {span(percentile(seconds, 50))}, p99 {span(percentile(seconds, 99))}"
