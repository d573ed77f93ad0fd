"""Free slots by PostgreSQL alone: the judge of the property tests."""

from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connection

from enrollment.models import Course, Lesson, Student, Teacher
from scheduling.domain.clock import Period

STATEMENT = (
    Path(__file__).with_name("oracle.sql").read_text().replace("at_local", "pg_temp.at_local")
)

# RFC 5545 § 3.3.5, where PostgreSQL's own AT TIME ZONE takes the second of a repeated hour. Of the
# zone's offsets a day and a half before and after, those count that show this wall clock; the first
# instant wins. If neither does, the clock was put forward over it, and the old offset holds on.
AT_LOCAL = """
CREATE OR REPLACE FUNCTION pg_temp.at_local(day date, clock time, zone text)
RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
  WITH wall AS (
    SELECT day + clock AS shown, (day + clock) AT TIME ZONE 'UTC' AS as_utc
  ), candidate AS (
    SELECT as_utc - ((as_utc + away) AT TIME ZONE zone - (as_utc + away) AT TIME ZONE 'UTC') AS at, away
      FROM wall, (VALUES (interval '-36 hours'), (interval '36 hours')) v (away)
  )
  SELECT coalesce((SELECT min(at) FROM candidate, wall WHERE at AT TIME ZONE zone = shown),
                  (SELECT at FROM candidate WHERE away < interval '0'))
$$
"""


def create_function() -> None:
    """For this connection alone."""
    with connection.cursor() as cursor:
        cursor.execute(AT_LOCAL)


def slots(
    *,
    teacher: Teacher,
    course: Course,
    now: datetime,
    until: datetime,
    since: datetime | None = None,
    student: Student | None = None,
    apart_from: Lesson | None = None,
) -> list[Period]:
    """After `create_function`."""
    asked: dict[str, Any] = {
        "teacher": teacher.pk,
        "course": course.pk,
        "student": student.pk if student else 0,
        "apart_from": apart_from.pk if apart_from else 0,
        "zone": teacher.zone,
        "viewer": student.zone if student else teacher.zone,
        "minutes": course.lesson_minutes,
        "now": now,
        "since": since or now,
        "until": until,
    }
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT, asked)
        return list(cursor.fetchall())


# ------------------------------------------------------------------ to measure against

# As lean as the question allows: weekly hours, dates that differ, closed days, time off and lessons
# with buffers, by multiranges, with PostgreSQL's own reading of a repeated hour; no policies, limits
# or groups. `{teachers}` says whose.
_RAW = """
WITH teacher AS (
  SELECT id, zone FROM enrollment_teacher WHERE id {teachers}
), opened AS (
  SELECT teacher.id,
         (on_day + starts) AT TIME ZONE zone AS begins,
         (on_day + (ends_next_day OR ends = '00:00')::int + ends) AT TIME ZONE zone AS over
    FROM teacher
    JOIN scheduling_availabilityrule rule ON rule.teacher_id = teacher.id,
         generate_series(%(since)s::date - 1, %(until)s::date + 1, interval '1 day') AS at,
         LATERAL (SELECT at::date AS on_day) d
   WHERE weekday = extract(isodow FROM on_day) - 1
     AND on_day <@ daterange(valid_from, valid_until, '[]')
     AND (every_weeks = 1
          OR (date_trunc('week', on_day)::date - date_trunc('week', valid_from)::date) / 7
             %% every_weeks = 0)
     AND NOT EXISTS (SELECT 1 FROM scheduling_availabilityexception other
                      WHERE other.teacher_id = teacher.id AND day_on = on_day AND kind = 'replace')
   UNION ALL
  SELECT teacher.id, (day_on + starts) AT TIME ZONE zone,
         (day_on + (ends_next_day OR ends = '00:00')::int + ends) AT TIME ZONE zone
    FROM teacher
    JOIN scheduling_availabilityexception other ON other.teacher_id = teacher.id
   WHERE day_on BETWEEN %(since)s::date - 1 AND %(until)s::date + 1 AND starts IS NOT NULL
), away AS MATERIALIZED (
  SELECT teacher.id, coalesce(range_agg(period), '{{}}') AS periods
    FROM teacher LEFT JOIN LATERAL (
      SELECT tstzrange(first_on::timestamp AT TIME ZONE zone, (last_on + 1)::timestamp AT TIME ZONE zone)
             AS period
        FROM holidays_holiday
       WHERE first_on <= %(until)s::date + 1 AND last_on >= %(since)s::date - 1
       UNION ALL
      SELECT period FROM scheduling_timeoff off
       WHERE off.teacher_id = teacher.id AND period && tstzrange(%(since)s, %(until)s)
       UNION ALL
      SELECT period FROM enrollment_lesson
       WHERE student_id = %(student)s::bigint AND period && tstzrange(%(since)s, %(until)s)
         AND status <> 'cancelled' AND NOT (status = 'held' AND expires_at <= %(now)s)
    ) x ON true
   GROUP BY teacher.id
)
"""

# One teacher: the slots of the grid.
RAW_SLOTS = (
    _RAW.format(teachers="= %(teacher)s::bigint")
    + """
, busy AS MATERIALIZED (
  SELECT coalesce(range_agg(busy), '{}') AS periods
    FROM enrollment_lesson
   WHERE teacher_id = %(teacher)s::bigint AND busy && tstzrange(%(since)s, %(until)s)
     AND status <> 'cancelled' AND NOT (status = 'held' AND expires_at <= %(now)s)
), piece AS (
  SELECT begins, unnest(tstzmultirange(tstzrange(begins, over)) - away.periods - busy.periods) AS free
    FROM opened JOIN away USING (id), busy WHERE begins < over
)
SELECT extract(epoch FROM start)::bigint, extract(epoch FROM start + %(length)s::interval)::bigint
  FROM piece,
       generate_series(
         begins + %(step)s::interval
           * greatest(0, ceil(extract(epoch FROM greatest(lower(free), %(since)s) - begins)
                              / extract(epoch FROM %(step)s::interval))),
         upper(free) - %(length)s::interval, %(step)s::interval) AS start
 WHERE %(since)s <= start AND start < %(until)s
 ORDER BY 1
"""
)

# Many: for each the union of the periods in which a lesson can begin; no grid is cut, which is less
# than the slots. Busy time is aggregated for each teacher, by the exclusion constraint's index.
RAW_WHO_IS_FREE = (
    _RAW.format(teachers="= ANY(%(teachers)s::bigint[])")
    + """
SELECT id, range_agg(tstzrange(lower(free), upper(free) - %(length)s::interval, '[]'))
  FROM (
    SELECT id, unnest(hours.periods - away.periods - busy.periods) AS free
      FROM (SELECT id, range_agg(tstzrange(begins, over)) AS periods
              FROM opened WHERE begins < over GROUP BY id) hours
      JOIN away USING (id),
           LATERAL (SELECT coalesce(range_agg(busy), '{}') AS periods
                      FROM enrollment_lesson
                     WHERE teacher_id = hours.id AND busy && tstzrange(%(since)s, %(until)s)
                       AND status <> 'cancelled' AND NOT (status = 'held' AND expires_at <= %(now)s)
                   ) busy
  ) pieces
 WHERE upper(free) - lower(free) >= %(length)s::interval
 GROUP BY id
"""
)
