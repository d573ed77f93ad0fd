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
