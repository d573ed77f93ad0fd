"""A queue that hangs costs a page about two seconds, whichever broker it is; then the row waits for beat."""

import socket
import time
from collections.abc import Iterator

import psycopg
import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from config import environment, settings


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
