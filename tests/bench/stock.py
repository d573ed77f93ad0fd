"""What stock django-waffle needs beside us: a database of its own, and a Redis if there is one."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import psycopg
from psycopg.conninfo import make_conninfo

from config.local import ports
from config.local.place import Problem

DATABASE = "stock_waffle"
LOCMEM = ""
NO_REDIS = "not run: no redis-server"
FIRST_PORT = 18_600
START_SECONDS = 10.0


def environment(database_url: str, *, cache: str) -> Mapping[str, str]:
    """cache: a Redis' address, or LOCMEM. The database is made where it is not there yet."""
    with (
        psycopg.connect(database_url, autocommit=True) as made,
        suppress(psycopg.errors.DuplicateDatabase),
    ):
        made.execute(f"CREATE DATABASE {DATABASE}")
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.bench.stock_settings",
        "STOCK_DATABASE_URL": make_conninfo(database_url, dbname=DATABASE),
        "STOCK_CACHE": cache,
    }


@contextmanager
def redis() -> Iterator[str | None]:
    """:returns: the address: REDIS_URL, or that of a server of our own; None without a program."""
    if url := os.environ.get("REDIS_URL"):
        yield url
        return
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    port = ports.next_free(FIRST_PORT)
    words = f"--bind 127.0.0.1 --port {port} --appendonly no --daemonize no"
    with subprocess.Popen(
        [program, *words.split(), "--save", ""], stdout=subprocess.DEVNULL
    ) as server:
        try:
            _wait_until_it_answers(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()


def _wait_until_it_answers(port: int) -> None:
    import redis

    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(redis.ConnectionError), redis.Redis(port=port) as client:
            client.ping()
            return
        time.sleep(0.05)
    raise Problem(f"redis-server did not answer on port {port}.")
