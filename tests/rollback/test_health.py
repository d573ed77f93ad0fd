"""/healthz and /readyz: what machines get, also while the database is away, hangs or is behind."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from rollback import switchboard
from rollback.domain.shares import OFF
from rollback.health import asking, ready
from rollback.health.asking import NoAnswer, ask, rows


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept from one question to the next, unless a test is about that."""
    monkeypatch.setattr(ready, "KEPT", -1.0)


@contextmanager
def silent_server() -> Iterator[int]:
    """Takes every connection and never says a word, as a frozen PostgreSQL does. :returns: its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def database_at(monkeypatch: pytest.MonkeyPatch, **where: Any) -> Iterator[None]:
    found = connections["default"].get_connection_params() | where
    with monkeypatch.context() as patched:
        patched.setattr(connections["default"], "get_connection_params", lambda: dict(found))
        yield


def test_healthz_asks_nobody_and_leaves_nothing(client: Client, db: Any) -> None:
    with CaptureQueriesContext(connection) as asked:
        response = client.get("/healthz", headers={"host": "10.3.2.1"})
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert not asked.captured_queries
    assert not response.cookies
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_what_machines_ask_needs_no_host_name_and_no_tls(
    client: Client, db: Any, settings: Any, path: str
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.METRICS_ALLOW = []
    response = client.get(path, headers={"host": "10.3.2.1:8000"})
    assert response.status_code == (404 if path == "/metrics" else 200)
    assert not response.cookies
    assert "Vary" not in response.headers


def test_ready_says_so(client: Client, db: Any) -> None:
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"ready": True, "reasons": {}})


def test_a_database_that_is_away_is_a_reason(
    client: Client, db: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database_at(monkeypatch, host="127.0.0.1", port="1"):
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["reasons"] == {"database": ready.NO_DATABASE}
    # Neither where the database is nor who we are to it.
    assert "127.0.0.1" not in response.content.decode()


def test_a_database_that_hangs_is_a_reason_and_nobody_waits_long(
    client: Client, db: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ready, "SECONDS", 0.2)
    with silent_server() as port, database_at(monkeypatch, host="127.0.0.1", port=str(port)):
        started = time.monotonic()
        response = client.get("/readyz")
        assert time.monotonic() - started < 2
    assert response.status_code == 503
    assert list(response.json()["reasons"]) == ["database"]


def test_questions_that_hang_do_not_pile_up(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one after the last place is told at once; when the others are over there is room again."""
    monkeypatch.setitem(asking._places, "metrics", threading.BoundedSemaphore(2))
    over, begun = threading.Event(), threading.Semaphore(0)

    def hangs(_connection: Any) -> None:
        begun.release()
        over.wait(20)

    for _ in range(2):
        with pytest.raises(NoAnswer):
            ask(hangs, who="metrics", seconds=0.01)
        assert begun.acquire(timeout=10)
    found: list[Any] = []
    before = threading.active_count()
    with pytest.raises(NoAnswer):
        ask(hangs, who="metrics", seconds=20)
    assert threading.active_count() == before
    # Whoever else asks has places of its own.
    ask(lambda asked: found.extend(rows(asked, "SELECT 2")), who="ready", seconds=5)
    assert found == [(2,)]
    found.clear()
    over.set()
    for _ in range(200):
        try:
            ask(lambda asked: found.extend(rows(asked, "SELECT 1")), who="metrics", seconds=5)
        except NoAnswer:
            time.sleep(0.02)
        else:
            break
    assert found == [(1,)]


def test_who_asks_all_the_time_holds_one_thread_and_no_more(
    client: Client, db: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve at once while the database hangs are one question; the others do not wait for it."""
    asked, begun, over = [], threading.Event(), threading.Event()

    def hangs(question: Any, **how: Any) -> None:
        asked.append(how)
        begun.set()
        assert over.wait(20)
        ask(question, **how)

    monkeypatch.setattr(ready, "ask", hangs)
    monkeypatch.setattr(ready, "answers", ready.Answers())
    first: list[Any] = []

    def ask_first() -> None:
        first.append(ready.answers.reasons())

    def ask_meanwhile() -> list[Any]:
        begun.clear()
        thread = threading.Thread(target=ask_first)
        thread.start()
        assert begun.wait(10)
        try:
            return [client.get("/readyz") for _ in range(12)]
        finally:
            over.set()
            thread.join(20)
            over.clear()

    # Nobody knows anything yet: 503, at once.
    found = ask_meanwhile()
    assert {response.status_code for response in found} == {503}
    assert found[0].json()["reasons"] == {"question": ready.BEING_ASKED}
    # From then on they get what was known last …
    found = ask_meanwhile()
    assert {response.status_code for response in found} == {200}
    assert first == [{}, {}]
    assert len(asked) == 2
    # … unless that was long ago.
    monkeypatch.setattr(ready, "KNOWN", -1.0)
    assert {response.status_code for response in ask_meanwhile()} == {503}


def test_an_answer_is_kept_for_a_moment(
    client: Client, db: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def ask_and_count(question: Any, **how: Any) -> None:
        asked.append(how)
        ask(question, **how)

    monkeypatch.setattr(ready, "ask", ask_and_count)
    monkeypatch.setattr(ready, "KEPT", 60.0)
    answers = ready.Answers()
    assert [answers.reasons() for _ in range(3)] == [{}] * 3
    assert len(asked) == 1


def test_a_statement_that_takes_long_is_given_up_by_the_database_too(db: Any) -> None:
    found: list[str] = []

    def question(asked: Any) -> None:
        found.extend(value for (value,) in rows(asked, "SHOW statement_timeout"))
        found.extend(value for (value,) in rows(asked, "SHOW lock_timeout"))

    ask(question, who="ready", seconds=5)
    assert found == [asking.STATEMENT, asking.LOCK]


def test_an_unapplied_migration_is_a_reason() -> None:
    every = set(ready.wanted())
    assert ("rollback", "0019_backfill_triggers") in every
    assert ready.unapplied(every | {("rollback", "9999_of_a_newer_release")}) == []
    missing = ready.unapplied(every - {("rollback", "0019_backfill_triggers")})
    assert missing == [("rollback", "0019_backfill_triggers")]
    assert "first rollback.0019_backfill_triggers" in ready.in_words(missing)
    assert ready.in_words([*missing, ("a", "b")]).startswith("2 migrations are")


@pytest.mark.django_db(transaction=True)
def test_the_database_is_asked_which_migrations_there_are(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE name = '0019_backfill_triggers'")
    try:
        response = client.get("/readyz")
        assert response.status_code == 503
        words = response.json()["reasons"]["migrations"]
        assert words == (
            "1 migration is not applied, first rollback.0019_backfill_triggers; "
            "run manage.py migrate."
        )
    finally:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO django_migrations (app, name, applied) "
                "VALUES ('rollback', '0019_backfill_triggers', now())"
            )


def test_a_squashed_migration_counts_when_all_that_it_replaces_are_applied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair = frozenset({("a", "1"), ("a", "2")})
    monkeypatch.setattr(ready, "wanted", lambda: {("a", "1_to_2"): pair})
    assert ready.unapplied({("a", "1"), ("a", "2")}) == []
    assert ready.unapplied({("a", "1")}) == [("a", "1_to_2")]


@pytest.mark.django_db(transaction=True)
def test_flags_that_were_not_read_for_long_are_a_reason(
    client: Client, real_switchboard: switchboard.Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/readyz").status_code == 200
    monkeypatch.setattr(switchboard, "STALE", -1.0)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["reasons"] == {"switchboard": ready.STALE}
    assert real_switchboard.snapshot() is OFF


def test_only_reading(client: Client, db: Any) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        response = client.post(path)
        assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")
        assert client.head(path).status_code in (200, 404)


def test_they_are_asked_before_anything_else() -> None:
    assert settings.MIDDLEWARE[0] == "rollback.health.first.Probes"


def test_the_answer_is_json_for_whatever_reads_it(client: Client, db: Any) -> None:
    response = client.get("/readyz")
    assert response.headers["Content-Type"] == "application/json"
    assert json.loads(response.content)["ready"] is True
