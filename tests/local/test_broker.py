"""A queue that hangs costs a page about two seconds, whichever broker it is; then the row waits for beat."""

import secrets
import socket
import time
from collections.abc import Iterator

import psycopg
import pytest
from celery import Celery
from kombu.exceptions import OperationalError
from psycopg import sql

from config import environment, settings
from config.broker import install_queue
from enrollment.operations import mailing


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Takes connections and never says a word: worse than a host that refuses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("address", ["pgmq", "redis://127.0.0.1:{}/0", "amqp://127.0.0.1:{}//"])
def test_a_queue_that_hangs_is_left_soon(
    address: str, silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Celery takes it before any broker that is named in code.
    monkeypatch.delenv("CELERY_BROKER_URL")
    url = environment.OWN_QUEUE if address == "pgmq" else address.format(silent_port)
    database = f"postgresql://nobody@127.0.0.1:{silent_port}/nothing"
    app = Celery(broker=url, set_as_current=False)
    app.conf.task_publish_retry = settings.CELERY_TASK_PUBLISH_RETRY
    app.conf.broker_connection_timeout = settings.CELERY_BROKER_CONNECTION_TIMEOUT
    app.conf.broker_transport_options = environment.broker_options(url, database)
    began = time.monotonic()
    with pytest.raises((OperationalError, psycopg.Error, OSError)):
        app.send_task("enrollment.tasks.send_due_confirmations")
    assert time.monotonic() - began < 4


@pytest.fixture
def queue() -> Iterator[str]:
    """A database with nothing but the queue in it; the address is libpq's."""
    name = sql.Identifier(f"queue_{secrets.token_hex(6)}")
    with psycopg.connect(settings.DATABASE_URL, dbname="postgres", autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(name))
        conninfo = psycopg.conninfo.make_conninfo(
            settings.DATABASE_URL, dbname=name.as_string().strip('"')
        )
        install_queue(conninfo)
        yield conninfo
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def test_the_first_call_after_an_outage_is_heard(
    queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection in the pool has died with the database; beat would find the row half a minute later."""
    monkeypatch.delenv("CELERY_BROKER_URL")
    app = Celery(broker=environment.OWN_QUEUE, set_as_current=False)
    app.conf.task_publish_retry = settings.CELERY_TASK_PUBLISH_RETRY
    app.conf.broker_transport_options = environment.broker_options(environment.OWN_QUEUE, queue)
    assert app.conf.broker_transport_options["pool_size"] == mailing.MOST_DEAD
    monkeypatch.setattr(mailing, "current_app", app)
    mailing.ask_worker("a.task")
    with psycopg.connect(queue, autocommit=True) as other:
        ended = other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
        assert ended, "or the pool is empty, and nothing is shown"
        mailing.ask_worker("a.task")
        assert other.execute("SELECT count(*) FROM pgmq.q_celery").fetchall() == [(2,)]
