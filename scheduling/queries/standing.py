"""Which planned lessons stand where their teacher has no time for them: of one teacher, or of all."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, floor
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from enrollment.models import Teacher
from scheduling import sockets
from scheduling.domain.clock import Period
from scheduling.domain.closures import Closures
from scheduling.domain.reasons import Why
from scheduling.domain.slots import Facts
from scheduling.domain.standing import Standing
from scheduling.models import AvailabilityException, AvailabilityRule, TimeOff
from scheduling.queries.availability import moment

# As far ahead as a policy can let anybody book.
AHEAD = timedelta(days=366)

# Integers only, as in `availability`.
COMING = """
SELECT id, teacher_id, student_id, enrollment_id,
       floor(date_part('epoch', lower(period)))::bigint,
       ceil(date_part('epoch', upper(period)))::bigint
  FROM enrollment_lesson
 WHERE status = 'planned'
   AND period && tstzrange(%(since)s, %(until)s)
   AND upper(period) > %(now)s
   AND (%(teachers)s::bigint[] IS NULL OR teacher_id = ANY(%(teachers)s::bigint[]))
   AND (%(lessons)s::bigint[] IS NULL OR id = ANY(%(lessons)s::bigint[]))
 ORDER BY lower(period), id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """A planned lesson to come; a group lesson is one for each student."""

    lesson_id: int
    teacher_id: int
    student_id: int
    enrollment_id: int | None
    period: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside(Coming):
    """why: one reason; a lesson may have several. note: the closed date's name.

    by_hand: its teacher has never said any hours, so that the office plans all of their lessons.
    """

    why: Why
    note: str = ""
    by_hand: bool = False


def lessons_outside(
    *,
    teachers: Collection[int] | None = None,
    lessons: Collection[int] | None = None,
    since: datetime,
    until: datetime,
    now: datetime,
    closed: bool = True,
) -> list[Outside]:
    """Planned lessons to come that overlap [since, until), in order of time; teachers, lessons: ids,
    None is all. closed: closed dates count, too; a working day instead always does."""
    coming = coming_lessons(teachers=teachers, lessons=lessons, since=since, until=until, now=now)
    by_teacher: dict[int, list[Coming]] = defaultdict(list)
    for one in coming:
        by_teacher[one.teacher_id].append(one)
    if not coming:
        return []
    # Whole lessons: one may reach beyond the span that was asked about.
    first = min(moment(one.period[0]) for one in coming)
    last = max(moment(one.period[1]) for one in coming)
    facts = facts_of(by_teacher, since=first, until=last, closed=closed)
    with_hours = teachers_with_hours(by_teacher)
    found = [
        outside
        for teacher, theirs in by_teacher.items()
        for outside in _outside(facts[teacher], theirs, by_hand=teacher not in with_hours)
    ]
    return sorted(found, key=lambda one: (one.period, one.lesson_id))


def coming_lessons(
    *,
    teachers: Collection[int] | None = None,
    lessons: Collection[int] | None = None,
    since: datetime,
    until: datetime,
    now: datetime,
) -> list[Coming]:
    with connection.cursor() as cursor:
        cursor.execute(
            COMING,
            {
                "since": since,
                "until": until,
                "now": now,
                "teachers": None if teachers is None else list(teachers),
                "lessons": None if lessons is None else list(lessons),
            },
        )
        return [
            Coming(
                lesson_id=lesson,
                teacher_id=teacher,
                student_id=student,
                enrollment_id=enrollment,
                period=(start, end),
            )
            for lesson, teacher, student, enrollment, start, end in cursor.fetchall()
        ]


def facts_of(
    teachers: Collection[int], *, since: datetime, until: datetime, closed: bool
) -> dict[int, Facts]:
    """Hours and absences that reach into [since, until); nobody's lessons. Four queries for any
    number of teachers, and one for what holidays say: what closes one course alone is left out."""
    zones = Teacher.objects.filter(pk__in=teachers).values_list("pk", "zone")
    rules = _by_teacher(AvailabilityRule.objects.filter(teacher__in=teachers))
    # A day more on both sides than any zone or window past midnight may need.
    first, last = since.date() - timedelta(days=5), until.date() + timedelta(days=3)
    days = AvailabilityException.objects.filter(teacher__in=teachers, day_on__range=(first, last))
    exceptions = _by_teacher(days)
    closures = sockets.closures_of_many(teachers=teachers, course=None, first=first, last=last)
    span = DateTimeTZRange(since, until)
    away = _by_teacher(TimeOff.objects.filter(teacher__in=teachers, period__overlap=span))
    return {
        teacher: Facts(
            zone=ZoneInfo(zone),
            rules=[rule.as_rule() for rule in rules[teacher]],
            exceptions=[one.as_hours() for one in exceptions[teacher]],
            closures=_closures(closures.get(teacher), closed=closed),
            time_off=[period_of(one) for one in away[teacher]],
        )
        for teacher, zone in zones
    }


def _closures(known: Closures | None, *, closed: bool) -> Closures:
    known = known or Closures()
    return known if closed else Closures(works_like=known.works_like)


def teachers_with_hours(teachers: Collection[int]) -> set[int]:
    """Who has ever said any, also hours that are over."""
    rules = AvailabilityRule.objects.filter(teacher__in=teachers).values("teacher_id")
    days = AvailabilityException.objects.filter(teacher__in=teachers).values("teacher_id")
    return {row["teacher_id"] for row in rules.union(days)}


def period_of(time_off: TimeOff) -> Period:
    # Rounded outwards, as everywhere.
    start, end = time_off.starts_at.timestamp(), time_off.ends_at.timestamp()
    return floor(start), ceil(end)


def _by_teacher(rows: Iterable[Any]) -> defaultdict[int, list[Any]]:
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.teacher_id].append(row)
    return found


def _outside(facts: Facts, lessons: Sequence[Coming], *, by_hand: bool) -> Iterator[Outside]:
    first = min(one.period[0] for one in lessons)
    last = max(one.period[1] for one in lessons)
    standing = Standing(facts, since=first, until=last)
    for one in lessons:
        for why in standing.whys(one.period):
            yield Outside(
                lesson_id=one.lesson_id,
                teacher_id=one.teacher_id,
                student_id=one.student_id,
                enrollment_id=one.enrollment_id,
                period=one.period,
                why=why,
                note=standing.closed_as(one.period) if why == Why.CLOSED else "",
                by_hand=by_hand,
            )
