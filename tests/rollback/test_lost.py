"""A part of the school is lost, stopped or frozen: what people notice of it. Real servers, all of them."""

import html
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from config.local import database
from tests.rollback import lost_school
from tests.rollback.lost_school import School, redis, started
from tests.rollback.others import MASTER, eventually, frozen, stop_at_once

pytestmark = [pytest.mark.xdist_group("propagation")]

CALENDAR = "/calendar/"
LOGIN = "/accounts/login/"
STATUS, OLD = "/status/", "cannot be brought up to date at the moment"
# Seconds. A page waits five for an answer and three for a connection; these machines are busy.
BOUNDED, AT_ONCE, BACK = 20.0, 3.0, 40.0
WAITING = 1.0  # whoever waits for a lost part does so for longer
TYPED = "I have played for two years.\n<b>“Mondays”</b> & after four"


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    with lost_school.school(tmp_path_factory.mktemp("lost")) as made:
        yield made


@pytest.fixture(autouse=True)
def everything_on(school: School) -> None:
    """In both workers: one that nobody has asked yet holds nothing, and loses nothing."""
    school.restore()
    assert eventually(
        lambda: school.ask(CALENDAR).status == 200 and listed(school) == 2, within=BACK
    )
    assert school.eventually(CALENDAR, 200, within=BACK)


@contextmanager
def stopped(data_dir: Path, stop: Callable[[Path], None]) -> Iterator[None]:
    stop(data_dir)
    try:
        yield
    finally:
        database.ensure_running(data_dir, database.THROWAWAY)


LOST: dict[str, Callable[[Path], AbstractContextManager[None]]] = {
    "stopped": lambda data_dir: stopped(data_dir, database.stop),
    "killed": lambda data_dir: stopped(data_dir, stop_at_once),
    "frozen": frozen,
}


@pytest.mark.parametrize("lose", LOST.values(), ids=LOST)
def test_a_lost_database_is_a_page_that_gives_back_what_was_sent(
    school: School, lose: Callable[[Path], AbstractContextManager[None]]
) -> None:
    form = f"/courses/{school.another_course()}/enroll/"
    assert school.ask(form).status == 200
    trips_before, said_before = len(trips(school)), said(school)
    with lose(school.data_dir):
        answer = school.ask(form, fields={"note": TYPED}, **{"Accept-Language": "de"})
        assert answer.seconds < BOUNDED
        expect_page(answer)
        assert given_back(answer.text)["note"] == TYPED
        expect_problem(school.ask("/api/v1/availability/teachers/"))
        for path in ("/", form, CALENDAR, "/admin/"):
            expect_page(school.ask(path))
        # Each worker has found out by itself, and nobody waits any more.
        assert eventually(lambda: said(school) == said_before + 2, within=BOUNDED)
        assert eventually(lambda: nobody_waits(school, form), within=BOUNDED)
        assert school.ask(LOGIN, who="").status == 200, "what asks nothing answers"
    fields = given_back(answer.text)
    assert school.eventually(form, 200, within=BACK)
    assert school.ask(form, fields=fields).status == 302
    assert notes(school, form) == [TYPED]
    assert school.eventually(CALENDAR, 200, within=BACK), "on again by itself"
    made = trips(school)[trips_before:]
    assert len({uuid for uuid, *_ in made}) == len(made) == 2, "each of the two workers, once"
    assert all(failures >= 3 and lasted > 0 for _, failures, lasted in made)


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_the_status_page_says_how_old_it_is(school: School, how: str) -> None:
    assert school.ask(STATUS, who="").status == 200
    with LOST[how](school.data_dir):
        time.sleep(1.5)  # longer than lost_wsgi.py lets it count as of now
        answers = [school.ask(STATUS, who="") for _ in range(20)]
        assert {answer.status for answer in answers} == {200}
        assert OLD in answers[-1].text
        assert "Parts of the school" in answers[-1].text
        assert not any("set-cookie" in answer.headers for answer in answers)
        taken = sorted(answer.seconds for answer in answers)
        # In each worker one finds it out, and now and then one tries again.
        assert taken[-1] < BOUNDED
        assert taken[len(taken) // 2] < WAITING
        assert json.loads(school.ask(f"{STATUS}index.json").text)["is_current"] is False
        assert school.ask(f"{STATUS}feed.atom").status == 200
    assert eventually(lambda: OLD not in school.ask(STATUS).text, within=BACK)


def test_while_it_comes_back_the_features_stay_off_for_a_moment(school: School) -> None:
    """So that a database that comes and goes does not take them along each time."""
    with stopped(school.data_dir, stop_at_once):
        time.sleep(2.0)
    seen: list[int] = []
    deadline = time.monotonic() + BACK
    while seen[-6:] != [200] * 6 and time.monotonic() < deadline:
        seen.append(school.ask(CALENDAR).status)
        time.sleep(0.05)
    assert set(seen) <= {503, 303, 200}
    # Two workers: each first lost, then off, then on.
    assert 303 in seen
    assert seen[-6:] == [200] * 6


def test_one_connection_that_is_cut_trips_nobody(school: School) -> None:
    before = len(trips(school))
    school.rows(
        "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    time.sleep(0.5)
    for _ in range(10):
        assert school.ask(CALENDAR).status == 200
    assert len(trips(school)) == before


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["down", "hanging"])
def test_a_lost_redis_costs_no_page_and_no_kill(school: School, how: signal.Signals) -> None:
    with redis(school.redis_port) as server:
        os.killpg(server.pid, how)
        expect_as_ever(school)
        assert not school.talks_to_redis(), "no page and no flag needs it"
        # Whoever enrolls is heard, though nobody takes the mail; beat finds the row.
        form = f"/courses/{school.another_course()}/enroll/"
        enrolled = school.ask(form, fields={"note": TYPED})
        assert enrolled.status == 302
        assert enrolled.seconds < BOUNDED


def test_lost_workers_and_a_lost_beat_cost_no_page_and_no_kill(
    school: School, tmp_path: Path
) -> None:
    celery = [sys.executable, "-m", "celery", "-A", "config"]
    worker = "worker -P threads --concurrency 1 --without-gossip --without-mingle"
    env = {"DATABASE_URL": database.url(school.data_dir), "CELERY_BROKER_URL": ""}
    with (
        started([*celery, *worker.split()], **env, PGAPPNAME="lost worker") as one,
        started([*celery, "beat", "-s", str(tmp_path / "beat")], **env) as other,
    ):
        assert eventually(lambda: connections_of(school, "lost worker") > 0, within=BACK)
        assert eventually(lambda: any(tmp_path.iterdir()), within=BACK)
        for how in (signal.SIGSTOP, signal.SIGKILL):
            for process in (one, other):
                os.killpg(process.pid, how)
            expect_as_ever(school)
            school.restore()
            assert school.eventually(CALENDAR, 200, within=BACK)


def test_when_most_processes_lost_it_the_features_are_taken_away_for_everybody(
    school: School,
) -> None:
    """The last of these tests: nobody resolves the incident."""
    school.change("UPDATE rollback_trigger SET is_enabled = true WHERE name = 'database'")
    trips_before, said_before = len(trips(school)), said(school)
    with stopped(school.data_dir, database.stop):
        assert eventually(lambda: said(school) == said_before + 2, within=BOUNDED)
    assert school.eventually("/", 200, within=BACK)
    assert eventually(lambda: len(trips(school)) == trips_before + 2, within=BACK)
    # No more than the verdicts: the verification after it is tested elsewhere.
    school.run(
        "from rollback import aftermath, evaluate; aftermath.look = lambda *, by: None;"
        " evaluate.tick(by='a test')"
    )
    opened = school.rows("SELECT kind, trigger_name FROM rollback_incident")
    assert opened == [("database", "database")]
    assert school.rows("SELECT everyone FROM rollback_flag WHERE name = %s", MASTER) == [(False,)]
    time.sleep(3.0)  # longer than lost_wsgi.py keeps them off
    assert school.eventually(CALENDAR, 303, within=AT_ONCE)


# ---------------------------------------------------------------- what is looked at


def trips(school: School) -> list[tuple[object, int, float]]:
    return school.rows(
        "SELECT uuid, failures, extract(epoch FROM back_at - tripped_at)::float"
        " FROM rollback_localtrip ORDER BY id"
    )


def listed(school: School) -> int:
    [(number,)] = school.rows("SELECT count(*) FROM rollback_process WHERE kind = 'web'")
    return int(number)


def said(school: School) -> int:
    return school.log.read_text().count("trips.tripped")


def notes(school: School, form: str) -> list[str]:
    query = """SELECT note FROM enrollment_enrollment e JOIN enrollment_course c ON c.id = course_id
                WHERE slug = %s"""
    return [note for (note,) in school.rows(query, form.split("/")[2])]


def connections_of(school: School, application: str) -> int:
    return len(school.rows("SELECT FROM pg_stat_activity WHERE application_name = %s", application))


def expect_page(answer: lost_school.Answer) -> None:
    assert answer.status == 503, answer.text[:500]
    assert answer.headers["retry-after"] == "10"
    assert "content-security-policy" in answer.headers
    assert "data-lost" in answer.text
    assert "sessionid" not in answer.headers.get("set-cookie", "")


def expect_problem(answer: lost_school.Answer) -> None:
    assert answer.status == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "10"
    assert json.loads(answer.text)["status"] == 503


def nobody_waits(school: School, path: str) -> bool:
    return all(school.ask(path).seconds < AT_ONCE for _ in range(8))


def given_back(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}


def expect_as_ever(school: School) -> None:
    """No page waits for what is lost, which would be seconds, and the kill works and is quick."""
    taken = school.asked_often("/")
    assert taken[len(taken) // 2] < WAITING
    assert sum(one > WAITING for one in taken) <= 2, "a busy machine may make one or two wait"
    assert school.ask(CALENDAR).status == 200
    killed = school.ask(
        "/admin/rollback/flag/kill-everything/",
        who="admin",
        fields={"reason": "a test", "word": "everything"},
    )
    assert killed.status == 302, killed.text[:2000]
    assert killed.seconds < BOUNDED
    assert school.eventually(CALENDAR, 303, within=AT_ONCE)
    assert school.ask("/").status == 200
