"""The one availability function: list, check, admin and API all ask it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from enrollment.models import Course, Lesson, Student, Teacher
from scheduling import sockets
from scheduling.domain import reasons
from scheduling.domain.clock import DAY_SECONDS, Period, day_period, instant
from scheduling.domain.closures import Closures
from scheduling.domain.hours import DayHours, Rule
from scheduling.domain.policy import MOST_HORIZON_DAYS, Policy, merged
from scheduling.domain.reasons import DayReasons, Horizon, Why
from scheduling.domain.slots import Facts, Span, Taken, groups_to_join
from scheduling.domain.slots import free_slots as find_free_slots
from scheduling.queries import facts
from scheduling.queries.facts import Rows

DAY = timedelta(days=1)
# Beyond it lies nothing that could be booked, and no calendar is asked to expand a year 9999.
FAR = timedelta(days=MOST_HORIZON_DAYS + 2)


@dataclass(frozen=True, kw_only=True)
class Availability:
    """One teacher's availability for a course, as somebody sees it at `now`.

    since, until: slots are looked for that start in [since, until). A day before and after is known,
    too, and whole weeks around it of what counts for a limit.
    """

    facts: Facts
    policy: Policy
    horizon: Horizon
    since: int
    until: int

    def slots(self) -> list[Period]:
        until = min(self.until, self.horizon.ends)
        span = Span(since=self.since, until=until, earliest=self.horizon.earliest)
        return find_free_slots(self.facts, self.policy, span)

    def days(self, *, first: date, last: date) -> list[DayReasons]:
        """Every date of the teacher's calendar, with what is free and why the rest is not.

        :raises ValueError: they could be booked, and were not asked for.
        """
        since, _ = day_period(self.facts.zone, first.toordinal())
        _, until = day_period(self.facts.zone, last.toordinal())
        self._check_known(since, until)
        return reasons.days(self.facts, self.policy, self.horizon, first=first, last=last)

    def why_not(self, starts_at: datetime) -> Why | None:
        """None: a lesson that starts then can be booked.

        :raises ValueError: it could be, and was not asked for.
        """
        start = second(starts_at)
        if starts_at.microsecond:
            return Why.NO_HOURS
        if abs(start - self.horizon.now) > FAR.total_seconds():
            return Why.PAST if start < self.horizon.now else Why.HORIZON
        self._check_known(start, start + 1)
        slot = reasons.slot_from(self.facts, self.policy, start)
        return reasons.why_not(self.facts, self.policy, self.horizon, slot)

    def group_at(self, starts_at: datetime) -> Taken | None:
        """The group lesson that starts then and has an open seat. It may have been agreed when the
        policy said another length."""
        groups = groups_to_join(self.facts)
        return next((one for one in groups if one.period[0] == starts_at.timestamp()), None)

    def _check_known(self, since: int, until: int) -> None:
        since, until = max(since, self.horizon.now), min(until, self.horizon.ends)
        is_known = self.since - DAY_SECONDS <= since and until <= self.until + DAY_SECONDS
        if since < until and not is_known:
            raise ValueError("Ask for the availability of all the days that are looked at.")


def free_slots(
    *,
    teacher: Teacher,
    course: Course,
    now: datetime,
    student: Student | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    only: datetime | None = None,
    apart_from: Lesson | None = None,
) -> list[Period]:
    """The slots that can be booked, in order of time; see `availability`."""
    found = availability(
        teacher=teacher,
        course=course,
        now=now,
        student=student,
        since=since,
        until=until,
        only=only,
        apart_from=apart_from,
    )
    return found.slots()


def availability(
    *,
    teacher: Teacher,
    course: Course,
    now: datetime,
    student: Student | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    only: datetime | None = None,
    apart_from: Lesson | None = None,
) -> Availability:
    """student: who asks; what they have already is not offered, and the horizon counts their dates.
    Without, the teacher's. since: now. until: the policy's horizon. only: ask about the one slot that
    starts then, instead of both. apart_from: a lesson that would be moved, so it is in nobody's way.
    """
    if only is not None:
        since = near(only, now)
        # What stands between two seconds stands on no grid.
        until = since + timedelta(seconds=0 if only.microsecond else 1)
    since = near(since or now, now)
    until = max(since, near(until, now)) if until else None
    raw = facts.of_one(
        teacher=teacher.pk,
        course=course.pk,
        student=student.pk if student else facts.NOBODY,
        now=now,
        since=since,
        until=until,
        apart_from=apart_from.pk if apart_from else facts.NOBODY,
    )
    policy = policy_from(course, raw[5])
    horizon = horizon_of(policy, now=now, zone=ZoneInfo((student or teacher).zone))
    until = until or max(since, moment(horizon.ends))
    first, last = closed_from_to(since, until)
    closures = sockets.closures(teacher_id=teacher.pk, course_id=course.pk, first=first, last=last)
    return Availability(
        facts=facts_from(raw, zone=ZoneInfo(teacher.zone), closures=closures),
        policy=policy,
        horizon=horizon,
        since=second(since),
        until=second(until),
    )


def policy_for(*, teacher: Teacher, course: Course) -> Policy:
    now = datetime.now(UTC)
    raw = facts.of_one(teacher=teacher.pk, course=course.pk, now=now, since=now, until=now)
    return policy_from(course, raw[5])


def horizon_of(policy: Policy, *, now: datetime, zone: ZoneInfo) -> Horizon:
    """zone: of whose dates count."""
    return Horizon(
        now=second(now),
        earliest=second(now + timedelta(minutes=policy.notice_minutes)),
        ends=second(horizon_end(now, policy.horizon_days, zone=zone)),
    )


def horizon_end(now: datetime, days: int, *, zone: ZoneInfo) -> datetime:
    """The midnight that ends the last bookable date of `zone`."""
    return moment(instant(zone, now.astimezone(zone).toordinal() + days + 1, 0))


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def near(at: datetime, now: datetime) -> datetime:
    return min(max(at, now - FAR), now + FAR)


def second(at: datetime) -> int:
    """Rounded up: a slot that began a moment ago has begun."""
    seconds = int(at.timestamp())
    return seconds + 1 if at.microsecond else seconds


def closed_from_to(since: datetime, until: datetime) -> tuple[date, date]:
    """In every zone of the earth; and a page that begins on Monday shows days before now."""
    return since.date() - 8 * DAY, until.date() + 2 * DAY


def policy_from(course: Course, rows: Rows) -> Policy:
    base = Policy(lesson_minutes=course.lesson_minutes)
    return merged(base, (tuple(row) for row in rows))


def facts_from(raw: Sequence[Rows], *, zone: ZoneInfo, closures: Closures) -> Facts:
    rules, exceptions, time_off, teaching, learning = raw[:5]
    return Facts(
        zone=zone,
        rules=[Rule.of(row) for row in rules],
        exceptions=[DayHours.of(row) for row in exceptions],
        closures=closures,
        time_off=periods(time_off),
        teaching=_teaching(teaching),
        learning=periods(learning),
    )


def periods(rows: Rows) -> list[Period]:
    return [(start, end) for start, end in rows]


def _teaching(rows: Rows) -> list[Taken]:
    """A group lesson is a row for each student; whoever is in it cannot join it again."""
    alone = [
        Taken((start, end), (busy, free)) for start, end, busy, free, seats, _ in rows if seats == 1
    ]
    groups: dict[Period, list[Sequence[int]]] = {}
    for row in rows:
        if row[4] > 1:
            groups.setdefault((row[0], row[1]), []).append(row)
    return alone + [_group(period, members) for period, members in groups.items()]


def _group(period: Period, members: Sequence[Sequence[int]]) -> Taken:
    seats = max(row[4] for row in members)
    is_in_it = any(row[5] for row in members)
    return Taken(
        period=period,
        busy=(members[0][2], members[0][3]),
        seats=seats,
        open_seats=0 if is_in_it else max(0, seats - len(members)),
    )
