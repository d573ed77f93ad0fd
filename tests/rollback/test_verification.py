"""Probes find what is wrong, leave nothing behind, and hang nobody. Faults are real ones."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from types import ModuleType
from typing import Any

import psycopg
import pytest
from celery import Celery
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone

import config.urls
from config.roles import give_permissions
from enrollment.models import Course, Enrollment, Lesson
from rollback import baselines, incidents, timings, verification, watch
from rollback.audit import Actor
from rollback.baselines import IncidentOpen
from rollback.domain.metrics import Metric
from rollback.domain.verification import Found, slowest_allowed
from rollback.doors import counting
from rollback.models import Baseline, EnrollmentDraft, Incident, ProbeResult, Verification
from rollback.probes import database, pages, rows
from rollback.probes.in_process import Browser, Handler
from rollback.probes.plan import plan
from rollback.tasks import take_baselines
from rollback.verification import PROBES, Probe, VerificationRuns, verify, within_limit
from tests.architecture.matrix import snapshot
from tests.conftest import Switches, make_student, make_teacher
from tests.enrollment.crowd import at_once
from tests.rollback.flag_rows import seed_flags


@pytest.fixture(autouse=True)
def school(transactional_db: Any) -> Enrollment:
    """Committed, because probes have connections of their own."""
    give_permissions()
    seed_flags()
    course = Course.objects.create(title="Violin", slug="violin")
    teacher = make_teacher()
    course.teachers.add(teacher)
    return Enrollment.objects.create(
        student=make_student(), course=course, teacher=teacher, payment_reference="2026-00017"
    )


@pytest.fixture(autouse=True)
def few_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "REQUESTS", 5)
    monkeypatch.setattr(pages, "REQUESTS", 5)


def ask(name: str, incident: Incident | None = None) -> verification.Outcome:
    return within_limit(next(probe for probe in PROBES if probe.name == name), incident)


def failed(name: str) -> str:
    outcome = ask(name)
    assert not outcome.passed, outcome.found.words
    return outcome.found.words


def passed(name: str) -> Found:
    outcome = ask(name)
    assert outcome.passed, outcome.found.words
    return outcome.found


def sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@contextmanager
def dropped(table: str, name: str, *, again: str) -> Iterator[None]:
    """A constraint that is gone for a while; schema changes outlast the test's rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT pg_get_constraintdef(oid) FROM pg_constraint
                WHERE conrelid = %s::regclass AND conname = %s""",
            [table, name],
        )
        definition = cursor.fetchone()[0]
    sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    try:
        yield
    finally:
        if again:
            sql(again)
        sql(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
        sql(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")


def foreign_key(table: str, column: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT c.conname FROM pg_constraint c JOIN pg_attribute a
                   ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
                WHERE c.contype = 'f' AND c.conrelid = %s::regclass AND a.attname = %s""",
            [table, column],
        )
        return str(cursor.fetchone()[0])


def test_all_is_well() -> None:
    baselines.take()
    run = verify(incident=None, by="a test")
    found = {result.probe: result for result in run.results.all()}
    assert {name: one.words for name, one in found.items() if not one.passed} == {}
    assert set(found) == {probe.name for probe in PROBES}
    assert run.passed is True
    assert run.ended_at is not None
    assert all(one.facts["compared"] for one in found.values())
    assert found["flow"].words == "list → course → form → sent → confirmed"


def test_without_a_baseline_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found = passed("latency")
    assert not found.is_compared
    assert "There is no baseline yet" in found.words
    monkeypatch.setattr(verification, "PROBES", PROBES[2:4])
    run = verify(incident=None, by="a test")
    states = {one.probe: verification.state(one)[0] for one in run.results.all()}
    assert states == {"rows": "not compared", "flow": "passed"}
    assert run.passed, "or a new school could never be verified"


# ---------------------------------------------------------------- database
def test_a_lost_foreign_key_and_the_orphan_behind_it(school: Enrollment) -> None:
    name = foreign_key("enrollment_enrollment", "teacher_id")
    undo = f"UPDATE enrollment_enrollment SET teacher_id = NULL WHERE id = {school.pk}"
    with dropped("enrollment_enrollment", name, again=undo):
        sql("UPDATE enrollment_enrollment SET teacher_id = 999 WHERE id = %s", school.pk)
        assert "enrollment_enrollment: teacher_id → enrollment_teacher" in failed("constraints")
        assert "enrollment_enrollment.teacher_id: 1" in failed("orphans")
    assert passed("constraints").facts["keys"] > 20
    assert passed("orphans")


def test_a_constraint_that_was_never_proved() -> None:
    sql("ALTER TABLE enrollment_course ADD CONSTRAINT x CHECK (capacity < 100000) NOT VALID")
    try:
        assert "enrollment_course: x" in failed("constraints")
        sql("ALTER TABLE enrollment_course VALIDATE CONSTRAINT x")
        assert passed("constraints")
    finally:
        sql("ALTER TABLE enrollment_course DROP CONSTRAINT x")


def test_the_guard_against_double_booking_is_missed() -> None:
    with dropped("enrollment_lesson", "lesson_teacher_once", again=""):
        assert "enrollment_lesson: lesson_teacher_once" in failed("constraints")


def test_orphans_are_asked_for_in_one_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        database.orphans()


# ---------------------------------------------------------------- rows
def count() -> None:
    """The part of a baseline that is compared here; the pages need not be measured for it."""
    Baseline.objects.create(name="counts", facts=rows.measured())


def test_a_lost_enrollment_is_named_though_a_new_one_came(school: Enrollment) -> None:
    count()
    Enrollment.objects.create(student=make_student("new@school.example"), course=school.course)
    assert passed("rows").is_compared
    Enrollment.objects.filter(pk=school.pk).delete()
    words = failed("rows")
    assert f"enrollments: 1 gone, with the ids {school.pk}." in words
    assert "students" not in words


def test_what_an_admin_deleted_is_no_loss(school: Enrollment) -> None:
    count()
    number = school.pk
    school.delete()
    log = {"content_type": ContentType.objects.get_for_model(Enrollment), "action_flag": DELETION}
    boss = make_student("boss@school.example").user
    LogEntry.objects.create(user=boss, object_id=str(number), object_repr="x", **log)
    assert passed("rows")


def test_what_never_changes(school: Enrollment) -> None:
    count()
    Enrollment.objects.filter(pk=school.pk).update(note="changed", status="confirmed")
    assert passed("rows")
    other = make_student("other@school.example")
    Enrollment.objects.filter(pk=school.pk).update(student=other)
    first = school.pk // 100 * 100
    assert f"changed, among the ids {first}–{first + 99}" in failed("rows")


def test_payment_references_stay(school: Enrollment) -> None:
    count()
    Enrollment.objects.filter(pk=school.pk).update(payment_reference="")
    assert f"payment_reference is gone from 1, with the ids {school.pk}" in failed("rows")


def test_a_hold_may_go_and_a_lesson_may_not(school: Enrollment) -> None:
    now = timezone.now()
    common = {"course": school.course, "student": school.student, "local_on": now.date()}
    common |= {"teacher": school.teacher, "local_start": now.time(), "zone": "UTC"}
    hours = [datetime(2031, 3, 3, hour, tzinfo=UTC) for hour in (9, 10, 11)]
    hold = Lesson.objects.create(
        period=(hours[0], hours[1]), status="held", expires_at=now, **common
    )
    lesson = Lesson.objects.create(period=(hours[1], hours[2]), **common)
    count()
    hold.delete()
    assert passed("rows")
    Lesson.objects.filter(pk=lesson.pk).delete()
    assert f"lessons: 1 gone, with the ids {lesson.pk}." in failed("rows")


def test_a_few_drafts_may_go_and_not_all(school: Enrollment) -> None:
    courses = [Course.objects.create(title=f"C{n}", slug=f"c{n}") for n in range(5)]
    for course in courses:
        EnrollmentDraft.objects.create(
            student=school.student, course=course, saved_at=timezone.now()
        )
    count()
    EnrollmentDraft.objects.filter(course__in=courses[:3]).delete()
    assert passed("rows")
    EnrollmentDraft.objects.all().delete()
    assert "enrollment drafts: 5 gone" in failed("rows")


def test_what_came_since_the_last_night_is_known_from_the_incident_on(school: Enrollment) -> None:
    count()
    incident = Incident.objects.create(title="x", opened_by_name="x")
    came = Enrollment.objects.create(
        student=make_student("new@school.example"), course=school.course
    )
    baselines.remember_rows(incident=incident.pk)
    Enrollment.objects.filter(pk=came.pk).delete()
    assert ask("rows").passed
    outcome = ask("rows", incident)
    assert f"enrollments: 1 gone, with the ids {came.pk}." in outcome.found.words


# ---------------------------------------------------------------- pages
def use_urls(settings: Any, *added: Any) -> None:
    urls = ModuleType("urls")
    vars(urls).update(vars(config.urls))
    urls.urlpatterns = [  # type: ignore[attr-defined]
        *added,
        *config.urls.urlpatterns,
    ]
    settings.ROOT_URLCONF = urls


def broken(request: HttpRequest, **_named: Any) -> HttpResponse:
    raise ValueError("this page is broken")


def test_a_broken_page_is_named_with_what_broke(settings: Any) -> None:
    use_urls(settings, path("my/students/", broken), path("messages/", broken))
    words = failed("roles")
    assert "Teacher: /my/students/ answers with 500. ValueError: this page is broken" in words
    assert "Student: /messages/ answers with 500." in words
    assert "Staff" not in words
    assert passed("flow")


@pytest.mark.parametrize("name", ["courses/<slug:course>/", "enrollments/<int:enrollment>/"])
def test_a_broken_step_of_the_original_flow(settings: Any, name: str) -> None:
    use_urls(settings, path(name, broken))
    assert "answers with 500. ValueError: this page is broken" in failed("flow")


def test_a_form_that_does_not_enroll(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enrollment.views.courses.enroll", broken)
    assert "answered with 500; nobody was enrolled" in failed("flow")


def test_what_is_typed_must_be_what_is_saved() -> None:
    with trigger("enrollment_enrollment", "NEW.note := ''; RETURN NEW"):
        assert "not what was saved" in failed("flow")


@contextmanager
def trigger(table: str, does: str) -> Iterator[None]:
    sql(
        f"""CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN {does}; END $$"""
    )
    sql(f"CREATE TRIGGER fault BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fault()")
    try:
        yield
    finally:
        sql("DROP FUNCTION fault CASCADE")


def test_a_page_of_a_broken_table() -> None:
    sql("ALTER TABLE enrollment_reader RENAME TO lost")
    try:
        words = failed("roles")
    finally:
        sql("ALTER TABLE lost RENAME TO enrollment_reader")
    assert "/messages/ answers with 500. ProgrammingError" in words
    # The transaction goes on: what is asked afterwards is asked.
    assert words.count("/messages/") == 2
    assert "catalog" not in words


def test_a_role_that_has_lost_its_access() -> None:
    Group.objects.get(name="staff").permissions.clear()
    words = failed("roles")
    assert "Staff: /admin/enrollment/lesson/ answers with 403." in words
    assert "Admin:" not in words


def test_a_page_that_asks_to_log_in() -> None:
    """Sessions that are not kept: everybody is somebody else with the next click."""
    with trigger("django_session", "RETURN NULL"):
        assert "Student: /home/ asks to log in." in failed("roles")


def test_with_everything_off_the_pages_answer_too(switches: Switches) -> None:
    switches.kill()
    assert passed("roles")
    assert passed("flow")


def test_a_page_slower_than_its_baseline(settings: Any) -> None:
    baselines.take()
    assert passed("latency").is_compared

    def slow(request: HttpRequest) -> HttpResponse:
        time.sleep(slowest_allowed(known["p50"]) / 1000 + 0.01)
        return HttpResponse("slow")

    known = Baseline.objects.get(name="latency:catalog").facts
    use_urls(settings, path("", slow))
    words = failed("latency")
    assert words.startswith("Too slow: catalog ")
    assert f"(before: {known['p50']} ms)" in words
    assert "enroll" not in words


# ---------------------------------------------------------------- nothing is left behind
@contextmanager
def heard() -> Iterator[list[str]]:
    """What anybody who listens is told by the database meanwhile."""
    told: list[str] = []
    known = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    address = {name: known[name] for name in names if known.get(name)}
    with psycopg.connect(**address, autocommit=True) as listener:
        listener.execute("LISTEN rollback_flags")
        listener.execute("LISTEN calendar_changes")
        yield told
        told += [note.channel for note in listener.notifies(timeout=0.2)]


def test_the_listener_hears(school: Enrollment) -> None:
    with heard() as told:
        sql("SELECT pg_notify('calendar_changes', '')")
    assert told == ["calendar_changes"]


def test_nothing_is_left_behind_twice_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    enqueued: list[str] = []
    monkeypatch.setattr(Celery, "send_task", lambda self, name, *a, **k: enqueued.append(name))
    before = snapshot()
    with heard() as told:
        for _twice in range(2):
            for name in ("flow", "roles"):
                assert passed(name)
    assert snapshot() == before
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_session")
        assert cursor.fetchone() == (0,)
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone() == (0,)
    assert (told, enqueued, mail.outbox) == ([], [], [])
    # What is counted in memory would not be undone with the transaction.
    assert not timings._counts
    assert not counting._counts
    assert not [told for told in watch.ring._told if told[1] == Metric.REQUESTS]


def test_nobody_waits_for_a_probe(school: Enrollment) -> None:
    """While the flow is walked through, with its enrollment made, every table may be written."""
    walked, go_on = threading.Event(), threading.Event()

    def walk(browser: Any) -> list[str]:
        steps = plan().walk(browser)
        walked.set()
        assert go_on.wait(10)
        return steps

    def check(_incident: Any) -> Found:
        return Found(words=" ".join(walk(Browser(Handler()))))

    probe = replace(PROBES[3], check=check)
    outcomes: list[verification.Outcome] = []
    asked = threading.Thread(target=lambda: outcomes.append(within_limit(probe, None)))
    asked.start()
    assert walked.wait(10)
    sql("SET lock_timeout = '500ms'")
    try:
        school.note = "changed meanwhile"
        school.save()
        school.course.title = "Viola"
        school.course.save()
        make_student("meanwhile@school.example")
    finally:
        sql("SET lock_timeout = 0")
        go_on.set()
        asked.join()
    assert outcomes[0].passed


# ---------------------------------------------------------------- limits
def probe(check: Any, *, limit_ms: int = 300) -> Probe:
    return Probe(name="x", title="x", limit_ms=limit_ms, check=check)


def test_a_probe_that_hangs_hangs_nobody() -> None:
    done = threading.Event()
    outcome = within_limit(probe(lambda _incident: Found(words=str(done.wait(10)))), None)
    assert (outcome.passed, outcome.found.words) == (
        False,
        "No answer within 300 ms; it was left behind.",
    )
    assert outcome.milliseconds == 800
    # PostgreSQL ends the session of the one that was left behind, with whatever it holds.
    deadline = time.monotonic() + 5
    while _idle_in_transaction() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _idle_in_transaction() == 0
    done.set()


def _idle_in_transaction() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%'
                AND datname = current_database()"""
        )
        return int(cursor.fetchone()[0])


def test_a_statement_that_hangs_is_ended_by_the_database() -> None:
    outcome = within_limit(probe(lambda _incident: sql("SELECT pg_sleep(10)")), None)
    assert outcome.found.words == "The database did not answer within 300 ms."


def test_a_lock_that_somebody_holds() -> None:
    def check(_incident: Any) -> Found:
        sql("SET LOCAL lock_timeout = '100ms'")
        sql("LOCK TABLE enrollment_course IN ACCESS EXCLUSIVE MODE")
        return Found(words="")

    with transaction.atomic():
        sql("LOCK TABLE enrollment_course IN ROW EXCLUSIVE MODE")
        outcome = within_limit(probe(check), None)
    assert outcome.found.words == "Somebody else's transaction holds what the probe needs."


def test_a_probe_that_is_late_or_breaks_has_not_passed() -> None:
    def late(_incident: Any) -> Found:
        time.sleep(0.35)
        return Found(words="fine")

    outcome = within_limit(probe(late), None)
    assert not outcome.passed
    assert "more than 300 ms. fine" in outcome.found.words
    assert within_limit(probe(broken), None).found.words == "ValueError: this page is broken"


def test_one_broken_probe_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    probes = (probe(broken), replace(probe(lambda _incident: Found(words="fine")), name="y"))
    monkeypatch.setattr(verification, "PROBES", probes)
    run = verify(incident=None, by="a test")
    assert run.passed is False
    found = {one.probe: (one.passed, one.words) for one in ProbeResult.objects.all()}
    assert found == {"x": (False, "ValueError: this page is broken"), "y": (True, "fine")}


# ---------------------------------------------------------------- one at a time
def test_two_never_verify_at_once() -> None:
    Verification.objects.create(by_name="another")
    with pytest.raises(VerificationRuns, match="by another is going on"):
        verify(incident=None, by="a test")
    assert Verification.objects.count() == 1


def test_of_many_at_once_one_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(_incident: Any) -> Found:
        time.sleep(0.2)
        return Found(words="fine")

    monkeypatch.setattr(verification, "PROBES", (probe(check, limit_ms=2_000),))
    answers = at_once(*[lambda: verify(incident=None, by="a test")] * 6)
    assert sum(isinstance(answer, VerificationRuns) for answer in answers) == 5
    assert Verification.objects.get().passed


def test_a_run_whose_process_died_is_closed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    died = Verification.objects.create(
        by_name="another", started_at=timezone.now() - timedelta(minutes=10)
    )
    monkeypatch.setattr(verification, "PROBES", PROBES[:1])
    verify(incident=None, by="a test")
    died.refresh_from_db()
    assert (died.passed, died.ended_at is not None) == (False, True)


def test_who_asked_is_kept_by_number(school: Enrollment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "PROBES", PROBES[:1])
    user = school.student.user
    assert verify(incident=None, by=user.email).by_name == f"person {user.pk}"
    assert verify(incident=None, by="the tick").by_name == "the tick"


# ---------------------------------------------------------------- the terminal, the night
def shown(*words: str) -> str:
    out = StringIO()
    call_command("rollback", *words, stdout=out)
    return out.getvalue()


def test_at_the_terminal(school: Enrollment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "PROBES", PROBES[2:4])
    assert "latency:enroll: median" in shown("baseline")
    table = shown("verify")
    assert "passed" in table
    assert "list → course → form" in table
    school.delete()
    out = StringIO()
    with pytest.raises(CommandError, match="Something failed"):
        call_command("rollback", "verify", stdout=out)
    assert "FAILED" in out.getvalue()
    assert "1 gone" in " ".join(out.getvalue().split())
    with pytest.raises(CommandError, match="There is no incident 7"):
        shown("verify", "--incident", "7")


def test_no_baseline_of_a_bad_day() -> None:
    incident = Incident.objects.create(title="x", opened_by_name="x")
    with pytest.raises(IncidentOpen, match="x is open"):
        baselines.take()
    with pytest.raises(CommandError, match="x is open"):
        shown("baseline")
    assert take_baselines() == 0
    baselines.remember_rows(incident=incident.pk)
    incidents.resolve(incident=incident.pk, actor=Actor(name="a test"), reason="x")
    assert take_baselines() == 4
    assert not Baseline.objects.filter(name__startswith="counts:").exists()


def test_no_baseline_while_a_page_is_broken(settings: Any) -> None:
    use_urls(settings, path("", broken))
    assert take_baselines() == 0
    assert not Baseline.objects.exists()


def test_how_many_requests_a_baseline_is_made_of() -> None:
    assert set(pages.measured(requests=1)) == {"catalog", "course", "enroll"}
