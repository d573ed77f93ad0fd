"""What scheduling keeps of what a person's programs asked for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from enrollment.models import User
from enrollment.personal import Contributor
from scheduling.models import IdempotencyKey


def export(*, user: User) -> Mapping[str, Any]:
    """What was booked stands among the lessons; this is only that a program asked."""
    rows = IdempotencyKey.objects.filter(user=user).order_by("created_at")
    return {
        "requests": [{"key": one.key, "at": one.created_at, "status": one.status} for one in rows]
    }


def erase(*, user: User, now: datetime) -> None:
    """Those the person sent, and others' answers that name them."""
    IdempotencyKey.objects.filter(
        Q(user=user)
        | Q(answer__student__id__in=_keys_of(user, "student"))
        | Q(answer__teacher__id__in=_keys_of(user, "teacher"))
    ).delete()


def _keys_of(user: User, who: str) -> list[int]:
    person = getattr(user, who, None)
    return [person.pk] if person else []


PROGRAM_REQUESTS = Contributor(
    name="program_requests",
    kept=_("What your programs asked to be booked, moved or cancelled, for 24 hours"),
    when_erased=_("Deleted."),
    covers=frozenset({"scheduling.IdempotencyKey"}),
    export=export,
    erase=erase,
    unsaid=frozenset({"fingerprint", "answer"}),
)
