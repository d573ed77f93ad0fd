"""Free slots beside the bare SQL, django-appointment and django-scheduler: the same teachers, hours
and lessons on one PostgreSQL server, asked in turn. All have to answer the same.
"""

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection
from psycopg.conninfo import make_conninfo

from rollback import switchboard
from tests.bench import schools, taught, workloads
from tests.bench.bare import Bare
from tests.bench.bare import answer as bare_answer
from tests.bench.figures import Row, ratio_at_least, ratio_at_most, span
from tests.bench.workloads import Answer, Workload

DATABASE = "rivals"
OURS, BARE = "ours", "bare SQL"
NOT_INSTALLED = "not run: `make bench` installs it"
NOT_RUN = "not run: it takes many minutes"


@dataclass(frozen=True, kw_only=True)
class Rival:
    """times: how often it is asked in each round of a workload; 0: in the first round once.

    goals: how many times as long as ours it takes at least.
    """

    app: str
    package: str
    way: str
    words: str
    times: Mapping[str, int]
    goals: Mapping[str, float]


RIVALS = (
    Rival(
        app="appointment",
        package="django-appointment",
        way="functions",
        words="django-appointment",
        times={"a": 2, "b": 1, "c": 0},
        goals={"a": 100, "b": 400},
    ),
    Rival(
        app="schedule",
        package="django-scheduler",
        way="sweep",
        words="django-scheduler, occurrences and a sweep",
        times={"a": 4, "b": 2, "c": 1},
        goals={"a": 8, "b": 20},
    ),
    Rival(
        app="schedule",
        package="django-scheduler",
        way="periods",
        words="django-scheduler, a Period for each slot",
        times={"a": 2, "b": 0},
        goals={},
    ),
)
ROUNDS = {"a": 15, "b": 8, "c": 4}
# Of ours and the bare SQL, in each round.
QUICK = {"a": 40, "b": 20, "c": 3}
BARE_GOALS = {"a": 1.5, "b": 1.5, "c": 1.0}


@dataclass
class Asked:
    """ask: so many times; what each took, and the last answer."""

    words: str
    ask: Callable[[int], tuple[list[float], Answer]]
    queries: Callable[[], int | None]
    times: int
    taken: list[float] = field(default_factory=list)

    @property
    def takes(self) -> float:
        # The quickest, as timeit advises: what slows one down is somebody else.
        return min(self.taken)


def rows(database_url: str, folder: Path) -> Iterator[Row]:
    asked = workloads.workloads(datetime.now(UTC).date())
    path = folder / "workloads.json"
    workloads.write(path, asked)
    with ExitStack() as stack:
        stack.enter_context(schools.inside(DATABASE))
        known = {one.name: taught.filled(one) for one in asked}
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        bare = Bare(make_conninfo(database_url, dbname=DATABASE))
        stack.callback(bare.close)
        processes = {
            app: stack.enter_context(_process(app, database_url, path))
            for app in dict.fromkeys(rival.app for rival in RIVALS)
            if importlib.util.find_spec(app)
        }
        for one in asked:
            yield from _compared(one, known[one.name], bare, processes)
    switchboard.board.stop()


def _compared(
    asked: Workload,
    known: taught.Taught,
    bare: Bare,
    processes: Mapping[str, Callable[[str], dict[str, Any]]],
) -> Iterator[Row]:
    ours = Asked(
        OURS, partial(taught.seconds, asked, known), partial(taught.queries, asked, known), 0
    )
    sql = Asked(BARE, partial(_bare, asked, known, bare), lambda: 1, 0)
    ours.times = sql.times = QUICK[asked.name]
    others = {
        rival.words: _rival(rival, asked, processes[rival.app])
        for rival in RIVALS
        if rival.app in processes and asked.name in rival.times
    }
    _in_turn(asked, [ours, sql, *others.values()])
    yield ratio_at_most(
        f"free slots: {asked.words}",
        ours.takes / sql.takes,
        BARE_GOALS[asked.name],
        ours=f"{span(ours.takes)}, {ours.queries()} queries",
        beside=f"bare SQL {span(sql.takes)}",
    )
    for rival in RIVALS:
        yield _beside(rival, asked, ours, others.get(rival.words), installed=rival.app in processes)


def _in_turn(asked: Workload, everybody: Sequence[Asked]) -> None:
    """:raises RuntimeError: they do not answer the same."""
    answers: dict[str, Answer] = {}
    for one in everybody:
        if one.times:
            one.ask(1)  # to warm up
    for number in range(ROUNDS[asked.name]):
        for one in everybody:
            if one.times or not number:
                seconds, answers[one.words] = one.ask(max(1, one.times))
                one.taken += seconds
    for words, answer in answers.items():
        if answer != answers[OURS]:
            raise RuntimeError(f"{words} answers workload {asked.name} in another way than ours.")
    if not any(answers[OURS]):
        raise RuntimeError(f"Nothing is free in workload {asked.name}.")


def _beside(
    rival: Rival, asked: Workload, ours: Asked, other: Asked | None, *, installed: bool
) -> Row:
    what = f"  beside {rival.words}"
    if other is None:
        return Row(what=what, ours="", beside=NOT_RUN if installed else NOT_INSTALLED)
    version = importlib.metadata.version(rival.package)
    beside = f"{version}: {span(other.takes)}, {other.queries() or 'uncounted'} queries"
    ratio = other.takes / ours.takes
    if goal := rival.goals.get(asked.name):
        return ratio_at_least(what, ratio, goal, ours=span(ours.takes), beside=beside)
    return Row(what=what, ours=span(ours.takes), beside=beside, ratio=f"{ratio:,.0f} ×")


def _bare(
    asked: Workload, known: taught.Taught, bare: Bare, times: int
) -> tuple[list[float], Answer]:
    teachers = [teacher.pk for teacher in known.teachers]
    taken = []
    found: list[tuple[int, int]] = []
    for _ in range(times):
        start = time.perf_counter()
        found = bare.starts(asked, teachers)
        taken.append(time.perf_counter() - start)
    return taken, bare_answer(found, teachers)


def _rival(rival: Rival, asked: Workload, ask: Callable[[str], dict[str, Any]]) -> Asked:
    def times(count: int) -> tuple[list[float], Answer]:
        told = ask(f"{asked.name} {rival.way} {count}")
        return told["seconds"], told["answer"]

    def queries() -> int | None:
        # To count them costs one more time.
        return (
            int(ask(f"{asked.name} {rival.way} 0")["queries"]) if rival.times[asked.name] else None
        )

    return Asked(rival.words, times, queries, rival.times[asked.name])


@contextmanager
def _process(app: str, database_url: str, path: Path) -> Iterator[Callable[[str], dict[str, Any]]]:
    """:returns: asks it one line and reads one of JSON."""
    database = f"rival_{app}"
    with psycopg.connect(database_url, autocommit=True) as made:
        made.execute(f"CREATE DATABASE {database}")
    env = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.bench.rival_settings",
        "RIVAL": app,
        "RIVAL_DATABASE_URL": make_conninfo(database_url, dbname=database),
        "RIVAL_SCHOOL": str(path),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.rival_process"],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asks, answers = process.stdin, process.stdout

        def told() -> Any:
            line = answers.readline()
            if not line:
                raise RuntimeError(f"The process of {app} ended; its reason stands above.")
            return json.loads(line)

        def ask(line: str) -> dict[str, Any]:
            asks.write(f"{line}\n")
            asks.flush()
            answer: dict[str, Any] = told()
            return answer

        told()  # it is ready
        yield ask
        asks.close()
