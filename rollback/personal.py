"""What rollback keeps about people: drafts, early access to features, and who changed a flag."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from enrollment.models import User
from enrollment.personal import Contributor, EraseBlocked
from rollback import runner
from rollback.models import EnrollmentDraft, Flag, FlagChange
from rollback.runner import Actor, ChangeBlocked

DELETED_PERSON = "Deleted person"


def export_drafts(*, user: User) -> Mapping[str, Any]:
    drafts = EnrollmentDraft.objects.filter(student__user=user).select_related("course")
    return {"drafts": [_draft(draft) for draft in drafts.order_by("pk")]}


def _draft(draft: EnrollmentDraft) -> dict[str, Any]:
    return {
        "course": draft.course.title,
        "answers": draft.answers,
        "furthest_step": draft.step,
        "started_at": draft.started_at,
        "saved_at": draft.saved_at,
        "turned_away_at": draft.turned_away_at,
        "finished_at": draft.finished_at,
        "enrollment": draft.enrollment_id,
    }


def erase_drafts(*, user: User, now: datetime) -> None:
    EnrollmentDraft.objects.filter(student__user=user).delete()


def export_flags(*, user: User) -> Mapping[str, Any]:
    changes = FlagChange.objects.filter(actor=user).order_by("pk")
    return {
        "early_features": list(_early(user).values_list("name", flat=True)),
        "flag_changes": list(
            changes.values("flag_name", "action", "reason", "actor_name", "changed_at")
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
    FlagChange.objects.filter(actor=user).update(actor_name=DELETED_PERSON)


def concerns_flags(*, user: User) -> bool:
    return _early(user).exists() or FlagChange.objects.filter(actor=user).exists()


def _early(user: User) -> Any:
    return Flag.objects.filter(users=user).order_by("name")  # type: ignore[misc]


DRAFTS = Contributor(
    name="unfinished_enrollments",
    kept=_("What you typed into enrollment forms, also where you did not finish"),
    when_erased=_("Deleted."),
    covers=frozenset({"rollback.EnrollmentDraft"}),
    export=export_drafts,
    erase=erase_drafts,
)
FLAGS = Contributor(
    name="features",
    kept=_("Which new features you were given early, and which you switched for the school"),
    when_erased=_("You are taken off the lists; the record of switching stays without your name."),
    covers=frozenset({"rollback.Flag_users", "rollback.FlagChange"}),
    export=export_flags,
    erase=erase_flags,
    concerns=concerns_flags,
)
CONTRIBUTORS = (FLAGS, DRAFTS)
