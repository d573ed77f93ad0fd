"""The one availability function: list, check, admin and API all ask it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection

from enrollment.models import Course, Lesson, Student, Teacher
from scheduling import sockets
from scheduling.domain import reasons
from scheduling.domain.clock import WEEK, Period, instant
from scheduling.domain.hours import DayHours, Rule
from scheduling.domain.policy import HORIZON_DAYS, Policy, merged
from scheduling.domain.reasons import DayReasons, Horizon, Why
from scheduling.domain.slots import Facts, Span, Taken
from scheduling.domain.slots import free_slots as find_free_slots

# One statement that fetches integers only: range objects cost ten times as much to load. The casts
# matter: btree_gist has no operator for bigint = integer and would scan every teacher's lessons.
# Starts are rounded down and ends up, so a fraction of a second is never offered twice. What the
# student holds for this very course does not count: choosing again gives it back first, unless an
# enrollment names it to the office. Policies come from the farthest to the nearest.
FACTS = """
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
       AND (valid_from IS NULL OR valid_from <= %(last_day)s::date)
       AND (valid_until IS NULL OR valid_until >= %(first_day)s::date)
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
       AND day_on BETWEEN %(first_day)s::date AND %(last_day)s::date
  ),
  ARRAY(
    SELECT ARRAY[floor(date_part('epoch', lower(period)))::bigint,
                 ceil(date_part('epoch', upper(period)))::bigint]
      FROM scheduling_timeoff
     WHERE teacher_id = %(teacher)s::bigint
       AND period && tstzrange(%(since)s, %(until)s)
  ),
  ARRAY(
    SELECT ARRAY[floor(date_part('epoch', lower(period)))::bigint,
                 ceil(date_part('epoch', upper(period)))::bigint,
                 floor(date_part('epoch', lower(busy)))::bigint,
                 ceil(date_part('epoch', upper(busy)))::bigint,
                 CASE WHEN seats > 1 AND course_id = %(course)s::bigint THEN seats ELSE 0 END,
                 (student_id = %(student)s::bigint)::int]
      FROM enrollment_lesson
     WHERE teacher_id = %(teacher)s::bigint
       AND busy && tstzrange(%(since)s, %(until)s)
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
       AND period && tstzrange(%(since)s, %(until)s)
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
      FROM scheduling_bookingpolicy
     WHERE (teacher_id IS NULL OR teacher_id = %(teacher)s::bigint)
       AND (course_id IS NULL OR course_id = %(course)s::bigint)
     ORDER BY (teacher_id IS NOT NULL)::int * 2 + (course_id IS NOT NULL)::int
  )
"""
NOBODY = 0


@dataclass(frozen=True, kw_only=True)
class Availability:
    """One teacher's availability for a course, as somebody sees it at `now`.

    since, until: the slots looked for start in [since, until); whole weeks around it are known.
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
        """Every date of the teacher's calendar, with what is free and why the rest is not."""
        return reasons.days(self.facts, self.policy, self.horizon, first=first, last=last)

    def why_not(self, starts_at: datetime) -> Why | None:
        """None: a lesson that starts then can be booked."""
        slot = reasons.slot_from(self.facts, self.policy, _second(starts_at))
        return reasons.why_not(self.facts, self.policy, self.horizon, slot)


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
    """The slots that can be booked, in order of time; see `availability`.

    only: ask about the one slot that starts then; the answer holds it or is empty.
    """
    if only is not None:
        if only.microsecond:
            return []
        since, until = only, only + timedelta(seconds=1)
    found = availability(
        teacher=teacher,
        course=course,
        now=now,
        student=student,
        since=since,
        until=until,
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
    apart_from: Lesson | None = None,
) -> Availability:
    """student: who asks; what they have already is not offered, and the horizon counts their dates.
    Without, the teacher's. since: now. until: the policy's horizon. apart_from: a lesson that would
    be moved, so it is in nobody's way.
    """
    viewer = ZoneInfo(student.zone if student else teacher.zone)
    since = since or now
    asked = until or horizon_end(now, HORIZON_DAYS, zone=viewer)
    raw = _fetch(teacher, course, student, now=now, since=since, until=asked, apart_from=apart_from)
    policy = _policy(course, raw)
    ends = horizon_end(now, policy.horizon_days, zone=viewer)
    if until is None and ends > asked:
        asked = ends
        raw = _fetch(
            teacher, course, student, now=now, since=since, until=asked, apart_from=apart_from
        )
    return Availability(
        facts=_facts(teacher, raw, since=since, until=asked),
        policy=policy,
        horizon=Horizon(
            now=_second(now),
            earliest=_second(now + timedelta(minutes=policy.notice_minutes)),
            ends=_second(ends),
        ),
        since=_second(since),
        until=_second(asked),
    )


def policy_for(*, teacher: Teacher, course: Course) -> Policy:
    now = datetime.now(UTC)
    return _policy(course, _fetch(teacher, course, None, now=now, since=now, until=now))


def horizon_end(now: datetime, days: int, *, zone: ZoneInfo) -> datetime:
    """The midnight that ends the last bookable date of `zone`."""
    return moment(instant(zone, now.astimezone(zone).toordinal() + days + 1, 0))


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


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
    until: datetime,
    apart_from: Lesson | None = None,
) -> tuple[Rows, ...]:
    first, last = _weeks(teacher, since=since, until=until)
    with connection.cursor() as cursor:
        cursor.execute(
            FACTS,
            {
                "teacher": teacher.pk,
                "student": student.pk if student else NOBODY,
                "course": course.pk,
                "first_day": first,
                "last_day": last,
                "since": since - timedelta(days=WEEK + 1),
                "until": until + timedelta(days=WEEK + 1),
                "now": now,
                "apart_from": apart_from.pk if apart_from else NOBODY,
            },
        )
        row: tuple[Rows, ...] = cursor.fetchone()
        return row


def _weeks(teacher: Teacher, *, since: datetime, until: datetime) -> tuple[date, date]:
    """The teacher's dates on which hours can begin that reach into the span, both counted."""
    zone = ZoneInfo(teacher.zone)
    first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    return first - timedelta(days=2), last + timedelta(days=1)


def _policy(course: Course, raw: tuple[Rows, ...]) -> Policy:
    base = Policy(lesson_minutes=course.lesson_minutes)
    return merged(base, (tuple(row) for row in raw[5]))


def _facts(teacher: Teacher, raw: tuple[Rows, ...], *, since: datetime, until: datetime) -> Facts:
    rules, exceptions, time_off, teaching, learning, _policies = raw
    first, last = _weeks(teacher, since=since, until=until)
    closed = sockets.closed_days(teacher_id=teacher.pk, first=first, last=last)
    return Facts(
        zone=ZoneInfo(teacher.zone),
        rules=[
            Rule(
                weekday=day,
                starts=starts,
                ends=ends,
                first_day=first_day,
                last_day=last_day,
                every_weeks=weeks,
            )
            for day, starts, ends, first_day, last_day, weeks in rules
        ],
        exceptions=[
            DayHours(day=day, replaces=bool(replaces), starts=starts, ends=ends)
            for day, replaces, starts, ends in exceptions
        ],
        closed=closed,
        time_off=[(start, end) for start, end in time_off],
        teaching=_teaching(teaching),
        learning=[(start, end) for start, end in learning],
    )


def _teaching(rows: Rows) -> list[Taken]:
    """A group lesson is a row for each student; whoever is in it cannot join it again."""
    alone = [
        Taken(period=(start, end), busy=(busy, free))
        for start, end, busy, free, seats, _mine in rows
        if not seats
    ]
    groups: dict[Period, list[Sequence[int]]] = {}
    for row in rows:
        if row[4]:
            groups.setdefault((row[0], row[1]), []).append(row)
    return alone + [_group(period, members) for period, members in groups.items()]


def _group(period: Period, members: Sequence[Sequence[int]]) -> Taken:
    seats = max(0, max(row[4] for row in members) - len(members))
    is_in_it = any(row[5] for row in members)
    return Taken(
        period=period,
        busy=(members[0][2], members[0][3]),
        group=True,
        open_seats=0 if is_in_it else seats,
    )
