"""Django looks for admin pages here; they live in the console."""

from rollback.console import (
    backups,
    complaints,
    drafts,
    flags,
    incident_rows,
    incidents,
    records,
    triggers,
    verifications,
)

__all__ = [
    "backups",
    "complaints",
    "drafts",
    "flags",
    "incident_rows",
    "incidents",
    "records",
    "triggers",
    "verifications",
]
