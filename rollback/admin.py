"""Django looks for admin pages here; they live in the console."""

from rollback.console import (
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
    "complaints",
    "drafts",
    "flags",
    "incident_rows",
    "incidents",
    "records",
    "triggers",
    "verifications",
]
