"""Finding conflicts: every detector is asked, and its answer is kept as rows that open and end."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.core.cache import cache
from django.db import connection, transaction
from django.utils.translation import gettext

from enrollment import detectors
from enrollment.detectors import Detector
from enrollment.domain.findings import Finding
from enrollment.domain.states import ConflictStatus, LessonStatus
from enrollment.models import Conflict, Lesson
from enrollment.operations.lessons import SlotTaken, taken_if_blocked
from enrollment.operations.look_again import wake

__all__ = ["Found", "find_conflicts", "find_if_newer", "wake"]

log = structlog.get_logger(__name__)

SEARCH = 0x73636832  # any number that no other advisory lock has
# A rule that could do nothing is asked again each time; more than these wait for their turn.
MOST_RULES = 200
BEGAN = "conflicts:began"
DAY = 86_400

Key = tuple[str, str]


class PersonWasFaster(Exception):
    """Who has ended the conflict while a rule was at it: what the rule has done is undone."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """opened: what was not known. gone: what is so no more. settled: ended by a safe rule."""

    opened: int
    gone: int
    settled: int


def find_if_newer(*, asked_at: float | None, now: datetime) -> Found | None:
    """None: a search that began after this one was asked for has seen it all.

    asked_at: seconds of the epoch; None always searches.
    """
    began = cache.get(BEGAN)
    if asked_at is not None and began is not None and began > asked_at:
        return None
    cache.set(BEGAN, now.timestamp(), DAY)
    return find_conflicts(now=now)


def find_conflicts(*, now: datetime, lessons: Collection[int] | None = None) -> Found:
    """Twice at once, or again, makes no row twice. lessons: what one of these has part in, only."""
    opened, gone = _search(now=now, lessons=lessons)
    found = Found(opened=opened, gone=gone, settled=_follow_rules(now=now))
    if found != Found(opened=0, gone=0, settled=0):
        log.info("conflicts.found", opened=opened, gone=gone, settled=found.settled)
    return found


def search(*, now: datetime, lessons: Collection[int]) -> None:
    """As `find_conflicts`, and no rule is followed: a person is just deciding about these lessons."""
    _search(now=now, lessons=lessons)


@transaction.atomic
def _search(*, now: datetime, lessons: Collection[int] | None) -> tuple[int, int]:
    """Locks conflicts only, and lessons never: whoever settles one by hand has locked those first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SEARCH])
    # Before anybody is asked: what is settled by hand meanwhile is known, and is not opened anew.
    known = {
        (one.kind, one.key): one for one in Conflict.objects.exclude(status=ConflictStatus.RESOLVED)
    }
    answers = {one.kind: one.find(now=now, lessons=lessons) for one in sorted_detectors()}
    findings = {
        (one.kind, one.key): one
        for answer in answers.values()
        if answer is not None
        for one in answer
    }
    asked = {kind for kind, answer in answers.items() if answer is not None}
    _refresh([(known[key], finding) for key, finding in findings.items() if key in known], now=now)
    opened = _open([one for key, one in findings.items() if key not in known], now=now)
    missing = [one.pk for key, one in known.items() if one.kind in asked and key not in findings]
    return opened, _close(missing, now=now, lessons=lessons)


def sorted_detectors() -> list[Detector]:
    return sorted(detectors.registered(), key=lambda one: one.kind)


def _refresh(again: list[tuple[Conflict, Finding]], *, now: datetime) -> None:
    changed = []
    for conflict, finding in again:
        if conflict.facts != dict(finding.facts):
            conflict.facts = dict(finding.facts)
            changed.append(conflict)
    seen = Conflict.objects.filter(pk__in=[conflict.pk for conflict, _finding in again])
    seen.exclude(status=ConflictStatus.RESOLVED).update(seen_at=now)
    Conflict.objects.bulk_update(changed, ["facts"])


def _open(findings: list[Finding], *, now: datetime) -> int:
    rows = [
        Conflict(
            kind=one.kind,
            key=one.key,
            found_at=now,
            seen_at=now,
            facts=dict(one.facts),
            enrollment_id=one.enrollment,
            student_id=one.student,
            teacher_id=one.teacher,
        )
        for one in findings
    ]
    Conflict.objects.bulk_create(rows)
    named = {pk for one in findings for pk in one.lessons}
    # What is planned is never deleted, so it can be named without a lock; a hold may vanish.
    lasting = set(
        Lesson.objects.filter(pk__in=named)
        .exclude(status=LessonStatus.HELD)
        .values_list("pk", flat=True)
    )
    through = Conflict.lessons.through
    through.objects.bulk_create(
        through(conflict_id=row.pk, lesson_id=pk)
        for row, one in zip(rows, findings, strict=True)
        for pk in sorted(set(one.lessons) & lasting)
    )
    return len(rows)


def _close(missing: list[int], *, now: datetime, lessons: Collection[int] | None) -> int:
    """What was kept as it is ends too, with the reason that it had."""
    rows = Conflict.objects.filter(pk__in=missing)
    if lessons is not None:
        around = Conflict.lessons.through.objects.filter(lesson__in=lessons)
        rows = rows.filter(pk__in=around.values("conflict"))
    kept = rows.filter(status=ConflictStatus.DISMISSED).update(
        status=ConflictStatus.RESOLVED, seen_at=now
    )
    gone = rows.filter(status=ConflictStatus.OPEN).update(
        status=ConflictStatus.RESOLVED,
        resolved_at=now,
        automatic=True,
        resolution=gettext("It is found no more."),
    )
    return kept + gone


def _follow_rules(*, now: datetime) -> int:
    """Each in a transaction of its own, after the search: it locks people, and the search waits for
    nobody."""
    ruled = {one.kind: one for one in sorted_detectors() if one.resolve is not None}
    # In any order: those that no rule can end must not keep the others from their turn.
    still_open = Conflict.objects.filter(status=ConflictStatus.OPEN, kind__in=ruled)
    settled = 0
    for conflict in still_open.order_by("?").prefetch_related("lessons")[:MOST_RULES]:
        try:
            with taken_if_blocked():
                settled += _follow_rule(ruled[conflict.kind], conflict, now=now)
        except PersonWasFaster:
            log.info("conflicts.rule_undone", conflict=conflict.pk, kind=conflict.kind)
        except SlotTaken:
            log.info("conflicts.rule_waits", conflict=conflict.pk, kind=conflict.kind)
    return settled


def _follow_rule(detector: Detector, conflict: Conflict, *, now: datetime) -> bool:
    done = detector.resolve(conflict=conflict, now=now) if detector.resolve else None
    if done is None:
        return False
    ended = Conflict.objects.filter(pk=conflict.pk, status=ConflictStatus.OPEN).update(
        status=ConflictStatus.RESOLVED, resolved_at=now, automatic=True, resolution=done
    )
    if not ended:
        raise PersonWasFaster
    return True
