"""One line for each request and task: what is in it, what never is, and what it costs."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from celery import shared_task
from django.db import IntegrityError, OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import resolve
from structlog.contextvars import get_contextvars
from structlog.testing import LogCapture

from config.celery import app
from config.local import command
from enrollment.models import Course, Student
from enrollment.operations.mailing import Outcome
from rollback import runner
from rollback.audit import Actor
from rollback.doors import logged, lost, measuring
from rollback.doors.addresses import WithoutKeys, shown_address
from rollback.models import Incident
from tests.conftest import Switches

CALENDAR = "ENABLE_CALENDAR_DISPLAY"
log = structlog.get_logger("a test")


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """All that is logged, with what was bound meanwhile."""
    capture = LogCapture()
    before = structlog.get_config()["processors"][:]
    processors = structlog.get_config()["processors"]
    processors[:] = [structlog.contextvars.merge_contextvars, capture]
    yield capture.entries
    processors[:] = before


def of(lines: list[Any], event: str) -> Any:
    (found,) = [line for line in lines if line["event"] == event]
    return found


@pytest.mark.django_db
def test_a_line_for_each_request(client: Client, lines: list[Any]) -> None:
    response = client.get("/?q=ada@school.example", headers={"x-request-id": "proxy-1234_5.6"})
    assert response.headers["X-Request-ID"] == "proxy-1234_5.6"
    line = of(lines, "request")
    assert line.pop("ms") >= 0
    assert 0 <= line.pop("bucket") < 100
    assert line == {
        "event": "request",
        "log_level": "info",
        "request": "proxy-1234_5.6",
        "method": "GET",
        "path": "/",
        "status": 200,
        "on": ["scheduling", "calendar", "availability", "holidays"],
    }
    assert get_contextvars() == {}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "given",
    ["", "short", "x" * 65, "with a space", "new\nline-12345", '"quoted-12345"', "-dash-12345"],
)
def test_an_id_that_is_none_is_replaced(client: Client, lines: list[Any], given: str) -> None:
    headers = {"x-request-id": given} if given else {}
    number = client.get("/", headers=headers).headers["X-Request-ID"]
    assert number != given
    assert len(number) == 32
    assert of(lines, "request")["request"] == number


def test_every_page_gets_an_id_of_its_own(client: Client, db: Any) -> None:
    numbers = {client.get("/").headers["X-Request-ID"] for _ in range(3)}
    assert len(numbers) == 3


@pytest.mark.django_db
def test_the_feature_with_its_share_and_never_a_name(
    client: Client, student: Student, switches: Switches, lines: list[Any]
) -> None:
    switches.share(50, CALENDAR)
    client.force_login(student.user)
    client.get("/calendar/2026/12/")
    line = of(lines, "request")
    assert (line["feature"], line["share"], line["path"]) == ("calendar", 50, "/calendar/2026/12/")
    assert ("calendar" in line["on"]) == (line["bucket"] < 50)
    said = json.dumps(lines, default=str)
    for secret in ("Ada", "Vogel", student.user.email, f"u:{student.user.pk}"):
        assert secret not in said


@pytest.mark.django_db
def test_the_incident_because_of_which_a_feature_is_off(
    client: Client,
    student: Student,
    course: Course,
    switches: Switches,
    lines: list[Any],
    flag_rows: None,
) -> None:
    done = runner.roll_back(
        flags=[CALENDAR], incident="x", actor=Actor(name="watch", automatic=True), reason="3 s",
        kind=Incident.Kind.SLOW,
    )  # fmt: skip
    switches.kill(CALENDAR)
    client.force_login(student.user)
    lines.clear()
    assert client.get(f"/calendar/choose/{course.slug}/").status_code == 303
    line = of(lines, "request")
    assert (line["incident"], line["feature"], line["share"]) == (done.incident.pk, "calendar", 0)
    assert of(lines, "door.turned_away")["request"] == line["request"]
    lines.clear()
    client.get("/")
    assert "incident" not in of(lines, "request")


@pytest.mark.django_db
def test_nothing_is_asked_of_the_database_for_it(
    client: Client, student: Student, lines: list[Any]
) -> None:
    """Whoever has a session and was not asked for stays unknown."""
    client.force_login(student.user)
    with CaptureQueriesContext(connection) as asked:
        assert client.get("/admin/jsi18n/").status_code in (200, 302)
        request = RequestFactory().get("/")
        request.COOKIES["sessionid"] = "x"
        before = len(asked.captured_queries)
        assert logged.known_subject(request) is None
        assert len(asked.captured_queries) == before


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "/"),
        ("/calendar/2026/12/", "/calendar/2026/12/"),
        ("/calendar/feed/s3cret-T0ken_of-a-feed.ics", "/calendar/feed/….ics"),
        # A letter too many is no address any more, and the key is in it all the same.
        ("/calendar/feed/s3cret-T0ken_of-a-feed.icsx", "/calendar/…"),
        ("/drafts/reminders/off/17.s3cret/", "/drafts/reminders/off/…/"),
        ("/drafts/violin/", "/drafts/violin/"),
        ("/accounts/password/reset/key/1-s3cret/", "/accounts/password/reset/key/1-…/"),
        ("/accounts/confirm-email/s3cret:abc/", "/accounts/confirm-email/…/"),
        ("/admin/enrollment/student/5/change/", "/admin/enrollment/student/5/change/"),
        ("/admin/enrollment/user/ada@school.example/change/", "/admin/enrollment/user/…/change/"),
        ("/admin/nothing-here/ada@school.example/", "/admin/…"),
        ("/ada@school.example", "/…"),
        ("/ada@school.example/", "/…"),
        ("/nothing-here/", "/nothing-here/…"),
    ],
)
def test_no_key_and_no_name_in_an_address(path: str, shown: str) -> None:
    assert shown_address(path) == shown


@pytest.mark.django_db
def test_no_line_at_all_holds_the_key_of_a_feed(
    client: Client, lines: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/calendar/feed/s3cret.ics", "/calendar/feed/s3cret.icsx"):
        assert client.get(path).status_code == 404
    assert "s3cret" not in json.dumps(lines, default=str)
    assert "s3cret" not in caplog.text


@pytest.mark.django_db
def test_a_page_that_breaks_is_told_with_its_id_and_without_its_key(
    client: Client,
    lines: list[Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def breaks(token: str) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("rollback.pages.reminders.student_of_token", breaks)
    client.raise_request_exception = False
    response = client.get("/drafts/reminders/off/s3cret/")
    assert response.status_code == 500
    assert response.headers["X-Request-ID"] == of(lines, "request")["request"]
    (record,) = [one for one in caplog.records if one.name == "django.request"]
    assert record.getMessage() == "Internal Server Error: /drafts/reminders/off/…/"
    assert record.exc_info


@pytest.mark.django_db
def test_a_form_without_its_token_is_told_with_its_reason_and_without_its_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strict = Client(enforce_csrf_checks=True)
    path = "/accounts/password/reset/key/1-s3cret/"
    assert strict.post(path, {}).status_code == 403
    (record,) = [one for one in caplog.records if one.name == "django.security.csrf"]
    assert record.getMessage().startswith("Forbidden (CSRF cookie not set.): /accounts/password/")
    assert "s3cret" not in caplog.text
    caplog.clear()
    elsewhere = "https://elsewhere.example/accounts/s3cret/"
    headers = {"Referer": elsewhere}
    strict.cookies["csrftoken"] = "x" * 32
    assert strict.post(path, {}, secure=True, headers=headers).status_code == 403
    assert "https://elsewhere.example/…" in caplog.text
    assert "s3cret" not in caplog.text


def test_every_handler_hides_keys(settings: Any) -> None:
    handlers = settings.LOGGING["handlers"].values()
    assert all("without_keys" in one["filters"] for one in handlers)


def test_no_key_in_what_the_doors_say_themselves(
    lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = RequestFactory().get("/calendar/feed/s3cret.ics")
    request.resolver_match = resolve(request.path)
    monkeypatch.setattr(measuring, "_count", None)
    measuring.answered(request, HttpResponse(), uses={}, milliseconds=1.0)
    try:
        raise LookupError from OperationalError("terminating connection")
    except LookupError:
        monkeypatch.setattr(lost, "is_lost", lambda error: True)
        lost.broken(request)
    assert of(lines, "watch.not_counted")["path"] == "/calendar/feed/….ics"
    assert of(lines, "page.database_lost")["path"] == "/calendar/feed/….ics"


def test_others_warnings_are_left_alone() -> None:
    record = logging.LogRecord("x", logging.WARNING, "x", 1, "Not %s", ("found",), None)
    assert WithoutKeys().filter(record)
    record.__dict__.update(request=HttpRequest(), status_code=404)
    assert WithoutKeys().filter(record)
    record.name = "django.request"
    assert not WithoutKeys().filter(record)


@pytest.mark.django_db
def test_files_and_probes_have_no_line(client: Client, lines: list[Any]) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert "X-Request-ID" not in client.get(path).headers
    assert [line for line in lines if line["event"] == "request"] == []


def test_other_peoples_lines_say_the_id_too() -> None:
    """Django's and every library's, through the formatter that the settings make."""
    from django.conf import settings

    logging_settings: Any = settings.LOGGING
    words = dict(logging_settings["formatters"]["line"])
    formatter = words.pop("()")(**words)
    record = logging.LogRecord("django.request", logging.ERROR, "x", 1, "Broken", (), None)
    with logged.bound(request="proxy-12345"):
        line = formatter.format(record)
    assert "proxy-12345" in line
    assert "Broken" in line


# ---------------------------------------------------------------- tasks and commands


@shared_task
def shout() -> None:
    log.info("shouted")


def test_a_task_says_which_it_is_and_who_sent_it(lines: list[Any]) -> None:
    """Through a real message: what the sender put into it is what the worker reads."""
    send: Any = shout.apply_async
    with app.connection_for_write(url="memory://") as broker:
        with logged.bound(request="proxy-12345"):
            send(connection=broker, queue="a test")
        send(connection=broker, queue="a test")
        queue = broker.SimpleQueue("a test")
        for sender in ("proxy-12345", None):
            message = queue.get(timeout=5)
            lines.clear()
            shout.push_request(**message.headers)
            try:
                shout()
            finally:
                shout.pop_request()
            for event in ("shouted", "task"):
                line = of(lines, event)
                assert line["task"] == shout.name
                assert line["task_id"] == message.headers["id"]
                assert line.get("request") == sender
            assert (of(lines, "task")["outcome"], of(lines, "task")["ms"] >= 0) == ("done", True)
        queue.close()
    assert get_contextvars() == {}


@pytest.mark.django_db
def test_a_task_that_is_skipped_or_fails_says_so(
    lines: list[Any], switches: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.loader.import_default_modules()
    switches.kill()
    app.tasks["scheduling.tasks.fill_waitlist"].apply()
    assert of(lines, "task")["outcome"] == "skipped"
    lines.clear()

    def breaks(**_now: Any) -> Outcome:
        raise RuntimeError("broken")

    monkeypatch.setattr("rollback.reminders.send_next", breaks)
    assert app.tasks["rollback.tasks.send_due_reminders"].apply().failed()
    assert of(lines, "task")["outcome"] == "failed"


def test_a_command_says_which_it_is(lines: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "execute_from_command_line", lambda _argv: log.info("ran"))
    monkeypatch.setattr(command, "needs_database", lambda _words: False)
    try:
        command.run(["manage.py", "rollback", "kill", "--reason", "Ada's words"])
        line = of(lines, "ran")
        assert line["command"] == "rollback"
        assert len(line["run"]) == 32
        assert "Ada" not in str(line)
    finally:
        structlog.contextvars.clear_contextvars()


def test_no_row_in_a_traceback(settings: Any, course: Course) -> None:
    """PostgreSQL quotes it in the details of its error, which Django repeats."""
    words = dict(settings.LOGGING["formatters"]["line"])
    formatter = words.pop("()")(**words)
    try:
        with transaction.atomic():
            Course.objects.create(title="Secret", slug=course.slug)
    except IntegrityError as broken:
        error = broken
    assert f"({course.slug})" in str(error)
    record = logging.LogRecord(
        "a", logging.ERROR, "", 1, "broken", None, (type(error), error, error.__traceback__)
    )
    told = formatter.format(record)
    assert "duplicate key value" in told
    assert "IntegrityError" in told
    assert f"({course.slug})" not in told
