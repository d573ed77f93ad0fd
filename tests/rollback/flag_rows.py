"""The flags' rows, put back where a transactional test before has emptied the tables."""

from importlib import import_module
from typing import Any

from django.apps import apps
from django.db.models import QuerySet

from rollback import audit
from rollback.audit import Actor
from rollback.models import FlagChange, Switchboard

SEED = Actor(name="the tests' seed")


def seed_flags() -> None:
    if not Switchboard.objects.exists():
        migration: Any = import_module("rollback.migrations.0003_backfill_flags")
        with audit.told(actor=SEED, reason="a test begins"):
            migration.create(apps, None)


def changes() -> QuerySet[FlagChange]:
    """What the audit says since the flags were made, oldest first."""
    return FlagChange.objects.exclude(before={}).order_by("pk")
