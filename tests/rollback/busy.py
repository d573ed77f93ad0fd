"""Eight processes that ask for a flag all the time, and know by themselves what is right."""

import mmap
import os
import random
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config.local.place import BASE_DIR
from rollback.models import Flag
from tests.rollback.others import eventually

READERS = 8
LONGEST_GAP = 0.002

# Eight forks of one process, each with a switchboard of its own. The first version is "off" and
# each save turns the switch, so that every reader knows by itself what a version has to answer.
READ = """
import mmap, os, struct, sys, time, django
django.setup()
from rollback import switchboard
from rollback.domain.shares import Subject
path, flag, first, readers = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
who = Subject(key="u:1", user_id=1)

def read(number):
    with open(path, "r+b") as file:
        told = mmap.mmap(file.fileno(), 0)
    highest = wrong = asked = seen = 0
    while True:
        for _ in range(20):
            snapshot = switchboard.board.snapshot()
            version, on = snapshot.version, snapshot.is_on(flag, who)
            asked += 1
            if version and version != highest:  # 0: it lost the database, and is off
                seen += 1
                wrong += version < highest
                highest = version
            wrong += on != (version >= first and (version - first) % 2 == 1)
        struct.pack_into("5q", told, 40 * number, version, on, wrong, asked, seen)
        time.sleep(0.001)

for number in range(readers - 1):
    if os.fork() == 0:
        read(number)
read(readers - 1)
"""


@dataclass(frozen=True)
class Reader:
    """wrong: answers that were not its version's, and steps back. seen: different versions."""

    version: int
    on: int
    wrong: int
    asked: int
    seen: int


@contextmanager
def busy_readers(*, first: int, flag: str, address: str, folder: Path) -> Iterator[mmap.mmap]:
    """first: the version at which the flag is off, before the first save."""
    path = folder / "told"
    path.write_bytes(bytes(40 * READERS))
    env = {
        **os.environ,
        "DATABASE_URL": address,
        "LOG_LEVEL": "ERROR",
        "PYTHONPATH": str(BASE_DIR),
    }
    command = [sys.executable, "-c", READ, str(path), flag, str(first), str(READERS)]
    process = subprocess.Popen(command, env=env, start_new_session=True)
    try:
        with path.open("rb") as file:
            yield mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def look(told: mmap.mmap) -> list[Reader]:
    return [Reader(*struct.unpack_from("5q", told, 40 * number)) for number in range(READERS)]


def all_off(told: mmap.mmap, version: int) -> Callable[[], bool]:
    """:returns: a question: has every reader come to `version`, and is it off there?"""

    def agree() -> bool:
        return all(reader.version == version and not reader.on for reader in look(told))

    return agree


def change_twice(row: Flag, told: mmap.mmap, version: int, *, changes: int, within: float) -> bool:
    """`changes` times two saves, on and off again; raises the version by two each.

    :returns: whether all readers came to the last version within so many seconds.
    """
    for _ in range(changes):
        row.everyone = None
        row.save()
        time.sleep(random.uniform(0, LONGEST_GAP))
        row.everyone = False
        row.save()
    return eventually(all_off(told, version + 2 * changes), within=within)
