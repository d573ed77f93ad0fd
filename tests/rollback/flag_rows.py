"""The flags' rows, put back where a transactional test before has emptied the tables."""

from importlib import import_module
from typing import Any

from django.apps import apps

from rollback.models import Switchboard


def seed_flags() -> None:
    if not Switchboard.objects.exists():
        migration: Any = import_module("rollback.migrations.0003_backfill_flags")
        migration.create(apps, None)
