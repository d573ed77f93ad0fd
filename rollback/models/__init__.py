from rollback.models.doors import DoorCount
from rollback.models.drafts import EnrollmentDraft
from rollback.models.flags import Flag, FlagChange, Switchboard
from rollback.models.processes import Process

__all__ = ["DoorCount", "EnrollmentDraft", "Flag", "FlagChange", "Process", "Switchboard"]
