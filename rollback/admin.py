"""Django looks for admin pages here; they live in the console."""

from rollback.console import (
    archive,
    complaints,
    drafts,
    flags,
    incident_rows,
    incidents,
    oncall,
    phases,
    proofs,
    public_notices,
    records,
    roster,
    stakeholders,
    triggers,
    verifications,
)

__all__ = [
    "archive",
    "complaints",
    "drafts",
    "flags",
    "incident_rows",
    "incidents",
    "oncall",
    "phases",
    "proofs",
    "public_notices",
    "records",
    "roster",
    "stakeholders",
    "triggers",
    "verifications",
]
