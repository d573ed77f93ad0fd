"""Every week of a series before it is booked: whether it is free, why not, and what is free instead."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from enrollment.models import Course, Student, Teacher
from scheduling.domain import offer
from scheduling.domain.clock import WEEK, Period, instant
from scheduling.domain.reasons import Why
from scheduling.domain.series import Asked, ask
from scheduling.domain.slots import nearest
from scheduling.queries.availability import Availability, availability, moment

INSTEAD = 3


@dataclass(frozen=True, kw_only=True)
class SeriesWeek:
    """why: None where the slot can be booked together with those before it. instead: the nearest
    free ones of the same week, from Monday to Sunday."""

    slot: offer.Slot
    why: Why | None = None
    note: str = ""
    instead: Sequence[offer.Slot] = ()


def look_ahead(
    *,
    student: Student,
    course: Course,
    teacher: Teacher,
    starts: Sequence[int],
    now: datetime,
    viewer: str | None = None,
) -> list[SeriesWeek]:
    """In order of time. One query, however many weeks. starts: epoch seconds. viewer: on whose clock,
    and whose weeks; None is the student's."""
    zone = ZoneInfo(viewer or student.zone)
    first, last = min(starts), max(starts)
    known = availability(
        teacher=teacher,
        course=course,
        student=student,
        now=now,
        since=max(now, moment(_week(first, zone)[0])),
        until=max(now, moment(_week(last, zone)[1])),
    )
    free = known.slots()
    asked = ask(known.facts, known.policy, known.horizon, starts)
    return [_week_of(one, free, known, zone=zone) for one in asked]


def _week_of(
    one: Asked, free: Sequence[Period], known: Availability, *, zone: ZoneInfo
) -> SeriesWeek:
    since, until = _week(one.slot[0], zone)
    others = [slot for slot in free if since <= slot[0] < until and slot != one.slot]
    near = nearest(others, wanted=one.slot[0], count=INSTEAD) if one.why else []
    theirs = known.facts.zone
    return SeriesWeek(
        slot=offer.slot(one.slot, zone=zone, theirs=theirs),
        why=one.why,
        note=one.note,
        instead=[offer.slot(period, zone=zone, theirs=theirs) for period in near],
    )


def _week(second: int, zone: ZoneInfo) -> Period:
    """From Monday to Sunday."""
    day = datetime.fromtimestamp(second, UTC).astimezone(zone).date()
    monday = offer.monday(day).toordinal()
    return instant(zone, monday, 0), instant(zone, monday + WEEK, 0)
