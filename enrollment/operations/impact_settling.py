"""What was decided about the lessons that a change hits, in the transaction of the change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext

from enrollment import detectors
from enrollment.domain.states import ConflictStatus
from enrollment.models import Conflict, User
from enrollment.operations.conflicts import search
from enrollment.operations.impact import Hit
from enrollment.operations.settling import Case, Decision, Done, dismiss, settle


@dataclass(frozen=True, kw_only=True)
class Settled:
    conflicts: Sequence[Conflict]
    done: Sequence[Done]


@transaction.atomic
def settle_hits(
    *,
    hits: Sequence[Hit],
    decisions: Mapping[int, Decision | None],
    reason: str,
    by: User,
    now: datetime,
) -> Settled:
    """decisions: by lesson; None keeps it as it is. What the change has made is found as conflicts
    first, so that these end as any other does, and what is kept is not found anew.

    :raises CannotSettle: and whatever else `settle` and `dismiss` raise.
    """
    pks = [hit.lesson.pk for hit in hits]
    search(now=now, lessons=pks)
    cases = _cases(_open(hits), decisions)
    done = settle(cases=cases, reason=reason, by=by, now=now) if cases else []
    kept = [pk for pk in pks if decisions[pk] is None]
    if kept:
        # Once more: one conflict may be about several, of which some have just moved.
        search(now=now, lessons=pks)
        staying = [hit for hit in hits if hit.lesson.pk in kept]
        words = reason or gettext("Kept when the change was made.")
        dismiss(conflicts=_open(staying), reason=words, by=by, now=now)
    return Settled(conflicts=[case.conflict for case in cases], done=done)


def _open(hits: Sequence[Hit]) -> list[Conflict]:
    found = Conflict.objects.filter(
        status=ConflictStatus.OPEN,
        kind__in=[one.kind for one in detectors.registered() if one.displaces],
        lessons__in=[hit.lesson.pk for hit in hits],
    )
    return list(found.distinct().order_by("pk").prefetch_related("lessons"))


def _cases(conflicts: Sequence[Conflict], decisions: Mapping[int, Decision | None]) -> list[Case]:
    """Each decision once, also about a lesson that two conflicts name."""
    left = {pk: decision for pk, decision in decisions.items() if decision is not None}
    cases = []
    for conflict in conflicts:
        named = {lesson.pk for lesson in conflict.lessons.all()}
        if not any(decisions.get(pk) for pk in named):
            continue
        mine = [left.pop(pk) for pk in sorted(named & left.keys())]
        cases.append(Case(conflict=conflict, decisions=mine))
    return cases
