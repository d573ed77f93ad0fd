"""The one availability function: list, check, admin and API all ask it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection

from enrollment.models import Course, Lesson, Student, Teacher
from scheduling import sockets
from scheduling.domain import reasons
from scheduling.domain.clock import DAY_SECONDS, Period, day_period, instant
from scheduling.domain.hours import DayHours, Rule
from scheduling.domain.policy import HORIZON_DAYS, MOST_HORIZON_DAYS, Policy, merged
from scheduling.domain.reasons import DayReasons, Horizon, Why
from scheduling.domain.slots import Facts, Span, Taken, groups_to_join
from scheduling.domain.slots import free_slots as find_free_slots

# One statement that fetches integers only: range objects cost ten times as much to load. The casts
# matter: btree_gist has no operator for bigint = integer and would scan every teacher's lessons.
# Starts are rounded down and ends up, so a fraction of a second is never offered twice. What the
# student holds for this very course does not count: choosing again gives it back first, unless an
# enrollment names it to the office. Policies come from the farthest to the nearest. Where nobody
# says until when, the nearest policy's horizon does, so that one question is enough.
_FACTS = """
WITH policy AS MATERIALIZED (
  SELECT *, (teacher_id IS NOT NULL)::int * 2 + (course_id IS NOT NULL)::int AS nearness
    FROM scheduling_bookingpolicy
   WHERE (teacher_id IS NULL OR teacher_id = %(teacher)s::bigint)
     AND (course_id IS NULL OR course_id = %(course)s::bigint)
), span AS MATERIALIZED (
  SELECT first, last, tstzrange(first, last) AS period,
         first::date - 1 AS first_day, last::date + 1 AS last_day
    FROM (SELECT %(since)s::timestamptz - interval '8 days' AS first,
                 coalesce(%(until)s::timestamptz, greatest(%(since)s::timestamptz,
                   %(now)s::timestamptz + interval '1 day' * (2 + coalesce(
                     (SELECT horizon_days FROM policy WHERE horizon_days IS NOT NULL
                       ORDER BY nearness DESC LIMIT 1), %(horizon)s::int))))
                 + interval '8 days' AS last) bounds
)
SELECT
  ARRAY(
    SELECT ARRAY[
             weekday,
             extract(epoch FROM starts)::int,
             extract(epoch FROM ends)::int
               + CASE WHEN ends_next_day OR ends = '00:00' THEN 86400 ELSE 0 END,
             coalesce(valid_from - DATE '0001-01-01' + 1, 1),
             coalesce(valid_until - DATE '0001-01-01' + 1, 3652059),
             every_weeks
           ]
      FROM scheduling_availabilityrule
     WHERE teacher_id = %(teacher)s::bigint
       AND (valid_from IS NULL OR valid_from <= (SELECT last_day FROM span))
       AND (valid_until IS NULL OR valid_until >= (SELECT first_day FROM span))
  ),
  ARRAY(
    SELECT ARRAY[
             day_on - DATE '0001-01-01' + 1,
             (kind = 'replace')::int,
             coalesce(extract(epoch FROM starts)::int, 0),
             coalesce(extract(epoch FROM ends)::int
               + CASE WHEN ends_next_day OR ends = '00:00' THEN 86400 ELSE 0 END, 0)
           ]
      FROM scheduling_availabilityexception
     WHERE teacher_id = %(teacher)s::bigint
       AND day_on BETWEEN (SELECT first_day FROM span) AND (SELECT last_day FROM span)
  ),
  ARRAY(
    SELECT ARRAY[floor(date_part('epoch', lower(period)))::bigint,
                 ceil(date_part('epoch', upper(period)))::bigint]
      FROM scheduling_timeoff
     WHERE teacher_id = %(teacher)s::bigint
       AND period && (SELECT period FROM span)
  ),
  ARRAY(
    SELECT ARRAY[floor(date_part('epoch', lower(period)))::bigint,
                 ceil(date_part('epoch', upper(period)))::bigint,
                 floor(date_part('epoch', lower(busy)))::bigint,
                 ceil(date_part('epoch', upper(busy)))::bigint,
                 CASE WHEN seats > 1 AND course_id = %(course)s::bigint THEN seats ELSE 1 END,
                 (student_id = %(student)s::bigint)::int]
      FROM enrollment_lesson
     WHERE teacher_id = %(teacher)s::bigint
       AND busy && (SELECT period FROM span)
       AND status <> 'cancelled'
       AND (status <> 'held' OR expires_at > %(now)s)
       AND id <> %(apart_from)s::bigint
       AND NOT (status = 'held' AND enrollment_id IS NULL
                AND student_id = %(student)s::bigint AND course_id = %(course)s::bigint)
  ),
  ARRAY(
    SELECT ARRAY[floor(date_part('epoch', lower(period)))::bigint,
                 ceil(date_part('epoch', upper(period)))::bigint]
      FROM enrollment_lesson
     WHERE student_id = %(student)s::bigint
       AND period && (SELECT period FROM span)
       AND status <> 'cancelled'
       AND (status <> 'held' OR expires_at > %(now)s)
       AND id <> %(apart_from)s::bigint
       AND NOT (status = 'held' AND enrollment_id IS NULL AND course_id = %(course)s::bigint)
  ),
  ARRAY(
    SELECT ARRAY[coalesce(lesson_minutes, -1), coalesce(step_minutes, -1),
                 coalesce(buffer_before, -1), coalesce(buffer_after, -1),
                 coalesce(notice_minutes, -1), coalesce(horizon_days, -1),
                 coalesce(most_a_day, -1), coalesce(most_a_week, -1),
                 coalesce(cancel_notice_hours, -1), coalesce(move_notice_hours, -1),
                 coalesce(automatic_moves::int, -1)]
      FROM policy
     ORDER BY nearness
  )
"""
# psycopg remembers what it parsed and prepared only of statements below 4,096 characters.
FACTS = " ".join(_FACTS.split())
NOBODY = 0
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
        start = _second(starts_at)
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
        since = _near(only, now)
        # What stands between two seconds stands on no grid.
        until = since + timedelta(seconds=0 if only.microsecond else 1)
    since = _near(since or now, now)
    until = max(since, _near(until, now)) if until else None
    raw = _fetch(teacher, course, student, now=now, since=since, until=until, apart_from=apart_from)
    policy = _policy(course, raw)
    viewer = ZoneInfo(student.zone if student else teacher.zone)
    ends = horizon_end(now, policy.horizon_days, zone=viewer)
    until = until or max(since, ends)
    return Availability(
        facts=_facts(teacher, raw, since=since, until=until),
        policy=policy,
        horizon=Horizon(
            now=_second(now),
            earliest=_second(now + timedelta(minutes=policy.notice_minutes)),
            ends=_second(ends),
        ),
        since=_second(since),
        until=_second(until),
    )


def policy_for(*, teacher: Teacher, course: Course) -> Policy:
    now = datetime.now(UTC)
    return _policy(course, _fetch(teacher, course, None, now=now, since=now, until=now))


def horizon_end(now: datetime, days: int, *, zone: ZoneInfo) -> datetime:
    """The midnight that ends the last bookable date of `zone`."""
    return moment(instant(zone, now.astimezone(zone).toordinal() + days + 1, 0))


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _near(at: datetime, now: datetime) -> datetime:
    return min(max(at, now - FAR), now + FAR)


def _second(at: datetime) -> int:
    """Rounded up: a slot that began a moment ago has begun."""
    seconds = int(at.timestamp())
    return seconds + 1 if at.microsecond else seconds


Rows = Sequence[Sequence[int]]


def _fetch(
    teacher: Teacher,
    course: Course,
    student: Student | None,
    *,
    now: datetime,
    since: datetime,
    until: datetime | None,
    apart_from: Lesson | None = None,
) -> tuple[Rows, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            FACTS,
            {
                "teacher": teacher.pk,
                "student": student.pk if student else NOBODY,
                "course": course.pk,
                "since": since,
                "until": until,
                "now": now,
                "horizon": HORIZON_DAYS,
                "apart_from": apart_from.pk if apart_from else NOBODY,
            },
        )
        row: tuple[Rows, ...] = cursor.fetchone()
        return row


def _policy(course: Course, raw: tuple[Rows, ...]) -> Policy:
    base = Policy(lesson_minutes=course.lesson_minutes)
    return merged(base, (tuple(row) for row in raw[5]))


def _facts(teacher: Teacher, raw: tuple[Rows, ...], *, since: datetime, until: datetime) -> Facts:
    rules, exceptions, time_off, teaching, learning, _policies = raw
    zone = ZoneInfo(teacher.zone)
    closed = sockets.closed_days(
        teacher_id=teacher.pk,
        # From two days before: hours may end on the next day, and a day of a page begins before now.
        first=since.astimezone(zone).date() - 2 * DAY,
        last=until.astimezone(zone).date() + 2 * DAY,
    )
    return Facts(
        zone=zone,
        rules=[Rule.of(row) for row in rules],
        exceptions=[DayHours.of(row) for row in exceptions],
        closed=closed,
        time_off=[(start, end) for start, end in time_off],
        teaching=_teaching(teaching),
        learning=[(start, end) for start, end in learning],
    )


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
