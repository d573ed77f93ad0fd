"""The rehearsal's parts: what a certificate says, what its process may know, what is drawn and written."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone

from config import rehearsal
from config.local.place import BASE_DIR
from enrollment.models import User
from enrollment.models.tokens import ApiToken
from rollback import switchboard
from rollback.domain.shares import FlagState, Snapshot, Subject
from rollback.models import Rehearsal
from rollback.rehearsing import (
    certificate,
    helper,
    papers,
    prints,
    ready,
    report,
    shares,
    surroundings,
)
from rollback.rehearsing.helper import Helper, HelperGone, StepFailed
from rollback.rehearsing.picture import picture
from rollback.rehearsing.steps import DONE, FAILED, LEFT_OUT, STEPS, Result
from rollback.rehearsing.surroundings import NotTheCopy
from rollback.schema import graph
from rollback.schema.digest import Digest
from rollback.schema.fingerprint import Fingerprint
from tests.conftest import Switches
from tests.rollback.others import address_of_this_test

SVG = "{http://www.w3.org/2000/svg}"


# ---------------------------------------------------------------- the migrations' hash
@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for app in ("one", "two"):
        folder = tmp_path / app / "migrations"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        (folder / "0001_first.py").write_text(f"# {app}\n")
    monkeypatch.setattr(graph, "own_apps", lambda: ["one", "two"])
    monkeypatch.setattr(
        apps, "get_app_config", lambda label: SimpleNamespace(path=tmp_path / label)
    )
    return tmp_path


def test_the_hash_changes_with_a_name_and_with_a_content_and_with_nothing_else(
    migrations: Path,
) -> None:
    before = graph.migration_graph_hash()
    first = migrations / "one" / "migrations" / "0001_first.py"
    (migrations / "one" / "migrations" / "__pycache__").mkdir()
    (migrations / "one" / "migrations" / "_notes.py").write_text("no migration")
    first.write_bytes(b"# one\r\n")
    assert graph.migration_graph_hash() == before

    first.write_text("# one, changed\n")
    changed = graph.migration_graph_hash()
    first.write_text("# one\n")
    first.rename(first.with_name("0001_other.py"))
    renamed = graph.migration_graph_hash()
    assert len({before, changed, renamed}) == 3


def test_the_hash_is_of_our_own_apps_alone() -> None:
    assert set(graph.own_apps()) >= {"enrollment", "holidays", "rollback", "scheduling"}
    assert not {"auth", "account", "knox"} & set(graph.own_apps())


# ---------------------------------------------------------------- the certificate
def rehearsed(*, days: float = 0, **fields: Any) -> Rehearsal:
    made = {"graph": graph.migration_graph_hash(), "backup": "school.dump", "passed": True}
    finished = timezone.now() - timedelta(days=days)
    return Rehearsal.objects.create(**made | {"finished_at": finished} | fields)


@pytest.mark.django_db
def test_without_a_rehearsal_that_passed_there_is_a_warning() -> None:
    now = timezone.now()
    assert "never been rehearsed" in certificate.certificate_warning(now)
    rehearsed(passed=False)
    rehearsed(passed=None, finished_at=None)
    assert "never been rehearsed" in certificate.certificate_warning(now)


@pytest.mark.django_db
def test_a_week_later_or_with_other_migrations_it_says_nothing_more() -> None:
    now = timezone.now()
    rehearsed(days=6.9)
    assert certificate.certificate_warning(now) == ""
    assert "7 days old" in certificate.certificate_warning(now + timedelta(days=0.5))
    rehearsed(graph="0" * 64)
    assert "other migrations" in certificate.certificate_warning(now)


def test_from_a_few_rows_no_million_is_foretold() -> None:
    few = certificate.forecast({"seconds": 1.5, "catalog": 0.5, "counting": 0.9, "rows": 5_000})
    assert few == {"constant": 1.5, "per_million": None, "rows": 5_000, "is_rough": True}
    many = certificate.forecast(
        {"seconds": 5.5, "catalog": 0.5, "counting": 4.0, "rows": 2_000_000}
    )
    assert (many["constant"], many["per_million"], many["is_rough"]) == (1.5, 2.0, False)


# ---------------------------------------------------------------- what the child may know
def test_no_secret_of_the_school_is_handed_to_the_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.BASE_DIR = tmp_path
    (tmp_path / ".env").write_text(
        "SECRET_KEY=from-the-file\n# A comment=1\nexport PAYMENT_TOKEN = 'from-the-file'\nTIME_ZONE=UTC\n"
    )
    secrets = {"SECRET_KEY": "s", "EMAIL_URL": "smtp://u:p@mails", "BACKUP_KEY": "b", "SMS": "t"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TIME_ZONE", "America/Lima")
    env = surroundings.of_child(
        url="postgresql:///copy", name="copy", system="1", real="school", folder=tmp_path
    )
    assert (env["EMAIL_URL"], env["CELERY_BROKER_URL"]) == ("dummymail://", "memory://")
    assert env["SECRET_KEY"] not in ("s", "from-the-file")
    assert len(env["SECRET_KEY"]) >= 50
    assert not {"BACKUP_KEY", "SMS"} & set(env)
    assert env["REHEARSAL_NICE"] == "0"
    settings.PRODUCTION = True
    beside = surroundings.of_child(
        url="postgresql:///copy", name="copy", system="1", real="school", folder=tmp_path
    )
    assert (beside["REHEARSAL_NICE"], beside["SCHOOL_ENV"]) == ("10", "desk")
    # Set, though to nothing: else the child would read them from .env.
    assert env["PAYMENT_TOKEN"] == ""
    assert env["TIME_ZONE"] == "America/Lima"


@pytest.mark.parametrize(
    ("database", "system"),
    [("school", "1"), ("other", "1"), ("copy", "2")],
    ids=["the school's own", "another database", "another server"],
)
def test_whoever_is_not_in_the_copy_stops(database: str, system: str) -> None:
    environ = {"REHEARSAL_DATABASE": "copy", "REHEARSAL_SYSTEM": "1"}
    environ["REHEARSAL_REAL_DATABASE"] = "school"
    surroundings.check(database="copy", system="1", environ=environ)
    with pytest.raises(NotTheCopy, match="Nothing was written"):
        surroundings.check(database=database, system=system, environ=environ)
    with pytest.raises(NotTheCopy):
        surroundings.check(database="copy", system="1", environ={})


@pytest.fixture
def child_env(transactional_db: Any, tmp_path: Path) -> dict[str, str]:
    """As if this test's database were a copy."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), system_identifier FROM pg_control_system()")
        name, system = cursor.fetchone()
    return surroundings.of_child(
        url=address_of_this_test(), name=name, system=str(system), real="school", folder=tmp_path
    )


@pytest.mark.xdist_group("rehearsal")
def test_a_child_in_the_wrong_database_does_not_even_begin(
    child_env: dict[str, str], tmp_path: Path
) -> None:
    env = child_env | {"REHEARSAL_DATABASE": "copy"}
    with (
        Helper(env=env, log=tmp_path / "log", say=print) as child,
        pytest.raises(StepFailed, match="not to its copy “copy”"),
    ):
        child.ready()


@pytest.mark.xdist_group("rehearsal")
def test_a_child_that_hangs_is_ended_and_one_that_died_is_told(
    child_env: dict[str, str], tmp_path: Path
) -> None:
    with (
        Helper(env=child_env | {"REHEARSAL_NICE": "3"}, log=tmp_path / "log", say=print) as child,
        psycopg.connect(address_of_this_test()) as other,
    ):
        child.ready()
        assert psutil.Process(child._process.pid).nice() == min(19, psutil.Process().nice() + 3)
        assert child.do("remember", seconds=60)["tables"] > 50
        with pytest.raises(StepFailed, match="KeyError"):
            child.do("dance", seconds=60)
        other.execute("LOCK TABLE enrollment_course IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(HelperGone, match=r"no end within 0\.5 s"):
            child.do("remember", seconds=0.5)
        assert child._process.poll() is not None
        with pytest.raises(HelperGone, match="ended"):
            child.do("remember", seconds=5)


@pytest.mark.xdist_group("rehearsal")
@pytest.mark.parametrize("served", ["config.wsgi", "config.asgi", "config.celery"])
def test_whatever_is_started_for_a_rehearsal_works_in_the_copy_alone(
    served: str, child_env: dict[str, str]
) -> None:
    """The copy's web server too; and it does not work when it is asked again."""
    script = f"""
import {served}
import django
django.setup()
from django.db import connection
from enrollment.models import User
from rollback.rehearsing.surroundings import NotTheCopy
for _again in range(2):
    try:
        print("rows", User.objects.count())
    except NotTheCopy as refused:
        print("refused", connection.connection)
"""

    def ask(env: dict[str, str]) -> list[str]:
        run = subprocess.run(
            [sys.executable, "-c", script],
            env=env,
            cwd=BASE_DIR,
            capture_output=True,
            text=True,
            check=True,
        )
        return run.stdout.splitlines()

    assert ask(child_env | {"REHEARSAL_DATABASE": "copy"}) == ["refused None"] * 2
    if served == "config.wsgi":
        assert ask(child_env) == ["rows 0"] * 2


@pytest.mark.django_db
def test_nobody_of_the_school_can_sign_in_on_the_copy() -> None:
    anna = User.objects.create_user("anna@school.example", "correct horse")
    ApiToken.objects.create(user=anna, name="Her calendar")
    browser = Client()
    browser.force_login(anna)
    assert Session.objects.exists()
    assert "cannot sign in" in ready._locked_out()
    anna.refresh_from_db()
    assert not anna.has_usable_password()
    assert not Session.objects.exists()
    assert not ApiToken.objects.exists()


# ---------------------------------------------------------------- papers
@pytest.mark.django_db
def test_papers_are_nobody_elses_and_the_last_ten_are_kept(tmp_path: Path, settings: Any) -> None:
    settings.VAR = tmp_path
    (tmp_path / "rehearsals").mkdir(mode=0o755)
    (tmp_path / "rehearsals" / "notes.txt").touch()
    numbers = []
    for _number in range(12):
        log = papers.new_log()
        made = rehearsed(passed=False)
        papers.write(made, RESULTS)
        numbers.append(made.pk)
        assert log.exists(), "it says why"
    folder = papers.folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {one.stat().st_mode & 0o777 for one in folder.glob("rehearsal*")} == {0o600}
    kept = {f"rehearsal-{one}.{kind}" for one in numbers[2:] for kind in ("md", "html", "json")}
    assert {one.name for one in folder.iterdir()} == kept | {"notes.txt", "rehearsal.log"}
    papers.write(rehearsed(), RESULTS)
    assert not log.exists()


# ---------------------------------------------------------------- shares
SUBJECTS = [Subject(key=f"u:{number}", user_id=number) for number in range(1, 401)]


def snapshot(share: int, **state: Any) -> Snapshot:
    flag = FlagState(name="A", share=share, **state)
    return Snapshot(version=1, salt=b"a salt", flags={"A": flag})


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Snapshot]:
    found: list[Snapshot] = [snapshot(5_000)]
    monkeypatch.setattr(switchboard, "read_here", lambda: found[-1])
    return found


def test_half_is_about_half_and_nobody_may_go_the_other_way(read: list[Snapshot]) -> None:
    everybody = {one.user_id for one in SUBJECTS if one.user_id}
    half = read[0].users_with_any(["A"], SUBJECTS)
    step = shares._step(50, {"A": everybody}, {"A": half}, SUBJECTS)
    assert (step["on"], step["moved"]) == (len(half), 400 - len(half))
    with pytest.raises(StepFailed, match="some got it while others lost it"):
        shares._step(50, {"A": everybody - half}, {"A": half}, SUBJECTS)


def test_a_share_that_is_another_is_found(read: list[Snapshot]) -> None:
    half = read[0].users_with_any(["A"], SUBJECTS)
    with pytest.raises(StepFailed, match=r"A at 25 % is on for"):
        shares._step(25, {"A": half}, {"A": half}, SUBJECTS)
    with pytest.raises(StepFailed, match=r"A at 0 % is on for 1 of 400"):
        shares._step(0, {"A": half}, {"A": {1}}, SUBJECTS)


def test_who_has_it_early_is_no_part_of_the_draw(read: list[Snapshot]) -> None:
    early = frozenset(range(1, 101))
    read.append(snapshot(2_500, users=early))
    quarter = read[1].users_with_any(["A"], SUBJECTS)
    assert len(quarter) > 150
    shares._step(
        25, {"A": {one.user_id for one in SUBJECTS if one.user_id}}, {"A": quarter}, SUBJECTS
    )


# ---------------------------------------------------------------- fingerprints
def test_what_a_rollback_writes_about_itself_is_no_difference_but_a_draft_is() -> None:
    def with_rows(**rows: int) -> Fingerprint:
        tables = {f"public.{name}": Digest(number, number) for name, number in rows.items()}  # type: ignore[arg-type]
        return Fingerprint(tables=tables, sequences={}, catalog={})

    before = with_rows(rollback_flagchange=1, django_session=1, enrollment_course=2)
    after = with_rows(rollback_flagchange=9, django_session=7, enrollment_course=2)
    assert prints.differences(before, after) == []
    for table in ("enrollment_course", "rollback_enrollmentdraft", "scheduling_timeoff"):
        found = prints.differences(with_rows(**{table: 2}), with_rows(**{table: 1}))
        assert [one for one in found if table in one], table


# ---------------------------------------------------------------- picture and report
RESULTS = [
    Result(name="restore", title="Restored", state=DONE, began=0, seconds=2),
    Result(
        name="phase 1",
        title="Phase 1: <tables> & all",
        state=FAILED,
        began=2,
        seconds=0.001,
        words="A | pipe and a <tag>.",
        facts={"seconds": 1.0, "rows": 10},
    ),
    Result(name="reapply", title="Back", state=LEFT_OUT),
]


def test_the_picture_has_a_bar_with_its_seconds_for_each_step_that_was_begun() -> None:
    root = ElementTree.fromstring(picture(RESULTS, title="Steps"))
    texts = [one.text for one in root.iter(f"{SVG}text")]
    assert {"2.0 s", "0.0 s, failed", "left out", "Phase 1: <tables> & all"} <= set(texts)
    bars = [one for one in root.iter(f"{SVG}rect") if one.get("class") != "paper"]
    assert [one.get("class") for one in bars] == ["done", "failed"]
    assert all(float(one.get("width") or 0) >= 2 for one in bars)
    right = max(float(one.get("x") or 0) + float(one.get("width") or 0) for one in bars)
    assert right <= 960
    # Where no style is let in it is a light picture, and no black one.
    drawn = [*root.iter(f"{SVG}text"), *root.iter(f"{SVG}rect")]
    assert all(one.get("fill") for one in drawn)
    assert "Restored: 2.0 s, done" in (root.get("aria-label") or "")


def test_a_picture_of_nothing_is_one_all_the_same() -> None:
    ElementTree.fromstring(picture([], title="Steps"))


def test_the_report_says_the_same_as_markdown_and_as_a_page_without_scripts() -> None:
    rehearsal = Rehearsal(
        pk=1,
        started_at=timezone.now(),
        finished_at=timezone.now(),
        passed=False,
        graph="ab" * 32,
        backup="school<1>.dump",
        picture=picture(RESULTS, title="Steps"),
    )
    markdown, page = report.markdown(rehearsal, RESULTS), report.page(rehearsal, RESULTS)
    assert "# Rollback rehearsed: failed" in markdown
    assert r"Phase 1: \<tables\> & all: A \| pipe and a \<tag\>." in markdown
    assert "Phase 1: &lt;tables&gt; &amp; all: A | pipe and a &lt;tag&gt;." in page
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    tables = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in tables if "school" in line}) == 1


def test_every_step_has_a_limit_that_grows_with_patience() -> None:
    assert len({one.name for one in STEPS}) == len(STEPS)
    for one in STEPS:
        short = one.seconds(rows=0, patience=0.5)
        assert 0 < short < one.seconds(rows=0, patience=1)
        assert one.seconds(rows=10_000_000, patience=1) >= one.limit
    assert helper.START_SECONDS >= 60


@pytest.mark.django_db
def test_without_a_browser_the_student_goes_the_same_way(switches: Switches) -> None:
    student = rehearsal.InProcess()
    student.prepare()
    assert "no Chromium" in student.begin()
    switches.kill()
    assert "teacher, time, wishes and note" in student.go_on()
