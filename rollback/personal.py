"""What rollback keeps about people: drafts, early access to features, and who changed a flag."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q, TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _

from enrollment.models import User
from enrollment.personal import Contributor, EraseBlocked
from rollback import runner
from rollback.models import EnrollmentDraft, Flag, FlagChange, Incident, NoReminders
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


def _incidents(user: User) -> Any:
    return Incident.objects.filter(Q(opened_by=user) | Q(resolved_by=user)).order_by("pk")


def _early(user: User) -> Any:
    return Flag.objects.filter(users=user).order_by("name")  # type: ignore[misc]


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
CONTRIBUTORS = (FLAGS, DRAFTS)
