"""The one availability function: list, check, admin and API all ask it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection

from enrollment.models import Course, Teacher
from scheduling import sockets
from scheduling.domain import slots
from scheduling.domain.slots import Period, Rule

HORIZON_DAYS = 28

# One statement that fetches integers only: range objects cost ten times as much to load. The casts
# matter: btree_gist has no operator for bigint = integer and would scan every teacher's lessons.
# Starts are rounded down and ends up, so a fraction of a second is never offered twice. What the
# student holds for this very course does not count: choosing again gives it back first, unless an
# enrollment names it to the office.
RULES_AND_BUSY = """
SELECT
  ARRAY(
    SELECT ARRAY[
             weekday,
             extract(epoch FROM starts)::int,
             coalesce(nullif(extract(epoch FROM ends)::int, 0), 86400),
             coalesce(valid_from - DATE '0001-01-01' + 1, 1),
             coalesce(valid_until - DATE '0001-01-01' + 1, 3652059)
           ]
      FROM scheduling_availabilityrule
     WHERE teacher_id = %(teacher)s::bigint
       AND (valid_from IS NULL OR valid_from <= %(last_day)s::date)
       AND (valid_until IS NULL OR valid_until >= %(first_day)s::date)
  ),
  ARRAY(
    SELECT ARRAY[floor(date_part('epoch', lower(period)))::bigint,
                 ceil(date_part('epoch', upper(period)))::bigint]
      FROM enrollment_lesson
     WHERE teacher_id = %(teacher)s::bigint
       AND period && tstzrange(%(since)s, %(until)s)
       AND status <> 'cancelled'
       AND (status <> 'held' OR expires_at > %(now)s)
       AND NOT (status = 'held' AND enrollment_id IS NULL
                AND student_id = %(student)s::bigint AND course_id = %(course)s::bigint)
    UNION ALL
    SELECT ARRAY[floor(date_part('epoch', lower(period)))::bigint,
                 ceil(date_part('epoch', upper(period)))::bigint]
      FROM enrollment_lesson
     WHERE student_id = %(student)s::bigint
       AND period && tstzrange(%(since)s, %(until)s)
       AND status <> 'cancelled'
       AND (status <> 'held' OR expires_at > %(now)s)
       AND NOT (status = 'held' AND enrollment_id IS NULL AND course_id = %(course)s::bigint)
  )
"""
NOBODY = 0


@dataclass(frozen=True, slots=True)
class _Span:
    """Slots are looked for that start in [since, until).

    The days are the teacher's, both counted, from the day before on, as in `slots.open_windows`.
    """

    since: datetime
    until: datetime
    zone: ZoneInfo

    @property
    def first_day(self) -> date:
        return self.since.astimezone(self.zone).date() - timedelta(days=1)

    @property
    def last_day(self) -> date:
        return self.until.astimezone(self.zone).date()


def free_slots(
    *,
    teacher: Teacher,
    course: Course,
    now: datetime,
    student_id: int | None = None,
    days: int = HORIZON_DAYS,
    only: datetime | None = None,
) -> list[Period]:
    """What can be booked with `teacher` in the next `days`, as epoch seconds in order of time.

    `student_id`: whoever looks; what they have already is not offered. `only`: ask about the one
    slot that starts then; the answer holds it or is empty.
    """
    span = _span(teacher, now=now, days=days, only=only)
    if span is None:
        return []
    rules, busy = _rules_and_busy(
        teacher=teacher, course=course, student_id=student_id, span=span, now=now
    )
    if not rules:
        return []
    closed = sockets.closed_days(teacher_id=teacher.pk, first=span.first_day, last=span.last_day)
    return slots.free_slots(
        rules=rules,
        busy=busy,
        closed=closed,
        zone=span.zone,
        lesson_minutes=course.lesson_minutes,
        since=_second(span.since),
        until=_second(span.until),
        now=_second(now),
    )


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _span(teacher: Teacher, *, now: datetime, days: int, only: datetime | None) -> _Span | None:
    """None when `only` lies outside of what is offered at all."""
    zone, horizon = ZoneInfo(teacher.zone), now + timedelta(days=days)
    if only is None:
        return _Span(since=now, until=horizon, zone=zone)
    if not now <= only < horizon or only.microsecond:
        return None
    return _Span(since=only, until=only + timedelta(seconds=1), zone=zone)


def _second(at: datetime) -> int:
    """Rounded up: a slot that began a moment ago has begun."""
    seconds = int(at.timestamp())
    return seconds + 1 if at.microsecond else seconds


def _rules_and_busy(
    *, teacher: Teacher, course: Course, student_id: int | None, span: _Span, now: datetime
) -> tuple[list[Rule], list[Period]]:
    with connection.cursor() as cursor:
        cursor.execute(
            RULES_AND_BUSY,
            {
                "teacher": teacher.pk,
                "student": student_id or NOBODY,
                "course": course.pk,
                "first_day": span.first_day,
                "last_day": span.last_day,
                "since": span.since,
                "until": span.until + timedelta(minutes=course.lesson_minutes),
                "now": now,
            },
        )
        rules, busy = cursor.fetchone()
    return (
        [
            Rule(weekday=day, starts=starts, ends=ends, first_day=first, last_day=last)
            for day, starts, ends, first, last in rules
        ],
        [(start, end) for start, end in busy],
    )
