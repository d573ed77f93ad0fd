from rollback.models.doors import DoorCount
from rollback.models.drafts import EnrollmentDraft, NoReminders
from rollback.models.flags import Flag, FlagChange, Switchboard

__all__ = ["DoorCount", "EnrollmentDraft", "Flag", "FlagChange", "NoReminders", "Switchboard"]
