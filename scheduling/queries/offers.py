"""What the page on which a time is chosen shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from enrollment.models import Course, Student, Teacher
from scheduling.domain import offer
from scheduling.domain.clock import Period
from scheduling.domain.slots import nearest
from scheduling.queries.availability import Availability, availability, moment
from scheduling.queries.many import first_free

ALTERNATIVES = 5


@dataclass(frozen=True, kw_only=True)
class Offer:
    """gone: the wanted start when it is free no more; `days` then holds the nearest alternatives,
    else the free times of `week`. teacher: None only where nobody teaches the course.
    """

    teachers: Sequence[Teacher]
    teacher: Teacher | None
    zone: ZoneInfo
    days: Sequence[offer.Day]
    weeks: Sequence[offer.Week]
    week: date | None
    gone: datetime | None = None

    @property
    def two_clocks(self) -> bool:
        return any(slot.theirs for day in self.days for slot in day.slots)


def offer_for(
    *,
    student: Student,
    course: Course,
    now: datetime,
    teacher: Teacher | None = None,
    week: date | None = None,
    wanted: datetime | None = None,
) -> Offer:
    """teacher: whose times to show; None is the first teacher of the course who has any.

    week: its Monday; None, or one without anything, is the first week with a free time. wanted: a
    start that was chosen before; the answer opens at its week, or names the nearest instead.
    """
    teachers = list(course.teachers.all())
    teacher, known, periods = _teacher_with_slots(
        [teacher] if teacher else teachers, student=student, course=course, now=now
    )
    zone = ZoneInfo(student.zone)
    gone = _gone(periods, wanted)
    weeks = _weeks(periods, known, zone=zone, now=now)
    week = _week(weeks, asked=week, wanted=wanted, zone=zone)
    if gone is not None:
        shown = nearest(periods, wanted=int(gone.timestamp()), count=ALTERNATIVES)
    else:
        shown = offer.of_week(periods, zone=zone, week=week) if week else []
    theirs = ZoneInfo(teacher.zone) if teacher else zone
    return Offer(
        teachers=teachers,
        teacher=teacher,
        zone=zone,
        days=offer.by_day(shown, zone=zone, theirs=theirs),
        weeks=weeks,
        week=week,
        gone=gone,
    )


def _teacher_with_slots(
    teachers: Sequence[Teacher], *, student: Student, course: Course, now: datetime
) -> tuple[Teacher | None, Availability | None, list[Period]]:
    """The first teacher with a free time; without any, the first teacher. The same number of queries
    for however many."""
    if not teachers:
        return None, None, []
    teacher = teachers[0]
    if len(teachers) > 1:
        teacher = first_free(teachers, course=course, student=student, now=now) or teacher
    known = availability(teacher=teacher, course=course, now=now, student=student)
    return teacher, known, known.slots()


def _gone(periods: Sequence[Period], wanted: datetime | None) -> datetime | None:
    if wanted is None or any(start == wanted.timestamp() for start, _end in periods):
        return None
    return wanted


def _weeks(
    periods: Sequence[Period], known: Availability | None, *, zone: ZoneInfo, now: datetime
) -> list[offer.Week]:
    """Up to the last date that can be booked."""
    last = moment(known.horizon.ends - 1) if known else now
    return offer.weeks(
        periods,
        zone=zone,
        first=now.astimezone(zone).date(),
        last=last.astimezone(zone).date(),
    )


def _week(
    weeks: Sequence[offer.Week], *, asked: date | None, wanted: datetime | None, zone: ZoneInfo
) -> date | None:
    filled = [week.first_on for week in weeks if week.slots]
    if asked is None and wanted is not None:
        asked = wanted.astimezone(zone).date()
    if asked is not None and offer.monday(asked) in filled:
        return offer.monday(asked)
    return filled[0] if filled else None
