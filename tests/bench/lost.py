"""What a part of the school costs while it is down or hangs: the pages of a whole school of real servers,
before and meanwhile. Without PostgreSQL there is only what asks it nothing.
"""

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from config.local import database
from tests.bench.figures import Row, at_most, median, percentile, span
from tests.rollback import lost_school
from tests.rollback.lost_school import School
from tests.rollback.others import eventually, frozen

ASKED, WARM_UP, GOAL = 400, 40, 0.005
CALENDAR, LOGIN = "/calendar/", "/accounts/login/"
HOW = {"down": signal.SIGKILL, "hanging": signal.SIGSTOP}
BACK = 60.0


def rows(folder: Path) -> Iterator[Row]:
    with lost_school.school(_made(folder / "lost")) as school:
        assert eventually(lambda: school.ask(CALENDAR).status == 200, within=BACK)
        if shutil.which("redis-server") is None:
            yield Row(what="lost: Redis", ours="not run: no redis-server here")
        else:
            for name, how in HOW.items():
                with lost_school.redis(school.redis_port) as server:
                    yield _row(
                        f"Redis {name}", school, CALENDAR, lambda s=server, h=how: _end(s, h)
                    )
        for name, how in HOW.items():
            with _worker_and_beat(school, folder) as both:
                yield _row(
                    f"worker and beat {name}",
                    school,
                    CALENDAR,
                    lambda b=both, h=how: _end_all(b, h),
                )
        with ExitStack() as afterwards:
            yield _row(
                "PostgreSQL hanging",
                school,
                LOGIN,
                lambda: afterwards.enter_context(frozen(school.data_dir)),
            )
        assert eventually(lambda: school.ask(CALENDAR).status == 200, within=BACK)
        yield _row("PostgreSQL down", school, LOGIN, lambda: database.stop(school.data_dir))
        database.ensure_running(school.data_dir, database.THROWAWAY)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _row(what: str, school: School, path: str, lose: object) -> Row:
    before = _asked(school, path)
    lose()  # type: ignore[operator]
    _asked(school, path, times=WARM_UP)
    lost = _asked(school, path)
    added = percentile(lost, 99) - percentile(before, 99)
    return at_most(
        f"lost: {what}, {path}",
        added,
        GOAL,
        ours=f"p50 {span(median(lost))}, p99 {span(percentile(lost, 99))}",
        goal_words="5 ms added (p99)",
        beside=f"p50 {span(median(before))}, p99 {span(percentile(before, 99))}",
    )


def _asked(school: School, path: str, *, times: int = ASKED) -> list[float]:
    who = "" if path == LOGIN else "student"
    answers = [school.ask(path, who=who) for _ in range(times)]
    wrong = {answer.status for answer in answers} - {200}
    assert not wrong, f"{path}: {wrong}"
    return [answer.seconds for answer in answers]


def _end_all(processes: list[object], how: signal.Signals) -> None:
    for one in processes:
        _end(one, how)


def _end(process: object, how: signal.Signals) -> None:
    os.killpg(process.pid, how)  # type: ignore[attr-defined]


@contextmanager
def _worker_and_beat(school: School, folder: Path) -> Iterator[list[object]]:
    celery = [sys.executable, "-m", "celery", "-A", "config"]
    worker = "worker -P threads --concurrency 1 --without-gossip --without-mingle"
    env = {"DATABASE_URL": database.url(school.data_dir), "CELERY_BROKER_URL": ""}
    with (
        lost_school.started([*celery, *worker.split()], **env, PGAPPNAME="bench worker") as one,
        lost_school.started([*celery, "beat", "-s", str(folder / "beat")], **env) as other,
    ):
        listed = "SELECT FROM pg_stat_activity WHERE application_name = %s"
        assert eventually(lambda: bool(school.rows(listed, "bench worker")), within=BACK)
        yield [one, other]
