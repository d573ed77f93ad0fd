"""Each migration of the features undone on the copy, newest first, and applied again; all must be equal."""

import time
from typing import Any

from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _

from rollback.rehearsing import prints
from rollback.rehearsing.helper import StepFailed
from rollback.rehearsing.ready import feature_apps
from rollback.schema import reverse
from rollback.schema.fingerprint import Fingerprint


def each(before: Fingerprint) -> dict[str, Any]:
    """before: of the copy as it is.

    :raises StepFailed: one cannot be undone or applied, or something is not what it was
    """
    plan = MigrationExecutor(connection).migration_plan([(app, None) for app in feature_apps()])
    migrations = [one for one, _backwards in plan]
    undone = {str(one): _do(one, backwards=True) for one in migrations}
    applied = {str(one): _do(one, backwards=False) for one in reversed(migrations)}
    reverse.finish(feature_apps())
    if found := prints.differences(before, prints.take()):
        words = _("After undoing and applying: %(differences)s")
        raise StepFailed(words % {"differences": prints.in_words(found)}, differences=found)
    words = _("%(number)s migrations; afterwards every row and every definition is what it was.")
    return {
        "migrations": [
            {"name": name, "undone": seconds, "applied": applied[name]}
            for name, seconds in undone.items()
        ],
        "words": words % {"number": len(migrations)},
    }


def _do(migration: Migration, *, backwards: bool) -> float:
    """:returns: seconds. :raises StepFailed:"""
    executor = MigrationExecutor(connection)
    began = time.monotonic()
    try:
        executor.migrate([], plan=[(migration, backwards)])
    except Exception as error:
        # A probe: a migration may break in any way, and which one did is what was asked.
        words = _("%(migration)s cannot be undone: %(error)s") if backwards else _(
            "%(migration)s cannot be applied again: %(error)s"
        )  # fmt: skip
        raise StepFailed(words % {"migration": migration, "error": error}) from error
    return round(time.monotonic() - began, 3)
