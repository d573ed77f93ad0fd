"""What people did in the school, as data with readable keys. Documented in docs/privacy.md."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from enrollment.models import ApiToken, Message, MessageAccess, UnitDone, User


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


def tokens(*, user: User) -> Mapping[str, Any]:
    """Never the key: whoever has the file must not get in."""
    made = ApiToken.objects.filter(user=user).order_by("created")
    return {"tokens": list(made.values("name", "created", "expiry", "last_used_at", "revoked_at"))}
