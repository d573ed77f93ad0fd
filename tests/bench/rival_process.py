"""The process that answers with one of the rivals: its name in RIVAL, the school in RIVAL_SCHOOL.

Reads lines like `a functions 5`: the workload, the way, how often. Writes a line of JSON: the
seconds of each time, the number of queries, and the answer itself.
"""

import importlib
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import django

from tests.bench import workloads
from tests.bench.workloads import Answer, Workload

MODULES = {
    "appointment": "tests.bench.rival_appointment",
    "schedule": "tests.bench.rival_scheduler",
}


def main() -> None:
    # django-appointment writes its log to standard output, which is where we answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    logging.disable(logging.WARNING)
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    rival = importlib.import_module(MODULES[os.environ["RIVAL"]])
    # django-appointment ships no migrations; its tables are made from the models, after the users.
    call_command("migrate", verbosity=0)
    call_command("migrate", run_syncdb=True, verbosity=0)
    asked = {one.name: one for one in workloads.read(Path(os.environ["RIVAL_SCHOOL"]))}
    for one in asked.values():
        rival.fill(one)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    _tell(answers, "ready")
    for line in sys.stdin:
        name, way, times = line.split()
        _tell(answers, _asked(rival.ways()[way], asked[name], int(times)))


def _asked(way: Any, asked: Workload, times: int) -> dict[str, Any]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    taken = []
    answer: Answer = []
    for _ in range(times):
        start = time.perf_counter()
        answer = way(asked)
        taken.append(time.perf_counter() - start)
    if times:
        return {"seconds": taken, "answer": answer}
    with CaptureQueriesContext(connection) as captured:
        way(asked)
    return {"queries": len(captured)}


def _tell(answers: TextIO, what: Any) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
