from rollback.models.archive import LedgerEntry, Orphan
from rollback.models.audit import FlagChange
from rollback.models.backups import Backup
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
from rollback.models.phases import PhaseRun
from rollback.models.plans import Draining, Plan, PlanStep
from rollback.models.processes import Process
from rollback.models.rehearsals import Rehearsal
from rollback.models.schema_changes import SchemaChange
from rollback.models.timings import TimingMinute
from rollback.models.triggers import Judgment, Trigger, TriggerVersion
from rollback.models.verification import Baseline, ProbeResult, Verification
from rollback.models.watch import Complaint, EnrollmentSession, Heartbeat, LocalTrip, Sample

__all__ = [
    "ALL_FLAGS",
    "AffectedPerson",
    "Backup",
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
    "PhaseRun",
    "Plan",
    "PlanStep",
    "ProbeResult",
    "Process",
    "Rehearsal",
    "Sample",
    "SchemaChange",
    "Switchboard",
    "TimingMinute",
    "Trigger",
    "TriggerVersion",
    "Verification",
]
