"""What the page shows on which a student chooses the first lesson: a month, and the times of a day."""

from collections.abc import Sequence
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
    free = _Free(student, teacher, known, periods, now=now)
    on = _day(asked, wanted, free)
    months, days, reasons = _months(free, on, asked)
    gone = gone_from(periods, wanted)
    times = free.by_day.get(on, []) if on else []
    if gone is not None:
        times = nearest(periods, wanted=int(gone.timestamp()), count=ALTERNATIVES)
    taken = _taken(known, reasons, days, zone=free.zone) if known else []
    month = months[0]
    return Picker(
        teachers=teachers,
        teacher=teacher,
        zone=free.zone,
        minutes=known.policy.lesson_minutes if known else course.lesson_minutes,
        first=free.first,
        last=free.last,
        month=month,
        weeks=_weeks(free, month, reasons, on),
        day=next((day for day in days if day.chosen), None),
        days=free.arranged(times),
        next_free=picker.next_day(free.by_day, after=on or max(free.first, month - DAY)),
        any_free=bool(periods),
        gone=gone,
        kept=_kept(asked.slot, free, times),
        closed=picker.grouped(days),
        taken=free.arranged(taken),
        awaited=awaited_by(student, course, teacher) if taken else frozenset(),
    )


class _Free:
    """What is free, by the dates of the student's calendar. first, last: those that can be booked."""

    def __init__(
        self,
        student: Student,
        teacher: Teacher | None,
        known: Availability | None,
        periods: Sequence[Period],
        *,
        now: datetime,
    ) -> None:
        self.zone = ZoneInfo(student.zone)
        self.theirs = ZoneInfo(teacher.zone) if teacher else self.zone
        self.known, self.periods = known, periods
        self.first = now.astimezone(self.zone).date()
        ends = moment(known.horizon.ends - 1) if known else now
        self.last = ends.astimezone(self.zone).date()
        self.by_day: dict[date, list[Period]] = {}
        for period in periods:
            self.by_day.setdefault(self.date_of(period), []).append(period)

    def date_of(self, period: Period) -> date:
        return datetime.fromtimestamp(period[0], self.zone).date()

    def has(self, day: date) -> bool:
        """It can be booked, whether or not anything is free."""
        return self.first <= day <= self.last

    def has_month(self, month: date | None) -> bool:
        return month is not None and picker.month_of(self.first) <= month <= self.last

    def arranged(self, periods: Sequence[Period]) -> list[offer.Day]:
        return offer.by_day(periods, zone=self.zone, theirs=self.theirs)


def _months(
    free: _Free, on: date | None, asked: Asked
) -> tuple[list[date], list[PickDay], list[DayReasons]]:
    """The shown month, all its days, and what its days lack. Where nothing is free at all there is no
    month to choose: all of them say why."""
    month = picker.month_of(
        on or (asked.month if asked.month and free.has_month(asked.month) else free.first)
    )
    months = [month] if free.periods else picker.months(free.first, free.last)
    reasons = _reasons(free.known, months, free.last)
    weeks = [week for one in months for week in _weeks(free, one, reasons, on)]
    return months, [day for week in weeks for day in week if day], reasons


def _weeks(
    free: _Free, month: date, reasons: Sequence[DayReasons], on: date | None
) -> list[list[PickDay | None]]:
    return picker.weeks(
        month,
        free={day: len(of) for day, of in free.by_day.items()},
        why={day.day: (day.why, day.note) for day in reasons if day.why},
        first=free.first,
        last=free.last,
        chosen=on,
    )


def _day(asked: Asked, wanted: datetime | None, free: _Free) -> date | None:
    """Whose times are shown. Of a month alone, its first day with any; None: it has none."""
    if asked.day and free.has(asked.day):
        return asked.day
    if free.has_month(asked.month):
        return next((day for day in free.by_day if picker.month_of(day) == asked.month), None)
    chosen = wanted.astimezone(free.zone).date() if wanted else None
    return chosen if chosen and free.has(chosen) else next(iter(free.by_day), None)


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


def _kept(chosen: datetime | None, free: _Free, times: Sequence[Period]) -> offer.Slot | None:
    """Of another day than the one that is shown, and still free."""
    if chosen is None:
        return None
    found = [period for period in free.periods if period[0] == chosen.timestamp()]
    if not found or found[0] in times:
        return None
    return offer.slot(found[0], zone=free.zone, theirs=free.theirs)
