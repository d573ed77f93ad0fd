"""What the availability functions fetch: the one statement for a teacher, and the one for many.

Integers only: range objects cost ten times as much to load. The casts matter: btree_gist has no
operator for bigint = integer and would scan every teacher's lessons. Starts are rounded down and
ends up, so a fraction of a second is never offered twice.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from scheduling.domain.policy import HORIZON_DAYS

Rows = Sequence[Sequence[int]]
NOBODY = 0

# Where nobody says until when, the farthest horizon of the policies does, so that one question is
# enough. Only a limit for a week needs to know whole weeks. Days and dates are UTC's here, with one
# to spare on both sides; hours may reach in from three days before (`hours.reaching_days`).
SPAN = """
span AS MATERIALIZED (
  SELECT tstzrange(first - around, last + around) AS period,
         first::date - 5 AS first_day, last::date + 3 AS last_day, counts
    FROM (
      SELECT first,
             coalesce(%(until)s::timestamptz, greatest(first, %(now)s::timestamptz
               + interval '1 day' * (horizon + 2))) AS last,
             interval '1 day' * CASE WHEN weekly THEN 9 ELSE 3 END AS around, weekly OR daily AS counts
        FROM (
          SELECT %(since)s::timestamptz AS first,
                 coalesce(max(horizon_days), %(horizon)s::int) AS horizon,
                 coalesce(bool_or(most_a_week IS NOT NULL), false) AS weekly,
                 coalesce(bool_or(most_a_day IS NOT NULL), false) AS daily
            FROM scheduling_bookingpolicy
           WHERE (course_id IS NULL OR course_id = %(course)s::bigint)
             AND (teacher_id IS NULL OR {whose})
        ) said
    ) bounds
)
"""

RULES = """
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
   WHERE teacher_id = teacher.id
     AND (valid_from IS NULL OR valid_from <= (SELECT last_day FROM span))
     AND (valid_until IS NULL OR valid_until >= (SELECT first_day FROM span))
)
"""

EXCEPTIONS = """
ARRAY(
  SELECT ARRAY[
           day_on - DATE '0001-01-01' + 1,
           (kind = 'replace')::int,
           coalesce(extract(epoch FROM starts)::int, 0),
           coalesce(extract(epoch FROM ends)::int
             + CASE WHEN ends_next_day OR ends = '00:00' THEN 86400 ELSE 0 END, 0)
         ]
    FROM scheduling_availabilityexception
   WHERE teacher_id = teacher.id
     AND day_on BETWEEN (SELECT first_day FROM span) AND (SELECT last_day FROM span)
)
"""

TIME_OFF = """
ARRAY(
  SELECT ARRAY[floor(date_part('epoch', lower(period)))::bigint,
               ceil(date_part('epoch', upper(period)))::bigint]
    FROM scheduling_timeoff
   WHERE teacher_id = teacher.id
     AND period && (SELECT period FROM span)
)
"""

# What the student holds for this very course does not count: choosing again gives it back first,
# unless an enrollment names it to the office.
TEACHING = """
     FROM enrollment_lesson
    WHERE teacher_id = teacher.id
      AND busy && (SELECT period FROM span)
      AND status <> 'cancelled'
      AND (status <> 'held' OR expires_at > %(now)s)
      AND id <> %(apart_from)s::bigint
      AND NOT (status = 'held' AND enrollment_id IS NULL
               AND student_id = %(student)s::bigint AND course_id = %(course)s::bigint)
"""

LESSONS = f"""
ARRAY(
  SELECT ARRAY[floor(date_part('epoch', lower(period)))::bigint,
               ceil(date_part('epoch', upper(period)))::bigint,
               floor(date_part('epoch', lower(busy)))::bigint,
               ceil(date_part('epoch', upper(busy)))::bigint,
               CASE WHEN seats > 1 AND course_id = %(course)s::bigint THEN seats ELSE 1 END,
               (student_id = %(student)s::bigint)::int]
  {TEACHING} {{lessons}}
)
"""

LEARNING = """
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
)
"""

# From the farthest to the nearest, in order of policy.NAMES.
POLICIES = """
ARRAY(
  SELECT ARRAY[coalesce(lesson_minutes, -1), coalesce(step_minutes, -1),
               coalesce(buffer_before, -1), coalesce(buffer_after, -1),
               coalesce(notice_minutes, -1), coalesce(horizon_days, -1),
               coalesce(most_a_day, -1), coalesce(most_a_week, -1),
               coalesce(cancel_notice_hours, -1), coalesce(move_notice_hours, -1),
               coalesce(automatic_moves::int, -1)]
    FROM scheduling_bookingpolicy
   WHERE (teacher_id IS NULL OR teacher_id = teacher.id)
     AND (course_id IS NULL OR course_id = %(course)s::bigint)
   ORDER BY (teacher_id IS NOT NULL)::int * 2 + (course_id IS NOT NULL)::int
)
"""


def _statement(text: str) -> str:
    """psycopg remembers how it parsed a statement if that is shorter than 4,096 characters."""
    return " ".join(text.split())


OF_ONE = _statement(
    f"""
WITH {SPAN.format(whose="teacher_id = %(teacher)s::bigint")}
SELECT {RULES}, {EXCEPTIONS}, {TIME_OFF}, {LESSONS.format(lessons="")}, {LEARNING}, {POLICIES}
  FROM (SELECT %(teacher)s::bigint AS id) teacher
"""  # noqa: S608 - made of the constants above
)

# Of lessons only when they are, two arrays that cost little to load; all about them only where a
# limit counts them, or a group may be joined.
OF_MANY = _statement(
    f"""
WITH teacher AS MATERIALIZED (
  SELECT id, zone FROM enrollment_teacher WHERE id = ANY(%(teachers)s::bigint[])
   UNION
  SELECT teacher.id, zone FROM enrollment_teacher teacher
    JOIN enrollment_course_teachers ON teacher_id = teacher.id AND course_id = %(course)s::bigint
   WHERE %(teachers)s::bigint[] IS NULL
), {SPAN.format(whose="teacher_id IN (SELECT id FROM teacher)")}
SELECT {RULES}, {EXCEPTIONS}, {TIME_OFF},
       {LESSONS.format(lessons="AND ((SELECT counts FROM span) OR seats > 1)")},
       {LEARNING}, {POLICIES}, teacher.id, teacher.zone, coalesce(busy_from, '{{}}'), busy_until
  FROM teacher
  LEFT JOIN LATERAL (
    SELECT array_agg(floor(date_part('epoch', lower(busy)))::bigint) AS busy_from,
           array_agg(ceil(date_part('epoch', upper(busy)))::bigint) AS busy_until
    {TEACHING}
  ) busy ON true
"""  # noqa: S608 - made of the constants above
)


def of_one(
    *,
    teacher: int,
    course: int,
    student: int = NOBODY,
    now: datetime,
    since: datetime,
    until: datetime | None,
    apart_from: int = NOBODY,
) -> tuple[Rows, ...]:
    """Rules, exceptions, time off, the teacher's lessons, the student's, policies."""
    with connection.cursor() as cursor:
        cursor.execute(
            OF_ONE,
            {
                "teacher": teacher,
                "student": student,
                "course": course,
                "since": since,
                "until": until,
                "now": now,
                "horizon": HORIZON_DAYS,
                "apart_from": apart_from,
            },
        )
        row: tuple[Rows, ...] = cursor.fetchone()
        return row


def of_many(
    *,
    teachers: Collection[int] | None,
    course: int,
    student: int = NOBODY,
    now: datetime,
    since: datetime,
    until: datetime | None,
) -> list[tuple[Any, ...]]:
    """teachers: None is all of the course. A row for each: as above, and then their id, zone, and
    when all their lessons begin and end, buffers counted. Lessons are listed where they count."""
    with connection.cursor() as cursor:
        cursor.execute(
            OF_MANY,
            {
                "teachers": None if teachers is None else list(teachers),
                "student": student,
                "course": course,
                "since": since,
                "until": until,
                "now": now,
                "horizon": HORIZON_DAYS,
                "apart_from": NOBODY,
            },
        )
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
