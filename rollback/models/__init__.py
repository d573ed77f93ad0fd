from rollback.models.archive import LedgerEntry, Orphan
from rollback.models.audit import FlagChange
from rollback.models.doors import DoorCount
from rollback.models.drafts import EnrollmentDraft, NoReminders
from rollback.models.flags import ALL_FLAGS, Flag, Switchboard
from rollback.models.incidents import (
    AffectedPerson,
    Incident,
    IncidentAction,
    IncidentEvent,
    Latch,
)
from rollback.models.plans import Draining, Plan, PlanStep
from rollback.models.processes import Process
from rollback.models.timings import TimingMinute
from rollback.models.triggers import Judgment, Trigger, TriggerVersion
from rollback.models.verification import Baseline, ProbeResult, Verification
from rollback.models.watch import Complaint, EnrollmentSession, Heartbeat, LocalTrip, Sample

__all__ = [
    "ALL_FLAGS",
    "AffectedPerson",
    "Baseline",
    "Complaint",
    "DoorCount",
    "Draining",
    "EnrollmentDraft",
    "EnrollmentSession",
    "Flag",
    "FlagChange",
    "Heartbeat",
    "Incident",
    "IncidentAction",
    "IncidentEvent",
    "Judgment",
    "Latch",
    "LedgerEntry",
    "LocalTrip",
    "NoReminders",
    "Orphan",
    "Plan",
    "PlanStep",
    "ProbeResult",
    "Process",
    "Sample",
    "Switchboard",
    "TimingMinute",
    "Trigger",
    "TriggerVersion",
    "Verification",
]
