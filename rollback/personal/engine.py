"""About people: drafts, early access to features, who changed a flag, incidents and what follows them."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import F, Func, Q, TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _

from enrollment.models import User
from enrollment.personal import Contributor, EraseBlocked
from rollback import draining, keeping, runner
from rollback.complaints import GONE, nobody
from rollback.models import (
    AffectedPerson,
    Complaint,
    Draining,
    EnrollmentDraft,
    EnrollmentSession,
    Flag,
    FlagChange,
    Incident,
    IncidentAction,
    IncidentEvent,
    NoReminders,
    PhaseRun,
    Plan,
    PlanStep,
    TriggerVersion,
)
from rollback.runner import Actor, ChangeBlocked


def export_drafts(*, user: User) -> Mapping[str, Any]:
    # As text, which is whatever stands there: a draft that cannot be read is the person's too.
    drafts = (
        EnrollmentDraft.objects.filter(student__user=user)
        .select_related("course")
        .annotate(as_text=Cast("answers", TextField()), aside=Cast("set_aside", TextField()))
        .defer("answers", "heard", "changes", "set_aside")
    )
    return {
        "drafts": [_draft(draft) for draft in drafts.order_by("pk")],
        "no_reminders": NoReminders.objects.filter(student__user=user).exists(),
    }


def _draft(draft: Any) -> dict[str, Any]:
    return {
        "course": draft.course.title,
        "answers": _parsed(draft.as_text),
        "not_chosen": _parsed(draft.aside),
        "furthest_step": draft.step,
        "started_at": draft.started_at,
        "saved_at": draft.saved_at,
        "turned_away_at": draft.turned_away_at,
        "finished_at": draft.finished_at,
        "enrollment": draft.enrollment_id,
    }


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def erase_drafts(*, user: User, now: datetime) -> None:
    EnrollmentDraft.objects.filter(student__user=user).delete()
    NoReminders.objects.filter(student__user=user).delete()


def export_flags(*, user: User) -> Mapping[str, Any]:
    changes = FlagChange.objects.filter(actor=user).order_by("pk")
    return {
        "early_features": list(_early(user).values_list("name", flat=True)),
        "flag_changes": list(
            changes.values("flag_name", "action", "reason", "actor_name", "changed_at")
        ),
        "incidents": list(
            _incidents(user).values("title", "opened_at", "resolved_at", "resolution")
        ),
    }


def erase_flags(*, user: User, now: datetime) -> None:
    """The audit stays, and says that somebody did it; early users change the way they always do."""
    for flag in _early(user):
        try:
            runner.set_early(
                flag=flag.name,
                staff=flag.staff,
                superusers=flag.superusers,
                users=flag.users.exclude(pk=user.pk),
                actor=Actor(name="account deletion"),
                reason="One of the early users was deleted.",
            )
        except ChangeBlocked as blocked:
            raise EraseBlocked from blocked
    # The one change that the database lets anybody make in its audit.
    number = f"person {user.pk}"
    FlagChange.objects.filter(actor=user).update(actor_name=number)
    Incident.objects.filter(opened_by=user).update(opened_by_name=number)
    Incident.objects.filter(resolved_by=user).update(resolved_by_name=number)


def concerns_flags(*, user: User) -> bool:
    acted = FlagChange.objects.filter(actor=user).exists() or _incidents(user).exists()
    return acted or _early(user).exists()


def export_plans(*, user: User) -> Mapping[str, Any]:
    begun = Plan.objects.filter(actor=user).order_by("pk")
    concerning = PlanStep.objects.filter(people__contains=[user.pk], done_at__isnull=False)
    return {
        "plans": list(begun.values("direction", "flags", "reason", "created_at", "ended_at")),
        "features_changed_for_you": list(
            concerning.order_by("pk").values("plan__direction", "plan__flags", "percent", "done_at")
        ),
        "features_kept_longer": list(
            Draining.objects.filter(user=user).order_by("pk").values("flag_name", "until")
        ),
    }


def erase_plans(*, user: User, now: datetime) -> None:
    """How many a step concerned stays, and that one of them was this person does not."""
    gone = {"people": Func(F("people"), user.pk, function="array_remove")}
    PlanStep.objects.filter(people__contains=[user.pk]).update(**gone)
    draining.forget(user=user.pk)
    Plan.objects.filter(actor=user).update(actor_name=f"person {user.pk}")


def concerns_plans(*, user: User) -> bool:
    steps = PlanStep.objects.filter(people__contains=[user.pk])
    return (
        Plan.objects.filter(actor=user).exists()
        or steps.exists()
        or Draining.objects.filter(user=user).exists()
    )


def _incidents(user: User) -> Any:
    return Incident.objects.filter(Q(opened_by=user) | Q(resolved_by=user)).order_by("pk")


def _early(user: User) -> Any:
    return Flag.objects.filter(users=user).order_by("name")  # type: ignore[misc]


def export_sessions(*, user: User) -> Mapping[str, Any]:
    found = EnrollmentSession.objects.filter(student__user=user).order_by("started_at", "pk")
    return {
        "attempts": list(
            found.values(
                "course__title",
                "began_in",
                "flow",
                "furthest_step",
                "started_at",
                "changed_at",
                "finished_at",
            )
        )
    }


def erase_sessions(*, user: User, now: datetime) -> None:
    EnrollmentSession.objects.filter(student__user=user).delete()


def export_incidents(*, user: User) -> Mapping[str, Any]:
    """Of a timeline what the person wrote: its other facts may be about others."""
    concerned = AffectedPerson.objects.filter(user=user).order_by("pk")
    written = IncidentEvent.objects.filter(actor=user).order_by("pk")
    return {
        "concerned": list(
            concerned.values("reasons", title=F("incident__title"), at=F("incident__opened_at"))
        ),
        "written": [
            {"incident": event.incident.title, "at": event.at, "kind": event.kind}
            | {key: event.payload[key] for key in WRITTEN if key in event.payload}
            for event in written.select_related("incident")
        ],
        "acknowledged": list(
            Incident.objects.filter(acknowledged_by=user)
            .order_by("pk")
            .values("title", "acknowledged_at")
        ),
        "to_be_done": list(
            IncidentAction.objects.filter(who=user)
            .order_by("pk")
            .values("text", "due_on", "done_on", title=F("incident__title"))
        ),
    }


WRITTEN = ("text", "reason", "resolution", "root_cause", "lessons")


def erase_incidents(*, user: User, now: datetime) -> None:
    """The timeline stays, by somebody; the chain of its lines is without the name."""
    AffectedPerson.objects.filter(user=user).delete()
    IncidentEvent.objects.filter(actor=user).update(actor_name=f"person {user.pk}")
    IncidentAction.objects.filter(who=user).update(who_name=f"person {user.pk}")


def concerns_incidents(*, user: User) -> bool:
    return (
        AffectedPerson.objects.filter(user=user).exists()
        or IncidentEvent.objects.filter(actor=user).exists()
        or Incident.objects.filter(acknowledged_by=user).exists()
        or IncidentAction.objects.filter(who=user).exists()
    )


def export_reports(*, user: User) -> Mapping[str, Any]:
    own = Complaint.objects.filter(by=user).order_by("pk")
    answered = Complaint.objects.filter(done_by=user).order_by("pk")
    return {
        "sent": list(
            own.values("kind", "text", "path", "features", "reported_at", "done_at", "answer")
        ),
        "answered": list(answered.values("kind", "answer", "done_at")),
    }


def erase_reports(*, user: User, now: datetime) -> None:
    """That somebody complained, where and when, stays: incidents count it. What they wrote does not,
    nor what was answered, which is about them."""
    somebody = nobody()  # one for all of them, or an hour's count of people would rise
    for sent in Complaint.objects.select_for_update().filter(by=user):
        sent.by, sent.reporter, sent.text = None, somebody, ""
        sent.answer = GONE if sent.answer else ""
        sent.save(update_fields=["by", "reporter", "text", "answer"])
    Complaint.objects.filter(done_by=user).update(done_by_name=f"person {user.pk}")


def concerns_reports(*, user: User) -> bool:
    return Complaint.objects.filter(Q(by=user) | Q(done_by=user)).exists()


def export_triggers(*, user: User) -> Mapping[str, Any]:
    saved = TriggerVersion.objects.filter(actor=user).order_by("pk")
    return {"saved": list(saved.values("trigger_name", "version", "rule", "reason", "saved_at"))}


def erase_triggers(*, user: User, now: datetime) -> None:
    """That it was changed and why stays; the database lets the name be taken off, and nothing else."""
    TriggerVersion.objects.filter(actor=user).update(actor_name=f"person {user.pk}")


def concerns_triggers(*, user: User) -> bool:
    return TriggerVersion.objects.filter(actor=user).exists()


def export_phases(*, user: User) -> Mapping[str, Any]:
    fields = ("target", "reason", "asked_at", "approved_at", "finished_at")
    return {
        "asked_for": list(PhaseRun.objects.filter(operator=user).order_by("pk").values(*fields)),
        "approved": list(PhaseRun.objects.filter(approver=user).order_by("pk").values(*fields)),
    }


def erase_phases(*, user: User, now: datetime) -> None:
    """That there were two people stays, by their numbers."""
    number = f"person {user.pk}"
    PhaseRun.objects.filter(operator=user).update(operator_name=number)
    PhaseRun.objects.filter(approver=user).update(approver_name=number)


def concerns_phases(*, user: User) -> bool:
    return PhaseRun.objects.filter(Q(operator=user) | Q(approver=user)).exists()


def export_archive(*, user: User) -> Mapping[str, Any]:
    """What can come back is in the copy of whoever put it there."""
    return keeping.copy_for(user)


def erase_archive(*, user: User, now: datetime) -> None:
    keeping.erase_person(user)


def concerns_archive(*, user: User) -> bool:
    return keeping.concerns(user)


ARCHIVE = Contributor(
    name="archive",
    kept=_(
        "What was left in the archive of features that were taken away and brought back, and what of "
        "the archive you had deleted"
    ),
    when_erased=_("Deleted; that something was deleted for good stays without your name."),
    covers=frozenset({"rollback.LedgerEntry", "rollback.Orphan"}),
    export=export_archive,
    erase=erase_archive,
    concerns=concerns_archive,
)
DRAFTS = Contributor(
    name="unfinished_enrollments",
    kept=_("What you typed into enrollment forms, also where you did not finish"),
    when_erased=_("Deleted."),
    covers=frozenset({"rollback.EnrollmentDraft", "rollback.NoReminders"}),
    export=export_drafts,
    erase=erase_drafts,
)
FLAGS = Contributor(
    name="features",
    kept=_("Which new features you were given early, and which you switched for the school"),
    when_erased=_("You are taken off the lists; the record of switching stays without your name."),
    covers=frozenset(
        {
            "rollback.Flag_users",
            "rollback.FlagChange",
            "rollback.Incident",
            "rollback.Latch",
            "rollback.ProbeResult",
            "rollback.Verification",
        }
    ),
    export=export_flags,
    erase=erase_flags,
    concerns=concerns_flags,
)
SESSIONS = Contributor(
    name="enrollment_attempts",
    kept=_("When you began to enroll in a course, how far you came, and whether you finished"),
    when_erased=_("Deleted."),
    covers=frozenset({"rollback.EnrollmentSession"}),
    export=export_sessions,
    erase=erase_sessions,
)
INCIDENTS = Contributor(
    name="incidents",
    kept=_(
        "That an incident of the school concerned you, what you wrote about one, and what you are to do "
        "after one"
    ),
    when_erased=_(
        "You are taken off the lists of those concerned; what you wrote stays without your name."
    ),
    covers=frozenset(
        {"rollback.AffectedPerson", "rollback.IncidentEvent", "rollback.IncidentAction"}
    ),
    export=export_incidents,
    erase=erase_incidents,
    concerns=concerns_incidents,
)
REPORTS = Contributor(
    name="reports",
    kept=_("Problems that you reported, with the page and the features that were on for you"),
    when_erased=_(
        "Your words and the answers are deleted; that somebody reported something stays."
    ),
    covers=frozenset({"rollback.Complaint"}),
    export=export_reports,
    erase=erase_reports,
    concerns=concerns_reports,
)
TRIGGERS = Contributor(
    name="triggers",
    kept=_("When you changed what features are taken away by, and why"),
    when_erased=_("The record of the change stays without your name."),
    covers=frozenset({"rollback.TriggerVersion"}),
    export=export_triggers,
    erase=erase_triggers,
    concerns=concerns_triggers,
)
PLANS = Contributor(
    name="steps_of_features",
    kept=_(
        "When a feature was taken from you or given to you step by step, and the plans you began"
    ),
    when_erased=_("You are taken out of the lists; the plans stay without your name."),
    covers=frozenset({"rollback.Plan", "rollback.PlanStep", "rollback.Draining"}),
    export=export_plans,
    erase=erase_plans,
    concerns=concerns_plans,
)
PHASES = Contributor(
    name="phases",
    kept=_("When you asked for the features' tables to be moved, or approved it"),
    when_erased=_("That somebody asked and somebody approved stays, without your name."),
    covers=frozenset({"rollback.PhaseRun"}),
    export=export_phases,
    erase=erase_phases,
    concerns=concerns_phases,
)
CONTRIBUTORS = (
    ARCHIVE,
    TRIGGERS,
    INCIDENTS,
    FLAGS,
    REPORTS,
    DRAFTS,
    SESSIONS,
    PLANS,
    PHASES,
)
