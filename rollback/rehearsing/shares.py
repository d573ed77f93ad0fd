"""Shares set on the copy, and who really has the features then: counted, and nobody goes the other way."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from math import sqrt
from typing import Any

from django.contrib.auth import get_user_model
from django.utils.translation import gettext as _

from rollback import processes, runner, switchboard
from rollback.audit import Actor
from rollback.domain.shares import Snapshot, Subject
from rollback.models import Flag
from rollback.rehearsing.helper import StepFailed

DOWN, UP = (100, 50, 25, 0), (25, 50, 100)
ACTOR = Actor(name="rehearsal")
REASON = "Rehearsal, on a copy"
# Of a fair draw less than one in ten thousand is further off.
DEVIATIONS = 4


def all_on() -> None:
    """At 100 %, also what was killed. :raises rollback.audit.ChangeRefused:"""
    for flag in Flag.objects.all():
        if flag.is_killed:
            runner.restore(flag=flag.name, percent=Decimal(100), actor=ACTOR, reason=REASON)
    runner.set_shares(flags=_names(), percent=Decimal(100), actor=ACTOR, reason=REASON)


def none_on() -> None:
    """At 0 % instead of killed, from where it can be walked up. :raises rollback.audit.ChangeRefused:"""
    for flag in Flag.objects.all():
        if flag.is_killed:
            runner.restore(flag=flag.name, percent=Decimal(0), actor=ACTOR, reason=REASON)
    runner.set_shares(flags=_names(), percent=Decimal(0), actor=ACTOR, reason=REASON)


def walk(percents: Sequence[int]) -> dict[str, Any]:
    """:raises StepFailed: a share is not what it should be, or somebody went the other way"""
    subjects = everybody()
    before = _who(subjects)
    steps: list[dict[str, Any]] = []
    for percent in percents:
        runner.set_shares(flags=_names(), percent=Decimal(percent), actor=ACTOR, reason=REASON)
        _reached()
        now = _who(subjects)
        steps.append(_step(percent, before, now, subjects))
        before = now
    said = ", ".join(f"{one['percent']} %: {one['on']}" for one in steps)
    words = _("On for, of %(users)s people: %(steps)s. Nobody went the other way.")
    return {"shares": steps, "words": words % {"users": len(subjects), "steps": said}}


def everybody() -> list[Subject]:
    rows = get_user_model().objects.filter(is_active=True)
    return [
        Subject(key=f"u:{pk}", user_id=pk, is_staff=staff, is_superuser=superuser)
        for pk, staff, superuser in rows.values_list("pk", "is_staff", "is_superuser").iterator()
    ]


def _names() -> list[str]:
    return list(Flag.objects.values_list("name", flat=True))


def _who(subjects: Iterable[Subject]) -> dict[str, set[int]]:
    """Flag → who has it, by what the database says now."""
    snapshot = switchboard.read_here()
    return {name: snapshot.users_with_any([name], subjects) for name in snapshot.flags}


def _reached() -> None:
    found = processes.wait_for_all()
    if found is None or found.waiting:
        raise StepFailed(_("Not every process has taken over the share within its second."))


def _step(
    percent: int,
    before: dict[str, set[int]],
    now: dict[str, set[int]],
    subjects: Sequence[Subject],
) -> dict[str, Any]:
    """In what is reported, the flag with the most: those that need another have as many at most."""
    snapshot = switchboard.read_here()
    for name, on in now.items():
        both_ways = (on - before[name]) and (before[name] - on)
        if both_ways:
            words = _("%(flag)s at %(share)s %%: some got it while others lost it.")
            raise StepFailed(words % {"flag": name, "share": percent})
        _check_share(name, on, percent, snapshot, subjects)
    name = max(now, key=lambda one: len(now[one]), default="")
    on, was = now.get(name, set()), before.get(name, set())
    return {
        "percent": percent,
        "on": len(on),
        "of": len(subjects),
        "measured": 100 * len(on) / len(subjects) if subjects else 0.0,
        "moved": len(on ^ was),
    }


def _check_share(
    name: str, on: set[int], percent: int, snapshot: Snapshot, subjects: Sequence[Subject]
) -> None:
    """Without those who have it early, who are no draw; one flag alone, for a master only takes away."""
    drawn = [one for one in subjects if not _is_early(one, name, snapshot)]
    wanted, people = percent / 100, len(drawn)
    found = sum(one.user_id in on for one in drawn)
    allowed = DEVIATIONS * sqrt(people * wanted * (1 - wanted)) + 1
    if percent in (0, 100):
        allowed = 0
    if abs(found - people * wanted) > allowed:
        words = _("%(flag)s at %(share)s %% is on for %(on)s of %(people)s people.")
        facts = {"flag": name, "share": percent, "on": found, "people": people}
        raise StepFailed(words % facts)


def _is_early(subject: Subject, name: str, snapshot: Snapshot) -> bool:
    state = snapshot.flags[name]
    return (
        subject.user_id in state.users
        or (state.staff and subject.is_staff)
        or (state.superusers and subject.is_superuser)
    )
