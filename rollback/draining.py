"""Who keeps a feature a while beyond its share, because a step came in the middle of their enrollment.

The rows end by themselves: the switchboard does not read one whose time is over. Taking them away
earlier is tidying, and lets go of those who have finished.
"""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from enrollment.models import User
from rollback import switchboard
from rollback.blast import in_the_middle
from rollback.domain.shares import Snapshot, Subject, bucket_of
from rollback.limits import limited
from rollback.models import Draining, Flag, Switchboard


def keep(
    *, people: Collection[int], before: Snapshot, after: Snapshot, now: datetime, until: datetime
) -> int:
    """Called by a step, before it lowers the shares. Each flag stays on for who had it, and whoever
    stays already is not given more time.

    :returns: how many people.
    """
    rows = [
        Draining(flag_name=name, user_id=user, until=until)
        for user, subject in _subjects(people).items()
        for name in _lost(subject, before, after)
    ]
    if rows:
        Draining.objects.filter(until__lte=now, user_id__in=people).delete()
        Draining.objects.bulk_create(rows, ignore_conflicts=True)
    return len({row.user_id for row in rows})


def _lost(subject: Subject, before: Snapshot, after: Snapshot) -> list[str]:
    """Each flag alone, its master not asked: master and children are drained each by its own row."""
    bucket = bucket_of(before.salt, subject.key)
    return [
        name
        for name, state in before.flags.items()
        if state.on_for(subject, bucket) and not after.flags[name].on_for(subject, bucket)
    ]


def _subjects(people: Collection[int]) -> dict[int, Subject]:
    found = User.objects.filter(pk__in=people, is_active=True)
    return {
        pk: Subject(f"u:{pk}", pk, staff, superuser)
        for pk, staff, superuser in found.values_list("pk", "is_staff", "is_superuser")
    }


def sweep(*, now: datetime) -> int:
    """Let go of those who have finished, gone away, run out of time, or whose flag was killed.

    :returns: how many rows. Nothing is written when there are none: each write wakes all processes.
    """
    with limited():
        return _remove(_over(now))


def _over(now: datetime) -> list[int]:
    rows = list(Draining.objects.values_list("pk", "flag_name", "user_id", "until"))
    if not rows:
        return []
    enrolling = in_the_middle(now=now)
    killed = set(Flag.objects.filter(everyone=False).values_list("name", flat=True))
    return [
        pk
        for pk, flag, user, until in rows
        if until <= now or user not in enrolling or flag in killed
    ]


def end(*, flags: Collection[str]) -> int:
    """All at once. :returns: how many rows."""
    return _remove(list(Draining.objects.filter(flag_name__in=flags).values_list("pk", flat=True)))


def forget(*, user: int) -> int:
    """Of one person. :returns: how many rows."""
    return _remove(list(Draining.objects.filter(user_id=user).values_list("pk", flat=True)))


def still(*, flags: Collection[str], now: datetime) -> frozenset[int]:
    """Who keeps one of these flags beyond its share."""
    rows = Draining.objects.filter(flag_name__in=flags, until__gt=now)
    return frozenset(rows.values_list("user_id", flat=True))


def _remove(rows: Collection[int]) -> int:
    if not rows:
        return 0
    with transaction.atomic():
        # First, as whoever writes flags does: or a step and a sweep could wait for each other.
        Switchboard.objects.select_for_update().get(pk=1)
        gone, _ = Draining.objects.filter(pk__in=rows).delete()
        switchboard.after_commit()
    return gone
