"""A pytest plugin, loaded before Django's: a throwaway PostgreSQL for this run.

Started when this module is imported, because pytest-django reads the settings before any conftest
is asked. TEST_DATABASE_URL names a server of one's own instead; DATABASE_URL is never touched, so
that a test run cannot reach the school's data. pytest-xdist's workers inherit the address.
"""

import os
from contextlib import ExitStack

import pytest

from config.local import database

_open = ExitStack()

if "PYTEST_XDIST_WORKER" not in os.environ:
    named = os.environ.get("TEST_DATABASE_URL")
    os.environ["DATABASE_URL"] = named or _open.enter_context(database.temporary())
    # Tasks are enqueued in memory here; the tests with a worker start a real one on PostgreSQL.
    os.environ["CELERY_BROKER_URL"] = "memory://"
    os.environ["SCHOOL_ENV"] = "desk"
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"


def pytest_unconfigure(config: pytest.Config) -> None:
    _open.close()
