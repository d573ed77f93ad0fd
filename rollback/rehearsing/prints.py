"""Fingerprints of the copy, of what must be the same before phase 1 and after the tables are back."""

from dataclasses import replace

from django.db import connections
from django.utils.translation import gettext as _

from rollback.schema import fingerprint
from rollback.schema.fingerprint import Fingerprint

# What a rollback writes down about itself; and what nobody would miss.
WRITTEN = (
    *("rollback_", "django_session", "django_cache", "django_migrations", "django_admin_log"),
)
KEPT = ("rollback_enrollmentdraft",)
NAMED = 8


def take() -> Fingerprint:
    return fingerprint.fingerprint(connections["default"])


def differences(before: Fingerprint, now: Fingerprint) -> list[str]:
    return fingerprint.differences(_compared(before), _compared(now))


def _compared(one: Fingerprint) -> Fingerprint:
    return replace(
        one, tables={name: digest for name, digest in one.tables.items() if _counts(name)}
    )


def _counts(name: str) -> bool:
    """name: with its schema."""
    table = name.rpartition(".")[2]
    return table in KEPT or not table.startswith(WRITTEN)


def in_words(differences: list[str]) -> str:
    """A table that is missing is missing with all its columns: the first few say enough."""
    said, more = differences[:NAMED], len(differences) - NAMED
    if more > 0:
        said.append(_("And %(number)s more.") % {"number": more})
    return " ".join(said)
