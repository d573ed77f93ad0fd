"""What a page on which a time is chosen shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from enrollment.models import Course, Lesson, Student, Teacher
from scheduling.domain import offer
from scheduling.domain.choice import as_text
from scheduling.domain.clock import WEEK, Period
from scheduling.domain.reasons import DayReasons
from scheduling.domain.slots import nearest
from scheduling.queries.alternatives import ALTERNATIVES
from scheduling.queries.availability import Availability, availability, moment
from scheduling.queries.many import first_free
from scheduling.queries.waitlist import awaited_times, taken_times


@dataclass(frozen=True, kw_only=True)
class Offer:
    """gone: the wanted start when it is free no more; `days` then holds the nearest alternatives,
    else the free times of `week`. teacher: None only where nobody teaches the course. minutes: how
    long a new lesson is. closed: the days of `week` without a free time, and of every week without
    one; they are dates of the teacher's calendar. taken: what one may wait for, of the shown week
    and of those without anything free; awaited: those of them that this student waits for already.
    """

    teachers: Sequence[Teacher]
    teacher: Teacher | None
    zone: ZoneInfo
    days: Sequence[offer.Day]
    weeks: Sequence[offer.Week]
    week: date | None
    gone: datetime | None = None
    minutes: int = 0
    closed: Sequence[DayReasons] = ()

    taken: Sequence[offer.Day] = ()
    awaited: frozenset[str] = frozenset()

    @property
    def closed_here(self) -> list[DayReasons]:
        """Of the week that is shown."""
        return [one for one in self.closed if offer.monday(one.day) == self.week]

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
    teachers: Sequence[Teacher] | None = None,
    apart_from: Lesson | None = None,
    viewer: str | None = None,
) -> Offer:
    """teacher: whose times to show; None is the first of `teachers` who has any, and those are all
    of the course.

    week: its Monday; None, or one without anything, is the first week with a free time. wanted: a
    start that was chosen before; the answer opens at its week, or names the nearest instead.
    apart_from: the lesson that is to be moved. viewer: on whose clock; None is the student's.
    """
    teachers = list(course.teachers.all()) if teachers is None else teachers
    teacher, known, periods = teacher_with_slots(
        [teacher] if teacher else teachers,
        student=student,
        course=course,
        now=now,
        apart_from=apart_from,
    )
    zone = ZoneInfo(viewer or student.zone)
    gone = gone_from(periods, wanted)
    weeks = _weeks(periods, known, zone=zone, now=now)
    week = _week(weeks, asked=week, wanted=wanted, zone=zone)
    if gone is not None:
        shown = nearest(periods, wanted=int(gone.timestamp()), count=ALTERNATIVES)
    else:
        shown = offer.of_week(periods, zone=zone, week=week) if week else []
    theirs = ZoneInfo(teacher.zone) if teacher else zone
    taken = taken_times(known, zone=zone, weeks=_taken_in(weeks, week)) if known else []
    return Offer(
        teachers=teachers,
        teacher=teacher,
        zone=zone,
        days=offer.by_day(shown, zone=zone, theirs=theirs),
        weeks=weeks,
        week=week,
        gone=gone,
        minutes=known.policy.lesson_minutes if known else course.lesson_minutes,
        closed=_closed(known, weeks, week) if known and gone is None else [],
        taken=offer.by_day(taken, zone=zone, theirs=theirs),
        awaited=awaited_by(student, course, teacher) if taken else frozenset(),
    )


def _taken_in(weeks: Sequence[offer.Week], shown: date | None) -> list[date]:
    return [week.first_on for week in weeks if not week.slots or week.first_on == shown]


def awaited_by(student: Student, course: Course, teacher: Teacher | None) -> frozenset[str]:
    times = awaited_times(student=student, course=course)
    return frozenset(as_text(start) for pk, start in times if teacher and pk == teacher.pk)


def teacher_with_slots(
    teachers: Sequence[Teacher],
    *,
    student: Student,
    course: Course,
    now: datetime,
    apart_from: Lesson | None = None,
) -> tuple[Teacher | None, Availability | None, list[Period]]:
    """The first teacher with a free time; without any, the first teacher. The same number of queries
    for however many."""
    if not teachers:
        return None, None, []
    teacher = teachers[0]
    if len(teachers) > 1:
        teacher = first_free(teachers, course=course, student=student, now=now) or teacher
    known = availability(
        teacher=teacher, course=course, now=now, student=student, apart_from=apart_from
    )
    return teacher, known, known.slots()


def _closed(
    known: Availability, weeks: Sequence[offer.Week], shown: date | None
) -> list[DayReasons]:
    """Why there is nothing: asked for the days that are shown only, it looks at every slot of them."""
    asked = [week.first_on for week in weeks if week.first_on == shown or not week.slots]
    last = timedelta(days=WEEK - 1)
    today = moment(known.horizon.now).astimezone(known.facts.zone).date()
    found = [
        day
        for monday in asked
        for day in known.days(first=max(monday, today), last=monday + last)
        if monday + last >= today
    ]
    return [day for day in found if day.why]


def gone_from(periods: Sequence[Period], wanted: datetime | None) -> datetime | None:
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
