"""What the status page tells, read from the rows: nothing but what was published, and how the parts stand."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.db.models import F, Q, Sum
from django.utils.translation import gettext_lazy as _

from rollback import registry, switchboard
from rollback.domain.characters import all_without_forbidden
from rollback.domain.metrics import Metric
from rollback.domain.shares import Snapshot
from rollback.domain.standing import (
    SCHOOL,
    Facts,
    Now,
    Part,
    Story,
    Word,
    Work,
    standing_of,
    stories,
)
from rollback.models import Maintenance, PublicUpdate, Sample
from rollback.public.status import days

LATELY = timedelta(minutes=5)
SHOWN = timedelta(days=days.SHOWN)
MOST = 500  # updates


def titles() -> Mapping[str, registry.Text]:
    """Of the parts, in the order in which they are shown."""
    school = {SCHOOL: _("Enrollment, lessons and messages")}
    return school | {feature.name: feature.title for feature in registry.features()}


def read(*, now: datetime) -> Facts:
    """In one transaction of the caller's; eight queries, however many rows there are."""
    told, work, past = _stories(now), _work(now), days.past(now=now)
    current = [story for story in told if not story.is_over]
    return Facts(
        as_of=now,
        parts=_parts(current, work, past, now=now),
        current=current,
        past=[story for story in told if story.is_over],
        work=work,
    )


def _parts(
    current: Sequence[Story],
    work: Sequence[Work],
    past: days.Past,
    *,
    now: datetime,
) -> list[Part]:
    snapshot, counts = switchboard.read_here(), _counts(now)
    told = {part for story in current for part in story.newest.parts}
    worked_on = {part for one in work if one.starts_at <= now for part in one.parts}
    made = partial(
        _now,
        snapshot=snapshot,
        counts=counts,
        never=past.never,
        told=told,
        worked_on=worked_on,
    )
    return [Part(key=key, standing=standing_of(made(key)), days=past.days[key]) for key in titles()]


def _now(
    key: str,
    *,
    snapshot: Snapshot,
    counts: Mapping[str, tuple[int, int]],
    never: Collection[str],
    told: Collection[str],
    worked_on: Collection[str],
) -> Now:
    flag = "" if key == SCHOOL else registry.by_name()[key].flag
    total, bad = counts.get(flag, (0, 0))
    return Now(
        chain=snapshot.chains.get(flag, ()) if flag else None,
        was_there=key not in never,
        is_told=key in told,
        is_worked_on=key in worked_on,
        total=total,
        bad=bad,
    )


def _counts(now: datetime) -> Mapping[str, tuple[int, int]]:
    """By flag: the requests of the last minutes, and how many failed."""
    rows = (
        Sample.objects.filter(
            metric=Metric.REQUESTS, is_on=True, seconds=10, begins_at__gt=now - LATELY
        )
        .values_list("feature")
        .annotate(Sum("total"), Sum("bad"))
    )
    return {feature: (total, bad) for feature, total, bad in rows}


def _stories(now: datetime) -> list[Story]:
    rows = (
        PublicUpdate.objects.filter(
            Q(published_at__gte=now - SHOWN) | Q(incident__resolved_at=None)
        )
        .order_by("-published_at", "-pk")
        # Nothing else of the incident is read: what is not here can be told by no mistake.
        .annotate(resolved_at=F("incident__resolved_at"))
    )[:MOST]
    words = [
        Word(
            pk=row.pk,
            incident=row.incident_id,
            state=row.state,
            parts=row.components,
            headings=all_without_forbidden(row.headings),
            texts=all_without_forbidden(row.texts),
            at=row.published_at,
            next_at=row.next_at,
        )
        for row in rows
    ]
    resolved = {row.incident_id for row in rows if row.resolved_at is not None}
    return stories(words, resolved=resolved)


def _work(now: datetime) -> list[Work]:
    rows = Maintenance.objects.filter(
        announced_from__lte=now, ends_at__gt=now, cancelled_at=None
    ).order_by("starts_at", "pk")
    return [
        Work(
            pk=row.pk,
            headings=all_without_forbidden(row.headings),
            texts=all_without_forbidden(row.texts),
            parts=row.components,
            announced_from=row.announced_from,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
        )
        for row in rows[:MOST]
    ]
