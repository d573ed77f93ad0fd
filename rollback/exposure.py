"""How many have a feature now: the numbers of the switchboard's page and of `rollback status`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from enrollment.models import ApiToken, User
from rollback import registry, switchboard
from rollback.domain.shares import Answer, Subject, Why
from rollback.models import DoorCount, Flag

VISITOR = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """users: active users. on: flag name → how many of them have it. turned_away: today, UTC."""

    users: int
    on: Mapping[str, int]
    turned_away: Mapping[str, int]


def numbers() -> Numbers:
    """Two queries, and one hash for each user."""
    users, on = on_now()
    return Numbers(
        users=users,
        on=on,
        turned_away=dict(
            DoorCount.objects.filter(on_date=timezone.now().date())
            .values_list("feature")
            .annotate(Sum("turned_away"))
        ),
    )


def on_now() -> tuple[int, Mapping[str, int]]:
    """How many active users there are, and by flag name how many of them have it. One query."""
    people = get_user_model().objects.filter(is_active=True)
    subjects = [
        Subject(key=f"u:{pk}", user_id=pk, is_staff=staff, is_superuser=superuser)
        for pk, staff, superuser in people.values_list("pk", "is_staff", "is_superuser").iterator()
    ]
    return len(subjects), switchboard.board.snapshot().count_on(subjects)


def title(flag: str) -> str:
    feature = registry.get(flag)
    return str(feature.title) if feature else flag


def state(flag: Flag) -> tuple[str, str]:
    """:returns: a key ("on", "part", "off", "killed", "archived") and its word."""
    if switchboard.is_archived(flag.name):
        return "archived", _("In the archive")
    if flag.is_killed:
        return "killed", _("Killed")
    if not flag.percent:
        return "off", _("Off")
    if flag.requires is not None and (
        flag.requires.is_killed or switchboard.is_archived(flag.requires.name)
    ):
        return "off", _("Off with its master")
    return ("on", _("On")) if flag.percent == 100 else ("part", _("On for a share"))


@dataclass(frozen=True, kw_only=True)
class Known:
    """Somebody the switchboard can be asked about. name: how the office knows them."""

    name: str
    subject: Subject


class NobodyFound(Exception):
    """The message says what could have been asked."""


def find(text: str) -> Known:
    """By mail address, by the first characters of an API token, or by a visitor's cookie or its id.

    :raises NobodyFound:
    """
    text = text.strip()
    if "@" in text:
        user = User.objects.filter(email__iexact=text).first()
    else:
        token = ApiToken.objects.filter(token_key=text).select_related("user").first()
        user = token.user if token else None
    if user is not None:
        return Known(name=f"{user} <{user.email}>", subject=switchboard.subject_of(user))
    visitor = text if VISITOR.fullmatch(text) else switchboard.visitor_from_cookie(text)
    if visitor:
        name = _("Visitor %(id)s") % {"id": visitor}
        return Known(name=name, subject=Subject(key=f"a:{visitor}"))
    raise NobodyFound(
        _(
            "Nobody is known by that. Give a person's mail address, the first 15 characters of an "
            "API token, or what a visitor's cookie “visitor” holds."
        )
    )


def answers(subject: Subject) -> dict[str, Answer]:
    """By flag name, in the site plan's order, from the snapshot of this process."""
    snapshot = switchboard.board.snapshot()
    return {
        feature.flag: snapshot.explain(feature.flag, subject) for feature in registry.features()
    }


def in_words(answer: Answer) -> str:
    facts = {
        "share": f"{answer.share / 100:g}",
        # The smallest share that reaches this bucket.
        "needed": "" if answer.bucket is None else f"{(answer.bucket + 1) / 100:g}",
        "master": title(answer.master) if answer.master else "",
    }
    return _sentence(answer.why) % facts


def _sentence(why: Why) -> str:
    return {
        Why.UNKNOWN: _("The flag is unknown, or the database was not reached."),
        Why.KILLED: _("Killed for everybody."),
        Why.ARCHIVED: _("Its tables are in the archive."),
        Why.NO_SHARE: _("The share is 0 %%."),
        Why.OUTSIDE: _("Outside the share of %(share)s %%; comes with %(needed)s %%."),
        Why.MASTER: _("Its master is off: %(master)s."),
        Why.INSIDE: _("Inside the share of %(share)s %%; goes below %(needed)s %%."),
        Why.EARLY: _("Has it early, at any share above 0 %%."),
        Why.DRAINING: _(
            "Keeps it beyond the share of %(share)s %% until the enrollment they are in the middle "
            "of is finished, or the patience is over."
        ),
    }[why]
