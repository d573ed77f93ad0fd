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
from rollback.models.oncall import Channel, OnCallPolicy, OnCallShift, Page, PageCall
from rollback.models.phases import PhaseRun
from rollback.models.plans import Draining, Plan, PlanStep
from rollback.models.processes import Process
from rollback.models.public import Banner, Maintenance, PublicUpdate
from rollback.models.rehearsals import Rehearsal
from rollback.models.schema_changes import SchemaChange
from rollback.models.timings import TimingMinute
from rollback.models.triggers import Judgment, Trigger, TriggerVersion
from rollback.models.uptime import UptimeDay
from rollback.models.verification import Baseline, ProbeResult, Verification
from rollback.models.watch import Complaint, EnrollmentSession, Heartbeat, LocalTrip, Sample
from rollback.models.words import (
    DeafAddress,
    MessageTemplate,
    NoNews,
    Notification,
    Sending,
    Stakeholder,
)

__all__ = [
    "ALL_FLAGS",
    "AffectedPerson",
    "Backup",
    "Banner",
    "Baseline",
    "Channel",
    "Complaint",
    "DeafAddress",
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
    "Maintenance",
    "MessageTemplate",
    "NoNews",
    "NoReminders",
    "Notification",
    "OnCallPolicy",
    "OnCallShift",
    "Orphan",
    "Page",
    "PageCall",
    "PhaseRun",
    "Plan",
    "PlanStep",
    "ProbeResult",
    "Process",
    "PublicUpdate",
    "Rehearsal",
    "Sample",
    "SchemaChange",
    "Sending",
    "Stakeholder",
    "Switchboard",
    "TimingMinute",
    "Trigger",
    "TriggerVersion",
    "UptimeDay",
    "Verification",
]
