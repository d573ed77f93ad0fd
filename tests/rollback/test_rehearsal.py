"""The rehearsal itself: whole, on the sample school; and what it does when something goes wrong."""

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import StringIO
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from django.core.management import CommandError, call_command
from psycopg import sql
from psycopg.conninfo import make_conninfo

from config.local import browser as chromium
from config.local.place import BASE_DIR
from enrollment.models import Course, User
from rollback.models import Backup, Rehearsal
from rollback.rehearsing import carrying
from rollback.rehearsing.steps import STEPS, Step
from rollback.schema import graph
from rollback.schema.fingerprint import Fingerprint, fingerprint
from tests.rollback.others import address_of_this_test, eventually, other_session

pytestmark = pytest.mark.xdist_group("rehearsal")

LONGEST = (
    180.0  # seconds, on a machine that has nothing else to do; else as much more as others want
)
COMPUTING = 90.0
OWN = ("public.rollback_rehearsal", "public.rollback_backup")


# ---------------------------------------------------------------- whole, on the sample school
class School:
    def __init__(self, address: str, var: Path) -> None:
        self.address, self.var = address, var
        self.env = os.environ | {
            "DATABASE_URL": address,
            "SCHOOL_VAR": str(var),
            "LOG_LEVEL": "ERROR",
            "PYTHONPATH": str(BASE_DIR),
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "manage.py", *words],
            env=self.env,
            cwd=BASE_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.address) as connection:
            return connection.execute(query.encode()).fetchall()

    def copies_of(self, pid: int) -> list[str]:
        return [name for (name,) in self.rows(COPIES) if f"_{pid}_" in name]


COPIES = "SELECT datname FROM pg_database WHERE starts_with(datname, 'school_scratch_')"


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    server, name = os.environ["DATABASE_URL"], f"rehearsal_{secrets.token_hex(6)}"

    def at_server(statement: str) -> None:
        with psycopg.connect(server, dbname="postgres", autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))

    at_server("CREATE DATABASE {}")
    with ExitStack() as stack:
        stack.callback(at_server, "DROP DATABASE {} WITH (FORCE)")
        found = School(make_conninfo(server, dbname=name), tmp_path_factory.mktemp("rehearsal"))
        with found.start("setup", "--sample") as setup:
            said, _nothing = setup.communicate(timeout=300)
        assert setup.returncode == 0, said
        yield found


def without_own(found: Fingerprint) -> dict[str, Any]:
    return {name: digest for name, digest in found.tables.items() if name not in OWN}


def test_killed_and_then_whole_on_the_sample_school(school: School) -> None:
    before = fingerprint(school.address)
    pid = killed_in_the_middle(school)
    assert school.copies_of(pid)

    with school.start("rollback", "rehearse") as rehearsal:
        said, _nothing = rehearsal.communicate(timeout=10 * LONGEST)
    assert rehearsal.returncode == 0, said
    assert "The copy of a killed run was dropped" in said
    assert not school.copies_of(pid)
    assert not school.copies_of(rehearsal.pid)
    how = "A student came with Chromium" if chromium.find() else "asked in process"
    assert how in said
    for step in STEPS:
        assert re.search(rf"^{re.escape(str(step.title))}: done, [\d.]+ s\.", said, re.MULTILINE)

    after = fingerprint(school.address)
    assert without_own(after) == without_own(before)
    assert after.catalog == before.catalog
    its_row_and_papers(school)


def killed_in_the_middle(school: School) -> int:
    """kill -9, while a step is done on the copy. :returns: whose copy it was"""
    with school.start("rollback", "rehearse") as rehearsal:
        assert rehearsal.stdout is not None
        said = []
        for line in rehearsal.stdout:
            said.append(line)
            if line.startswith("Copy made ready: all features on …"):
                break
        assert "There was no verified backup, so one was made first." in "".join(said)
        [child] = psutil.Process(rehearsal.pid).children()
        rehearsal.kill()
    assert eventually(lambda: not child.is_running(), within=20)
    return rehearsal.pid


def its_row_and_papers(school: School) -> None:
    killed, last = school.rows(
        "SELECT passed, error, graph, figures, report, picture,"
        " extract(epoch FROM finished_at - started_at) FROM rollback_rehearsal ORDER BY id"
    )
    assert killed[:2] == (False, "It was killed.")
    passed, error, about, figures, report, picture, seconds = last
    assert (passed, error, about) == (True, "", graph.migration_graph_hash())
    assert seconds < LONGEST * max(1.0, os.getloadavg()[1] / (os.cpu_count() or 1))
    assert sum(one["facts"].get("computed", 0) for one in figures["steps"]) < COMPUTING
    assert set(figures) >= {"3", "2", "1", "0", "forecast", "steps"}
    assert figures["1"]["rows"] > 100
    assert figures["1"]["seconds"] > figures["1"]["catalog"] > 0
    shares = next(one for one in figures["steps"] if one["name"] == "flags")["facts"]["shares"]
    on = [one["on"] for one in shares]
    assert on[0] == shares[0]["of"]
    assert on == sorted(on, reverse=True)
    assert on[-1] == 0

    [certificate] = (school.var / "rehearsals").glob("*.json")
    told = json.loads(certificate.read_text())
    assert (told["passed"], told["migrations"]) == (True, about)
    assert told["phases"]["1"] == figures["1"]
    assert not (school.var / "rehearsals" / "rehearsal.log").exists(), "it passed"
    page = certificate.with_suffix(".html").read_text()
    assert picture in page
    assert "<script" not in page
    assert certificate.with_suffix(".md").read_text() == report


# ---------------------------------------------------------------- what goes wrong
READY, REMEMBER, COMPARE = (
    next(one for one in STEPS if one.name == name) for name in ("ready", "remember", "compare")
)


@pytest.fixture
def desk(
    flag_rows: None,
    transactional_db: Any,
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., None]]:
    """This test's database, with a folder of its own; and a way to do only some of the steps."""
    settings.VAR, settings.BACKUP_DIR = tmp_path, tmp_path / "backups"
    Course.objects.create(title="Violin", slug="violin")
    User.objects.create_user("anna@school.example", "correct horse")
    before = fingerprint(address_of_this_test())

    def only(*steps: Step) -> None:
        monkeypatch.setattr(carrying, "STEPS", steps)

    yield only
    assert without_own(fingerprint(address_of_this_test())) == without_own(before)
    assert not copies()


def copies() -> list[str]:
    """Of this process: other tests make theirs."""
    with other_session() as session:
        return [
            name for (name,) in session.execute(COPIES).fetchall() if f"_{os.getpid()}_" in name
        ]


def in_the_copy() -> str:
    [name] = copies()
    return make_conninfo(address_of_this_test(), dbname=name)


def rehearse(at: str = "", do: Callable[[], Any] = lambda: None) -> str:
    """at: with this line, `do` is done. :returns: what is said of the failure"""

    class Listening(StringIO):
        def write(self, text: str) -> int:
            if at and text.startswith(at):
                do()
            return super().write(text)

    with pytest.raises(CommandError) as failed:
        call_command("rollback", "rehearse", stdout=Listening())
    return str(failed.value)


def test_a_row_that_changed_in_the_copy_fails_it_and_is_named(desk: Callable[..., None]) -> None:
    def change() -> None:
        with psycopg.connect(in_the_copy()) as session:
            session.execute("UPDATE enrollment_course SET title = 'Viola'")
            found = session.execute("SELECT email, left(password, 1) FROM enrollment_user")
            assert found.fetchall() == [("anna@school.example", "!")]

    desk(READY, REMEMBER, COMPARE)
    said = rehearse(at="Fingerprints compared …", do=change)
    assert "public.enrollment_course: as many rows as expected (1), but not the same" in said
    made = Rehearsal.objects.get()
    assert (made.passed, made.finished_at is not None) == (False, True)
    assert "enrollment\\_course" in made.report
    assert "Copy dropped" in made.picture


def test_a_step_that_hangs_is_ended_and_the_rest_left_out(desk: Callable[..., None]) -> None:
    with ExitStack() as held:

        def lock() -> None:
            session = psycopg.connect(in_the_copy())
            held.callback(session.close)
            session.execute("LOCK TABLE enrollment_course IN ACCESS EXCLUSIVE MODE")

        desk(READY, Step(name="remember", title="Fingerprint", limit=1), COMPARE)
        said = rehearse(at="Fingerprint …", do=lock)
    assert "Fingerprint: It hung: no end within 1 s." in said
    states = [(one["name"], one["state"]) for one in Rehearsal.objects.get().figures["steps"]]
    assert states == [
        ("restore", "done"),
        ("ready", "done"),
        ("remember", "failed"),
        ("compare", "left out"),
        ("drop", "done"),
    ]


def test_a_restore_that_hangs_is_ended_too(
    desk: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk(READY, REMEMBER)
    short = Step(name="restore", title="Backup restored into a copy", limit=0.2)
    monkeypatch.setattr(carrying, "RESTORING", short)
    assert "Backup restored into a copy: It hung: no end within 0.2 s." in rehearse()
    states = [(one["name"], one["state"]) for one in Rehearsal.objects.get().figures["steps"]]
    assert states == [("restore", "failed"), ("ready", "left out"), ("remember", "left out")]


def test_a_backup_that_is_damaged_is_not_rehearsed(
    desk: Callable[..., None], tmp_path: Path
) -> None:
    desk(READY)
    call_command("rollback", "rehearse", stdout=StringIO())
    [dump] = tmp_path.glob("backups/*.dump")
    whole = dump.read_bytes()
    dump.write_bytes(whole[:-1000] + bytes(1000))
    with pytest.raises(CommandError, match="is not what it was when it was proved"):
        call_command("rollback", "rehearse", "--from", dump.name, stdout=StringIO())
    with pytest.raises(CommandError, match="no receipt"):
        call_command("rollback", "rehearse", "--from", "never-made.dump", stdout=StringIO())
    # Without being told which, another one is made.
    call_command("rollback", "rehearse", stdout=StringIO())
    assert Backup.objects.filter(status=Backup.Status.VERIFIED).count() >= 1
    assert Rehearsal.objects.filter(passed=True).count() == 2


def test_two_at_once_are_one_too_many(desk: Callable[..., None]) -> None:
    desk(READY)
    with other_session(autocommit=True) as session:
        session.execute("SELECT pg_advisory_lock(%s)", [carrying.CLAIM])
        assert "Another rehearsal is going on" in rehearse()
    assert not Rehearsal.objects.exists()


def test_what_cannot_be_typed_is_said() -> None:
    for typed in ("much", "0", "-1", "1000"):
        with pytest.raises(CommandError, match=r"0\.1 to 100"):
            call_command("rollback", "rehearse", "--patience", typed, stdout=StringIO())
