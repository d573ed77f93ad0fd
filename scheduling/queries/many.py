"""Who is free: the availability function for many teachers at once, with as many queries as for one.

The same facts and the same rules as `availability`, by bitmaps (`domain.bitmaps`); a property test
holds that both say the same.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from enrollment.models import Course, Student, Teacher
from scheduling import sockets
from scheduling.domain import bitmaps
from scheduling.domain.clock import DAY_SECONDS, Period, day_of, instant
from scheduling.domain.closures import Closures
from scheduling.domain.policy import Policy
from scheduling.domain.slots import Facts, Span, Taken, away, finished, free_slots
from scheduling.queries import facts
from scheduling.queries.availability import (
    closed_from_to,
    facts_from,
    horizon_of,
    moment,
    near,
    policy_from,
    second,
)


def who_is_free(
    *,
    course: Course,
    now: datetime,
    teachers: Collection[Teacher] | None = None,
    student: Student | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> dict[int, list[Period]]:
    """Teacher id -> what `availability.free_slots` says of them. teachers: None is the course's."""
    known = _known(
        course=course, teachers=teachers, student=student, now=now, since=since, until=until
    )
    return {one.teacher: one.slots() for one in known}


def free_days(
    *,
    course: Course,
    now: datetime,
    zone: ZoneInfo,
    teachers: Collection[Teacher] | None = None,
    student: Student | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> dict[int, list[date]]:
    """Teacher id -> the dates of `zone` on which a free slot starts, in order. Makes no slots."""
    known = _known(
        course=course, teachers=teachers, student=student, now=now, since=since, until=until
    )
    return {one.teacher: one.days(zone) for one in known}


def first_free(
    teachers: Sequence[Teacher], *, course: Course, now: datetime, student: Student | None = None
) -> Teacher | None:
    """The first of them who has any free slot up to the policy's horizon."""
    known = {
        one.teacher: one
        for one in _known(
            course=course, teachers=teachers, student=student, now=now, since=None, until=None
        )
    }
    return next((one for one in teachers if one.pk in known and known[one.pk].is_free()), None)


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What is known of one teacher. facts: of their lessons only those that a limit counts, and the
    groups; `busy` is when they have any, with buffers."""

    teacher: int
    facts: Facts
    policy: Policy
    span: Span
    busy: Sequence[Period]
    hours: tuple[bitmaps.Rows, bitmaps.Rows]

    def slots(self) -> list[Period]:
        found = self._starts()
        if found is None:
            return self._swept()
        free = found.ruler.starts(found.bits, self.policy.length)
        return finished(free, self.facts, self.policy, self.span)

    def days(self, zone: ZoneInfo) -> list[date]:
        found = self._only_bits()
        if found is None:
            days = {day_of(zone, start) for start, _end in self.slots()}
            return [date.fromordinal(day) for day in sorted(days)]
        return list(_days(found, zone, self.span))

    def is_free(self) -> bool:
        found = self._only_bits()
        return bool(self.slots() if found is None else found.bits)

    def _only_bits(self) -> bitmaps.Grid | None:
        """None where they do not say all of it."""
        return None if self.policy.has_limits or self.facts.teaching else self._starts()

    def _starts(self) -> bitmaps.Grid | None:
        first = max(self.span.since, self.span.earliest)
        rules, exceptions = self.hours
        # Whole days around, so that everybody who asks today asks about the same grid.
        grid = bitmaps.grid(
            rules=rules,
            exceptions=exceptions,
            zone=self.facts.zone,
            policy=self.policy,
            since=self.span.since // DAY_SECONDS * DAY_SECONDS - 2 * DAY_SECONDS,
            until=self.span.until // DAY_SECONDS * DAY_SECONDS + 3 * DAY_SECONDS,
            works_like=tuple(sorted(self.facts.closures.works_like.items())),
        )
        if grid is None:
            return None
        out = chain(away(self.facts), self.facts.learning)
        bits = bitmaps.free_starts(grid, self.policy, busy=self.busy, away=out)
        bits = bitmaps.within(grid.ruler, bits, first=first, last=self.span.until)
        return grid._replace(bits=bits)

    def _swept(self) -> list[Period]:
        if self.policy.has_limits:
            return free_slots(self.facts, self.policy, self.span)
        teaching = [*self.facts.teaching, *(Taken(period, period) for period in self.busy)]
        return free_slots(replace(self.facts, teaching=teaching), self.policy, self.span)


def _days(found: bitmaps.Grid, zone: ZoneInfo, span: Span) -> Iterator[date]:
    for day in range(day_of(zone, span.since), day_of(zone, span.until) + 1):
        first, last = instant(zone, day, 0), instant(zone, day + 1, 0)
        if bitmaps.within(found.ruler, found.bits, first=first, last=last):
            yield date.fromordinal(day)


def _known(
    *,
    course: Course,
    teachers: Collection[Teacher] | None,
    student: Student | None,
    now: datetime,
    since: datetime | None,
    until: datetime | None,
) -> list[_Known]:
    since = near(since or now, now)
    until = max(since, near(until, now)) if until else None
    rows = facts.of_many(
        teachers=None if teachers is None else [teacher.pk for teacher in teachers],
        course=course.pk,
        student=student.pk if student else facts.NOBODY,
        now=now,
        since=since,
        until=until,
    )
    return _read(rows, course=course, student=student, now=now, since=since, until=until)


def _read(
    rows: Sequence[tuple[Any, ...]],
    *,
    course: Course,
    student: Student | None,
    now: datetime,
    since: datetime,
    until: datetime | None,
) -> list[_Known]:
    policies = [policy_from(course, row[5]) for row in rows]
    horizons = [
        horizon_of(policy, now=now, zone=ZoneInfo(student.zone if student else row[7]))
        for policy, row in zip(policies, rows, strict=True)
    ]
    farthest = until or moment(max([second(since), *(one.ends for one in horizons)]))
    first, last = closed_from_to(since, farthest)
    closures = sockets.closures_of_many(
        teachers=[row[6] for row in rows], course=course.pk, first=first, last=last
    )
    asked_until = second(until) if until else None
    return [
        _Known(
            teacher=row[6],
            facts=facts_from(
                row[:6], zone=ZoneInfo(row[7]), closures=closures.get(row[6], Closures())
            ),
            policy=policy,
            span=Span(
                since=second(since),
                until=horizon.ends if asked_until is None else min(asked_until, horizon.ends),
                earliest=horizon.earliest,
            ),
            busy=list(zip(row[8], row[9] or (), strict=True)),
            hours=(_as_key(row[0]), _as_key(row[1])),
        )
        for row, policy, horizon in zip(rows, policies, horizons, strict=True)
    ]


def _as_key(rows: facts.Rows) -> bitmaps.Rows:
    return tuple(map(tuple, rows))
