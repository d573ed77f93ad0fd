from rollback.models.audit import FlagChange
from rollback.models.doors import DoorCount
from rollback.models.drafts import EnrollmentDraft, NoReminders
from rollback.models.flags import ALL_FLAGS, Flag, Switchboard
from rollback.models.incidents import Incident, Latch
from rollback.models.processes import Process
from rollback.models.timings import TimingMinute

__all__ = [
    "ALL_FLAGS",
    "DoorCount",
    "EnrollmentDraft",
    "Flag",
    "FlagChange",
    "Incident",
    "Latch",
    "NoReminders",
    "Process",
    "Switchboard",
    "TimingMinute",
]
