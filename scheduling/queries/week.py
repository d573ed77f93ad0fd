"""A teacher's own week: when they are there, what stands in it, what can be booked and why no more."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from enrollment.models import Course, Teacher
from enrollment.queries.timetable import timetable
from scheduling.domain.clock import Period, day_period
from scheduling.domain.days import by_day
from scheduling.domain.policy import Policy
from scheduling.domain.reasons import DayReasons, Missing, Why
from scheduling.domain.slots import Facts, windows
from scheduling.domain.standing import outside
from scheduling.models import AvailabilityException, TimeOff
from scheduling.queries.availability import Availability, availability
from scheduling.queries.given import Given, gathered, period_of
from scheduling.queries.why import in_full

DAYS = timedelta(days=6)
WEEK = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A part of one day, on the teacher's clock. whole: all of the day."""

    starts: datetime
    ends: datetime
    whole: bool = False
    note: str = ""
    pk: int | None = None


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why these starts of the grid are not offered, in words."""

    words: str
    starts: Sequence[datetime]


@dataclass(frozen=True, kw_only=True)
class Day:
    """closed: the holiday's name; then no hours count. hours: as the rules and the exceptions say,
    cut at midnight. why: in words, why nothing is free at all; empty while something is.
    """

    on: date
    is_today: bool
    closed: str
    hours: Sequence[Stretch]
    exceptions: Sequence[AvailabilityException]
    time_off: Sequence[Stretch]
    lessons: Sequence[Given]
    free: Sequence[datetime]
    why: str
    reasons: Sequence[Reason]


@dataclass(frozen=True, kw_only=True)
class Week:
    """course: whose free times are shown; None where the teacher has no course."""

    first_on: date
    days: Sequence[Day]
    course: Course | None
    policy: Policy

    @property
    def last_on(self) -> date:
        return self.first_on + DAYS


def week_of_teacher(
    *, teacher: Teacher, course: Course | None, monday: date, now: datetime
) -> Week:
    zone = ZoneInfo(teacher.zone)
    since, until = _instant(zone, monday), _instant(zone, monday + WEEK)
    # Without a course there is nothing to book, but hours, closed days and time off all the same.
    known = availability(
        teacher=teacher, course=course or Course(), now=now, since=since, until=until
    )
    return Week(
        first_on=monday,
        days=_Days(teacher, known, since=since, until=until, now=now).days(
            monday, bookable=course is not None
        ),
        course=course,
        policy=known.policy,
    )


class _Days:
    """Everything of one week, by the day on which it is shown."""

    def __init__(
        self,
        teacher: Teacher,
        known: Availability,
        *,
        since: datetime,
        until: datetime,
        now: datetime,
    ) -> None:
        self.known, self.now = known, now
        self.facts: Facts = known.facts
        self.zone = known.facts.zone
        span = int(since.timestamp()), int(until.timestamp())
        self.windows = windows(known.facts, since=span[0], until=span[1])
        rows = list(timetable(since=since, until=until, now=now, teacher=teacher))
        hours_say = outside(
            known.facts, [period_of(row) for row in rows if row.status == row.Status.PLANNED]
        )
        self.lessons = gathered(rows, hours_say)
        self.away = list(
            TimeOff.objects.filter(teacher=teacher, period__overlap=(since, until)).order_by(
                "period", "pk"
            )
        )
        first, last = (at.astimezone(self.zone).date() for at in (since, until))
        self.exceptions = list(
            AvailabilityException.objects.filter(
                teacher=teacher, day_on__range=(first, last)
            ).order_by("day_on", "starts", "pk")
        )

    def days(self, monday: date, *, bookable: bool) -> list[Day]:
        dates = [monday + timedelta(days=number) for number in range(7)]
        first, last = dates[0], dates[-1]
        hours = self._by_day(self.windows, first, last)
        away = [
            (one, self._by_day([(_floor(one.starts_at), _ceil(one.ends_at))], first, last))
            for one in self.away
        ]
        reasons = self.known.days(first=first, last=last) if bookable else [None] * 7
        return [
            self._day(
                on,
                hours=hours.get(on.toordinal(), []),
                away=[
                    self._stretch(period, note=one.reason, pk=one.pk)
                    for one, days in away
                    for period in days.get(on.toordinal(), [])
                ],
                said=said,
            )
            for on, said in zip(dates, reasons, strict=True)
        ]

    def _day(
        self, on: date, *, hours: list[Period], away: list[Stretch], said: DayReasons | None
    ) -> Day:
        closed = self.facts.closures.closed.get(on, "")
        return Day(
            on=on,
            is_today=on == self.now.astimezone(self.zone).date(),
            closed=closed,
            hours=[] if closed else [self._stretch(period) for period in hours],
            exceptions=[one for one in self.exceptions if one.day_on == on],
            time_off=away,
            lessons=[one for one in self.lessons if self._stands_on(one, on)],
            free=[self._local(start) for start, _end in said.free] if said else [],
            why=in_full(said.why, said.note) if said and said.why else "",
            reasons=self._reasons(said.missing) if said else [],
        )

    def _stands_on(self, lesson: Given, on: date) -> bool:
        """A lesson stands where it begins; one that began before the week stands nowhere in it."""
        return lesson.starts_at.astimezone(self.zone).date() == on

    def _reasons(self, missing: Iterable[Missing]) -> list[Reason]:
        """What is over needs no explanation."""
        found: dict[str, list[datetime]] = {}
        for one in missing:
            if one.why != Why.PAST:
                words = in_full(one.why, one.note)
                found.setdefault(words, []).append(self._local(one.period[0]))
        return [Reason(words=words, starts=starts) for words, starts in found.items()]

    def _by_day(
        self, periods: Iterable[Period], first: date, last: date
    ) -> dict[int, list[Period]]:
        return by_day(periods, zone=self.zone, first=first.toordinal(), last=last.toordinal())

    def _stretch(self, period: Period, *, note: str = "", pk: int | None = None) -> Stretch:
        start, end = self._local(period[0]), self._local(period[1])
        whole = period == day_period(self.zone, start.toordinal())
        return Stretch(starts=start, ends=end, whole=whole, note=note, pk=pk)

    def _local(self, second: int) -> datetime:
        return datetime.fromtimestamp(second, self.zone)


def _instant(zone: ZoneInfo, day: date) -> datetime:
    start, _end = day_period(zone, day.toordinal())
    return datetime.fromtimestamp(start, zone)


def _floor(at: datetime) -> int:
    return int(at.timestamp())


def _ceil(at: datetime) -> int:
    return int(at.timestamp()) + bool(at.microsecond)
