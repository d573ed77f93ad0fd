"""What scheduling keeps of the programs that read a person's calendar."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from enrollment.models import User
from enrollment.personal import Contributor
from scheduling.models import CalendarFeed


def export(*, user: User) -> Mapping[str, Any]:
    """Never an address: it is a key, and not known any more."""
    return {
        "addresses": [
            {
                "name": one.name,
                "language": one.language,
                "created_at": one.created_at,
                "last_read_on": one.last_read_on,
                "revoked_at": one.revoked_at,
            }
            for one in CalendarFeed.objects.filter(user=user)
        ]
    }


def erase(*, user: User, now: datetime) -> None:
    CalendarFeed.objects.filter(user=user).delete()


def revoke(*, users: Collection[int], now: datetime) -> None:
    CalendarFeed.objects.filter(user__in=users, revoked_at=None).update(revoked_at=now)


def concerns(*, user: User) -> bool:
    return CalendarFeed.objects.filter(user=user).exists()


CALENDAR_FEEDS = Contributor(
    name="calendar_feeds",
    kept=_(
        "The addresses from which your calendar programs read your lessons: when you made them, the "
        "day of the last reading, and since when they are revoked"
    ),
    when_erased=_("Deleted; the programs read nothing any more."),
    covers=frozenset({"scheduling.CalendarFeed"}),
    export=export,
    erase=erase,
    unsaid=frozenset({"digest"}),
    concerns=concerns,
    revoke=revoke,
)
