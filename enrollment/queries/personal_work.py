"""What people did in the school, as data with readable keys. Documented in docs/privacy.md."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q, QuerySet

from enrollment.models import (
    ApiToken,
    Conflict,
    MakeUpCredit,
    Message,
    MessageAccess,
    Teacher,
    UnitDone,
    User,
)


def progress(*, user: User) -> Mapping[str, Any]:
    own = Q(enrollment__student__user=user)
    done = UnitDone.objects.filter(own | Q(by=user)).select_related("unit__course")
    return {
        "units_done": [_unit(one) for one in done.filter(own)],
        "units_ticked_by_you": [_unit(one) for one in done.filter(by=user)],
    }


def _unit(done: UnitDone) -> dict[str, Any]:
    return {
        "enrollment": done.enrollment_id,
        "course": done.unit.course.title,
        "unit": done.unit.title,
        "done_at": done.done_at,
        "lesson": done.lesson_id,
    }


def messages(*, user: User) -> Mapping[str, Any]:
    """What a person wrote, and what was written to a student. What students wrote is theirs."""
    seen = Message.objects.filter(Q(sender=user) | Q(enrollment__student__user=user))
    openings = MessageAccess.objects.filter(enrollment__student__user=user)
    return {
        "messages": [
            {
                "enrollment": one.enrollment_id,
                "from_you": one.sender_id == user.pk,
                "sent_at": one.sent_at,
                "text": one.body,
            }
            for one in seen.order_by("pk")
        ],
        "opened_by_the_office": list(openings.order_by("pk").values("enrollment", "opened_at")),
        "opened_by_you": list(
            MessageAccess.objects.filter(user=user)
            .order_by("pk")
            .values("enrollment", "opened_at", "reason")
        ),
    }


def make_up_credits(*, user: User) -> Mapping[str, Any]:
    owed = MakeUpCredit.objects.filter(enrollment__student__user=user).order_by("granted_at", "pk")
    names = ("enrollment", "lesson", "minutes", "granted_at", "used_lesson", "used_at")
    return {"make_up_credits": list(owed.values(*names))}


def conflicts_about(user: User) -> QuerySet[Conflict]:
    """Also those whose words name a teacher: as a substitute, for one."""
    about = (
        Q(student__user=user)
        | Q(teacher__user=user)
        | Q(enrollment__student__user=user)
        | Q(lessons__student__user=user)
        | Q(lessons__teacher__user=user)
    )
    for name in Teacher.objects.filter(user=user).values_list("display_name", flat=True):
        about |= Q(resolution__contains=name)
    return Conflict.objects.filter(about).distinct()


def conflicts(*, user: User) -> Mapping[str, Any]:
    found = conflicts_about(user).order_by("found_at", "pk")
    names = ("kind", "status", "found_at", "resolved_at", "resolution")
    ended = Conflict.objects.filter(resolved_by=user).order_by("pk")
    return {
        "conflicts": list(found.values(*names)),
        "ended_by_you": list(ended.values("kind", "resolved_at")),
    }


def tokens(*, user: User) -> Mapping[str, Any]:
    """Never the key: whoever has the file must not get in."""
    made = ApiToken.objects.filter(user=user).order_by("created")
    return {"tokens": list(made.values("name", "created", "expiry", "last_used_at", "revoked_at"))}
