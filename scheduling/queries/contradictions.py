"""Hours, exceptions and policies that cannot be meant as they are: of all teachers, in few queries."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, QuerySet

from enrollment.models import Course, Teacher
from scheduling import sockets
from scheduling.domain.clock import instant
from scheduling.domain.contradictions import (
    Nothing,
    no_window_long_enough,
    notice_beyond_horizon,
    overlapping,
)
from scheduling.domain.policy import NAMES, UNSAID, Policy, merged
from scheduling.domain.standing import Blocks
from scheduling.models import AvailabilityException, AvailabilityRule, BookingPolicy, TimeOff
from scheduling.queries.availability import horizon_end
from scheduling.queries.standing import facts_of, period_of

DAY = timedelta(days=1)


class Twice(NamedTuple):
    """Two rules that hold the same time in some week, in words."""

    first: int
    second: int
    teacher: int
    first_words: str
    second_words: str


class Lost(NamedTuple):
    """Hours of one date on which nothing is offered anyway. closed: its name; "": in time off."""

    exception: int
    teacher: int
    words: str
    closed: str


class BooksNothing(NamedTuple):
    """policy: the row that says so, None where the course's own length does. teacher: None where the
    policy is wrong whoever teaches."""

    why: Nothing
    policy: int | None
    teacher: int | None
    course: int | None
    words: str


def rules_twice(*, now: datetime) -> Iterator[Twice]:
    by_teacher: defaultdict[int, dict[int, AvailabilityRule]] = defaultdict(dict)
    for rule in _rules(now).order_by("pk"):
        by_teacher[rule.teacher_id][rule.pk] = rule
    for teacher, rules in by_teacher.items():
        for one, other in overlapping([(pk, rule.as_rule()) for pk, rule in rules.items()]):
            yield Twice(one, other, teacher, rules[one].in_words(), rules[other].in_words())


def hours_lost(*, now: datetime) -> Iterator[Lost]:
    """One question about closed dates for each teacher who has such hours ahead."""
    ahead = AvailabilityException.objects.filter(
        starts__isnull=False, day_on__gte=now.date() - DAY
    ).order_by("teacher", "day_on", "starts")
    by_teacher: defaultdict[int, list[AvailabilityException]] = defaultdict(list)
    for one in ahead:
        by_teacher[one.teacher_id].append(one)
    away = defaultdict(list)
    for off in TimeOff.objects.filter(teacher__in=list(by_teacher), period__endswith__gt=now):
        away[off.teacher_id].append(off)
    zones = dict(Teacher.objects.filter(pk__in=list(by_teacher)).values_list("pk", "zone"))
    for teacher, rows in by_teacher.items():
        closed = sockets.closures(
            teacher_id=teacher,
            course_id=None,
            first=rows[0].day_on,
            last=max(one.day_on for one in rows),
        ).closed
        for one in rows:
            if one.day_on in closed:
                yield Lost(one.pk, teacher, str(one), closed[one.day_on])
            elif _is_away(one, zones[teacher], away[teacher]):
                yield Lost(one.pk, teacher, str(one), "")


def _is_away(one: AvailabilityException, zone: str, time_off: Sequence[TimeOff]) -> bool:
    hours, there = one.as_hours(), ZoneInfo(zone)
    period = instant(there, hours.day, hours.starts), instant(there, hours.day, hours.ends)
    return Blocks([period_of(off) for off in time_off]).hold(period)


def hours_without_course(*, now: datetime) -> list[int]:
    """Teachers who offer hours that nobody can book."""
    courses = Course.objects.filter(teachers=OuterRef("pk"))
    ahead = AvailabilityException.objects.filter(
        teacher=OuterRef("pk"), starts__isnull=False, day_on__gte=now.date()
    )
    found = Teacher.objects.filter(
        Exists(_rules(now).filter(teacher=OuterRef("pk"))) | Exists(ahead), ~Exists(courses)
    )
    return list(found.order_by("pk").values_list("pk", flat=True))


def policies_for_nothing(*, now: datetime) -> Iterator[BooksNothing]:
    """Each wrong notice once, by the row that says it; each length once for a teacher in a course."""
    rows = list(BookingPolicy.objects.select_related("course", "teacher").order_by("pk"))
    teaching = list(
        Course.teachers.through.objects.select_related("course", "teacher").order_by("pk")
    )
    notices: dict[int, BookingPolicy] = {}
    lengths = []
    for one in teaching:
        chain = _chain(rows, teacher=one.teacher_id, course=one.course_id)
        policy = _policy(one.course, chain)
        if notice_beyond_horizon(policy):
            said = _nearest(chain, "notice_minutes") or chain[-1]
            notices[said.pk] = said
        else:
            lengths.append((one, chain, policy))
    for row in notices.values():
        yield BooksNothing(Nothing.NOTICE, row.pk, row.teacher_id, row.course_id, str(row))
    yield from _too_long(lengths, now=now)


def _too_long(pairs: Sequence[Any], *, now: datetime) -> Iterator[BooksNothing]:
    until = now + timedelta(
        days=max((policy.horizon_days for _, _, policy in pairs), default=0) + 2
    )
    teachers = {one.teacher_id for one, _chain, _policy in pairs}
    facts = facts_of(teachers, since=now, until=until, closed=False)
    for one, chain, policy in pairs:
        theirs = facts[one.teacher_id]
        ends = horizon_end(now, policy.horizon_days, zone=theirs.zone)
        horizon = int(now.timestamp()), int(ends.timestamp())
        if no_window_long_enough(theirs, policy, horizon):
            said = _nearest(chain, "lesson_minutes")
            words = f"{one.teacher}, {one.course}"
            key = said.pk if said else None
            yield BooksNothing(Nothing.LENGTH, key, one.teacher_id, one.course_id, words)


def _chain(rows: Sequence[BookingPolicy], *, teacher: int, course: int) -> list[BookingPolicy]:
    """From the farthest to the nearest, as `availability` orders them."""
    mine = [
        row for row in rows if row.teacher_id in (None, teacher) and row.course_id in (None, course)
    ]
    return sorted(mine, key=lambda row: (row.teacher_id is not None, row.course_id is not None))


def _nearest(chain: Sequence[BookingPolicy], name: str) -> BookingPolicy | None:
    return next((row for row in reversed(chain) if getattr(row, name) is not None), None)


def _policy(course: Course, chain: Sequence[BookingPolicy]) -> Policy:
    values = ((getattr(row, name) for name in NAMES) for row in chain)
    said = (tuple(UNSAID if one is None else int(one) for one in row) for row in values)
    return merged(Policy(lesson_minutes=course.lesson_minutes), said)


def _rules(now: datetime) -> QuerySet[AvailabilityRule]:
    """Those that are not over, on any clock."""
    in_force = Q(valid_until__isnull=True) | Q(valid_until__gte=now.date() - DAY)
    return AvailabilityRule.objects.filter(in_force)
