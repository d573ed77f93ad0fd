"""What the page shows on which a student chooses the first lesson: a month, and the times of a day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from enrollment.models import Course, Student, Teacher
from scheduling.domain import offer, picker
from scheduling.domain.clock import Period
from scheduling.domain.picker import Closed, PickDay
from scheduling.domain.reasons import DayReasons
from scheduling.domain.slots import nearest
from scheduling.queries.alternatives import ALTERNATIVES
from scheduling.queries.availability import Availability, moment
from scheduling.queries.offers import awaited_by, gone_from, teacher_with_slots
from scheduling.queries.waitlist import waitable

DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What somebody wants to look at. day: also decides the month. slot: what they have chosen, and
    keep while they look at other days."""

    teacher: Teacher | None = None
    month: date | None = None
    day: date | None = None
    slot: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Picker:
    """On the student's clock. teacher: None only where nobody teaches the course. first, last: the
    dates that can be booked, both counted. weeks: of `month`, see `domain.picker.weeks`. day: whose
    times are shown, if it has any; days: those times, or the nearest ones where `gone`, the wanted
    start, is free no more. kept: the choice, where it is of another day. closed: why the days of the
    month have nothing free. taken: what one may wait for, of the day's week and of the days without
    anything free; awaited: those that this student waits for already.
    """

    teachers: Sequence[Teacher]
    teacher: Teacher | None
    zone: ZoneInfo
    minutes: int
    first: date
    last: date
    month: date
    weeks: Sequence[Sequence[PickDay | None]]
    day: PickDay | None
    days: Sequence[offer.Day]
    next_free: date | None
    any_free: bool
    gone: datetime | None = None
    kept: offer.Slot | None = None
    closed: Sequence[Closed] = ()
    taken: Sequence[offer.Day] = ()
    awaited: frozenset[str] = frozenset()

    @property
    def before(self) -> date | None:
        month = picker.month_before(self.month)
        return month if month >= picker.month_of(self.first) else None

    @property
    def after(self) -> date | None:
        month = picker.month_after(self.month)
        return month if month <= self.last else None

    @property
    def two_clocks(self) -> bool:
        return any(slot.theirs for day in self.days for slot in day.slots)


def picker_for(
    *, student: Student, course: Course, now: datetime, asked: Asked, wanted: datetime | None = None
) -> Picker:
    """wanted: a start that was chosen before; its month is shown, or it is named as gone, with the
    nearest times instead."""
    teachers = list(course.teachers.all())
    teacher, known, periods = teacher_with_slots(
        [asked.teacher] if asked.teacher else teachers, student=student, course=course, now=now
    )
    zone = ZoneInfo(student.zone)
    by_day = _by_day(periods, zone)
    first = now.astimezone(zone).date()
    last = moment(known.horizon.ends - 1).astimezone(zone).date() if known else first
    on = _day(asked, wanted, list(by_day), zone=zone, first=first, last=last)
    asked_month = asked.month if _is_within(asked.month, first, last) else None
    month = picker.month_of(on or asked_month or first)
    # Where nothing is free at all, there is no month to choose: all of them say why.
    months = [month] if periods else picker.months(first, last)
    reasons = _reasons(known, months, last)
    shown = [
        picker.weeks(
            one,
            free={day: len(of) for day, of in by_day.items()},
            why={day.day: (day.why, day.note) for day in reasons if day.why},
            first=first,
            last=last,
            chosen=on,
        )
        for one in months
    ]
    days = [day for weeks in shown for week in weeks for day in week if day]
    gone = gone_from(periods, wanted)
    theirs = ZoneInfo(teacher.zone) if teacher else zone
    times = by_day.get(on, []) if on else []
    if gone is not None:
        times = nearest(periods, wanted=int(gone.timestamp()), count=ALTERNATIVES)
    taken = _taken(known, reasons, days, zone=zone) if known else []
    return Picker(
        teachers=teachers,
        teacher=teacher,
        zone=zone,
        minutes=known.policy.lesson_minutes if known else course.lesson_minutes,
        first=first,
        last=last,
        month=month,
        weeks=shown[0],
        day=next((day for day in days if day.chosen), None),
        days=offer.by_day(times, zone=zone, theirs=theirs),
        next_free=picker.next_day(by_day, after=on or max(first, month - DAY)),
        any_free=bool(periods),
        gone=gone,
        kept=_kept(asked.slot, periods, times, zone=zone, theirs=theirs),
        closed=picker.grouped(days),
        taken=offer.by_day(taken, zone=zone, theirs=theirs),
        awaited=awaited_by(student, course, teacher) if taken else frozenset(),
    )


def _by_day(periods: Sequence[Period], zone: ZoneInfo) -> Mapping[date, list[Period]]:
    found: dict[date, list[Period]] = {}
    for period in periods:
        found.setdefault(datetime.fromtimestamp(period[0], zone).date(), []).append(period)
    return found


def _day(
    asked: Asked,
    wanted: datetime | None,
    free: Sequence[date],
    *,
    zone: ZoneInfo,
    first: date,
    last: date,
) -> date | None:
    """Whose times are shown. Of a month alone, its first day with any; None: it has none."""
    if asked.day and first <= asked.day <= last:
        return asked.day
    if _is_within(asked.month, first, last):
        return next((day for day in free if picker.month_of(day) == asked.month), None)
    if wanted and first <= wanted.astimezone(zone).date() <= last:
        return wanted.astimezone(zone).date()
    return free[0] if free else None


def _is_within(month: date | None, first: date, last: date) -> bool:
    return month is not None and picker.month_of(first) <= month <= last


def _reasons(known: Availability | None, months: Sequence[date], last: date) -> list[DayReasons]:
    """Of the months' days that can be booked, and of their neighbors: dates are the teacher's, who
    may be a day ahead or behind."""
    if known is None:
        return []
    today = moment(known.horizon.now).astimezone(known.facts.zone).date()
    since = max(months[0] - DAY, today)
    until = min(picker.month_after(months[-1]), last + DAY)
    return known.days(first=since, last=until) if since <= until else []


def _taken(
    known: Availability, reasons: Sequence[DayReasons], days: Sequence[PickDay], *, zone: ZoneInfo
) -> list[Period]:
    near = {offer.monday(day.on) for day in days if day.chosen}
    wanted = {day.on for day in days if not day.free or offer.monday(day.on) in near}
    return [
        period
        for period in waitable(known, reasons)
        if datetime.fromtimestamp(period[0], zone).date() in wanted
    ]


def _kept(
    chosen: datetime | None,
    periods: Sequence[Period],
    times: Sequence[Period],
    *,
    zone: ZoneInfo,
    theirs: ZoneInfo,
) -> offer.Slot | None:
    if chosen is None:
        return None
    found = [period for period in periods if period[0] == chosen.timestamp()]
    if not found or found[0] in times:
        return None
    return offer.slot(found[0], zone=zone, theirs=theirs)
