"""Runs of phases and what lies in the archive, as rows: what the office's pages are about. No table moves."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from rollback import audit
from rollback.models import Flag, LedgerEntry, PhaseRun
from rollback.registry import features
from tests.rollback.console_rows import SOMEBODY

SIZES = {"scheduling": ("scheduling_timeoff", 1200), "holidays": ("holidays_holiday", 34)}


def archived(*apps: str, days: float = 3, **fields: Any) -> list[LedgerEntry]:
    """A table of each app, counted."""
    made = []
    for app in apps or SIZES:
        table, rows = SIZES[app]
        entry = LedgerEntry.objects.create(
            app=app,
            kind="table",
            table=table,
            archived_as=f"archive.{table}",
            **{"rows": rows, "digest": 17, "sealed_at": timezone.now(), **fields},
        )
        at = timezone.now() - timedelta(days=days)
        LedgerEntry.objects.filter(pk=entry.pk).update(archived_at=at)
        made.append(entry)
    return made


def killed(*phases: int) -> None:
    """What these phases take away."""
    names = [feature.flag for feature in features() if set(phases) & set(feature.phases)]
    with audit.told(actor=SOMEBODY, reason="A test takes a phase."):
        Flag.objects.filter(name__in=names).update(everyone=False)


def run(target: int = 1, status: str = "asked", **fields: Any) -> PhaseRun:
    over = {"finished_at": timezone.now()} if status in ("done", "failed", "cancelled") else {}
    return PhaseRun.objects.create(
        target=target,
        status=status,
        **{"operator_name": "somebody", "reason": "Booked twice.", **over, **fields},
    )


def step(name: str, state: str, **facts: Any) -> dict[str, Any]:
    return {"name": name, "state": state, "words": "", **facts}
