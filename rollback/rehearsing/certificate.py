"""What a rehearsal proves, for how long and about which migrations; and what it lets one expect."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from rollback.models import Rehearsal
from rollback.schema.graph import migration_graph_hash

VALID_FOR = timedelta(days=7)
# From fewer rows nothing can be said about a million of them.
ENOUGH_ROWS = 100_000
PHASES = {"3": "phase 3", "2": "phase 2", "1": "phase 1", "0": "reapply"}


def figures(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """results: facts by step's name. :returns: by phase seconds, blocked and rows, and the forecast."""
    phases = {
        phase: {
            name: results[step][name]
            for name in ("seconds", "catalog", "blocked", "tries", "rows", "counting")
            if name in results[step]
        }
        for phase, step in PHASES.items()
        if step in results
    }  # fmt: skip
    return {**phases, "forecast": {number: forecast(one) for number, one in phases.items()}}


def forecast(measured: Mapping[str, Any]) -> dict[str, Any]:
    """In seconds: what it takes for any number of rows, and how much more for each million.

    is_rough: so few rows were there that the seconds say what a statement costs, not what rows do.
    """
    rows, seconds = int(measured.get("rows") or 0), float(measured["seconds"])
    counting = float(measured.get("counting") or 0.0)
    is_rough = rows < ENOUGH_ROWS
    return {
        "constant": round(seconds if is_rough else seconds - counting, 3),
        "per_million": None if is_rough else round(counting / rows * 1_000_000, 3),
        "rows": rows,
        "is_rough": is_rough,
    }


def certificate(rehearsal: Rehearsal) -> dict[str, Any]:
    """As it is written beside the report."""
    finished = rehearsal.finished_at
    return {
        "certificate": "rollback rehearsal",
        "version": 1,
        "rehearsal": rehearsal.pk,
        "passed": rehearsal.passed,
        "migrations": rehearsal.graph,
        "backup": rehearsal.backup,
        "started_at": rehearsal.started_at.isoformat(),
        "finished_at": finished.isoformat() if finished else None,
        "valid_until": (finished + VALID_FOR).isoformat() if finished else None,
        "phases": {one: rehearsal.figures[one] for one in PHASES if one in rehearsal.figures},
        "forecast": rehearsal.figures.get("forecast", {}),
    }


def certificate_warning(now: datetime) -> str:
    """One sentence of what is missing, for whoever is about to change the schema; "" when nothing is."""
    last = Rehearsal.objects.filter(passed=True, finished_at__isnull=False).first()
    if last is None or last.finished_at is None:
        return _("The rollback has never been rehearsed here. Do: manage.py rollback rehearse")
    if last.graph != migration_graph_hash():
        return _(
            "The last rehearsal was of other migrations than these. Do: manage.py rollback rehearse"
        )
    if (age := now - last.finished_at) > VALID_FOR:
        words = _(
            "The last rehearsal is %(days)s days old, more than 7. Do: manage.py rollback rehearse"
        )
        return words % {"days": age.days}
    return ""
