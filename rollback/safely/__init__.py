"""The schema is changed after a backup has been proved, and looked at afterwards; nothing else gets by."""

from rollback.safely.carrying_out import Done, Failed, migrate
from rollback.safely.guard import MigrationRefused, check_plan, note_the_end
from rollback.safely.permits import Permit, PermitRefused
from rollback.safely.steps import plan_hash

__all__ = [
    "Done",
    "Failed",
    "MigrationRefused",
    "Permit",
    "PermitRefused",
    "check_plan",
    "migrate",
    "note_the_end",
    "plan_hash",
]
