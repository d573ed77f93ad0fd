"""When teacher and student are busy: lessons and live holds, nothing else."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from enrollment.models import Lesson, Student, Teacher

# Integers only: range objects cost ten times as much to load. The casts matter: btree_gist has no
# operator for bigint = integer and would scan every teacher's lessons. Starts are rounded down and
# ends up, so a fraction of a second is never offered twice.
BUSY = """
SELECT floor(date_part('epoch', lower(period)))::bigint,
       ceil(date_part('epoch', upper(period)))::bigint,
       id
  FROM enrollment_lesson
 WHERE teacher_id = %(teacher)s::bigint
   AND period && tstzrange(%(since)s, %(until)s)
   AND status <> 'cancelled'
   AND (status <> 'held' OR expires_at > %(now)s)
   AND id <> %(apart_from)s::bigint
UNION
SELECT floor(date_part('epoch', lower(period)))::bigint,
       ceil(date_part('epoch', upper(period)))::bigint,
       id
  FROM enrollment_lesson
 WHERE student_id = %(student)s::bigint
   AND period && tstzrange(%(since)s, %(until)s)
   AND status <> 'cancelled'
   AND (status <> 'held' OR expires_at > %(now)s)
   AND id <> %(apart_from)s::bigint
 ORDER BY 1
"""
NONE = 0


class Busy(NamedTuple):
    """Half-open, in epoch seconds."""

    since: int
    until: int
    lesson_id: int


def busy_of(
    *,
    teacher: Teacher,
    student: Student,
    since: datetime,
    until: datetime,
    now: datetime,
    apart_from: Lesson | None = None,
) -> Sequence[Busy]:
    """Whatever of either of them overlaps [since, until), in order; one query."""
    with connection.cursor() as cursor:
        cursor.execute(
            BUSY,
            {
                "teacher": teacher.pk,
                "student": student.pk,
                "since": since,
                "until": until,
                "now": now,
                "apart_from": apart_from.pk if apart_from else NONE,
            },
        )
        return [Busy(*row) for row in cursor.fetchall()]
