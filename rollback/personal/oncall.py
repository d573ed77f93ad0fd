"""About people: when they are on call, and what they were called for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from enrollment.models import User
from enrollment.personal import Contributor
from rollback.models import OnCallShift, Page, PageCall


def export_on_call(*, user: User) -> Mapping[str, Any]:
    shifts = OnCallShift.objects.filter(user=user).order_by("starts_at", "pk")
    called = PageCall.objects.filter(user=user).order_by("called_at", "pk")
    answered = Page.objects.filter(acknowledged_by=user).order_by("acknowledged_at", "pk")
    return {
        "shifts": list(shifts.values("level", "starts_at", "ends_at", "handed_over_at")),
        "called": list(called.values("page__kind", "page__incident__title", "level", "called_at")),
        "acknowledged": list(answered.values("kind", "incident__title", "acknowledged_at")),
    }


def erase_on_call(*, user: User, now: datetime) -> None:
    """That somebody was called and answered stays; to come, nobody is called who is not there."""
    OnCallShift.objects.filter(user=user).delete()
    Page.objects.filter(acknowledged_by=user).update(acknowledged_by_name=f"person {user.pk}")


def concerns_on_call(*, user: User) -> bool:
    return (
        OnCallShift.objects.filter(user=user).exists()
        or PageCall.objects.filter(user=user).exists()
        or Page.objects.filter(acknowledged_by=user).exists()
    )


ON_CALL = Contributor(
    name="on_call",
    kept=_("When you are on call, what you were called for, and when you answered"),
    when_erased=_(
        "Your shifts are deleted; that somebody was called and answered stays without your name."
    ),
    covers=frozenset({"rollback.OnCallShift", "rollback.Page", "rollback.PageCall"}),
    export=export_on_call,
    erase=erase_on_call,
    concerns=concerns_on_call,
)
CONTRIBUTORS = (ON_CALL,)
