"""How many have a feature now: the numbers of the switchboard's page and of `rollback status`."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from rollback import registry, switchboard
from rollback.domain.shares import Subject
from rollback.models import DoorCount, Flag


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """users: active users. on: flag name → how many of them have it. turned_away: today, UTC."""

    users: int
    on: Mapping[str, int]
    turned_away: Mapping[str, int]


def numbers() -> Numbers:
    """Two queries, and one hash for each user."""
    people = get_user_model().objects.filter(is_active=True)
    subjects = [
        Subject(key=f"u:{pk}", user_id=pk, is_staff=staff, is_superuser=superuser)
        for pk, staff, superuser in people.values_list("pk", "is_staff", "is_superuser").iterator()
    ]
    return Numbers(
        users=len(subjects),
        on=switchboard.board.snapshot().count_on(subjects),
        turned_away=dict(
            DoorCount.objects.filter(on_date=timezone.now().date())
            .values_list("feature")
            .annotate(Sum("turned_away"))
        ),
    )


def title(flag: str) -> str:
    feature = registry.get(flag)
    return str(feature.title) if feature else flag


def state(flag: Flag) -> tuple[str, str]:
    """:returns: a key ("on", "part", "off", "killed") and its word."""
    if flag.is_killed:
        return "killed", _("Killed")
    if not flag.percent:
        return "off", _("Off")
    if flag.requires is not None and flag.requires.is_killed:
        return "off", _("Off with its master")
    return ("on", _("On")) if flag.percent == 100 else ("part", _("On for a share"))
