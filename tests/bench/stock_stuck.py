"""Stock django-waffle under eight busy readers: how quickly a save reaches them, and how often two
saves within two milliseconds leave one of them with the first.

Writes one line of JSON: {"kills": [seconds or null, …], "stuck": how many, "trials": of how many}.
"""

import json
import os
import random
import signal
import sys
import time
from ctypes import Array, c_bool
from multiprocessing.sharedctypes import RawArray
from typing import Any

import django

READERS, KILLS, TRIALS = 8, 20, 40
LONGEST_GAP = 0.002
FLAG = "busy"
# For so long we wait for a reader; it will say so for waffle's 300 seconds.
LIMIT = 1.0


def main() -> None:
    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from waffle import get_waffle_flag_model

    call_command("migrate", verbosity=0)
    flags: Any = get_waffle_flag_model()._default_manager
    flag, _made = flags.get_or_create(name=FLAG)
    connection.close()
    answers: Array[c_bool] = RawArray(c_bool, READERS)
    children = [_fork(answers, number) for number in range(READERS)]
    try:
        sys.stdout.write(json.dumps(_measured(flag, answers)) + "\n")
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)


def _fork(answers: "Array[c_bool]", number: int) -> int:
    child = os.fork()
    if child:
        return child
    from django.test import RequestFactory
    from waffle import flag_is_active

    request = RequestFactory().get("/")
    while True:
        for _ in range(20):
            answers[number] = bool(flag_is_active(request, FLAG))
        time.sleep(0.001)


def _measured(flag: Any, answers: "Array[c_bool]") -> dict[str, Any]:
    kills, stuck = [], 0
    for _ in range(KILLS):
        _begin_on(flag, answers)
        committing_at = time.monotonic()
        _save(flag, on=False)
        kills.append(time.monotonic() - committing_at if _all(answers, on=False) else None)
    for _ in range(TRIALS):
        _begin_on(flag, answers)
        _save(flag, on=True)
        time.sleep(random.uniform(0, LONGEST_GAP))
        _save(flag, on=False)
        stuck += not _all(answers, on=False)
    return {"kills": kills, "stuck": stuck, "trials": TRIALS}


def _begin_on(flag: Any, answers: "Array[c_bool]") -> None:
    """LocMem belongs to one process and cannot be emptied from here: then they may stay off."""
    _save(flag, on=True)
    time.sleep(0.02)
    flag.flush()
    _all(answers, on=True)


def _save(flag: Any, *, on: bool) -> None:
    flag.everyone = on
    flag.save()


def _all(answers: "Array[c_bool]", *, on: bool) -> bool:
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        if all(answer == on for answer in answers):
            return True
        time.sleep(0.0005)
    return False


if __name__ == "__main__":
    main()
