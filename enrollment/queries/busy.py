"""When teacher and student are busy: lessons and live holds, nothing else."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection

from enrollment.domain.nearby import Group, Period
from enrollment.models import Course, Lesson, Student, Teacher
from enrollment.queries.clashes import Wanted

# Integers only: range objects cost ten times as much to load. The casts matter: btree_gist has no
# operator for bigint = integer and would scan every teacher's lessons. Starts are rounded down and
# ends up, so a fraction of a second is never offered twice. The teacher's lessons come with the
# minutes kept free around them.
BUSY = """
SELECT floor(date_part('epoch', lower(busy)))::bigint,
       ceil(date_part('epoch', upper(busy)))::bigint,
       id,
       floor(date_part('epoch', lower(period)))::bigint,
       ceil(date_part('epoch', upper(period)))::bigint,
       CASE WHEN seats > 1 AND course_id = %(course)s::bigint THEN seats ELSE 0 END,
       true
  FROM enrollment_lesson
 WHERE teacher_id = %(teacher)s::bigint
   AND busy && tstzrange(%(since)s, %(until)s)
   AND status <> 'cancelled'
   AND (status <> 'held' OR expires_at > %(now)s)
   AND id <> %(apart_from)s::bigint
UNION ALL
SELECT floor(date_part('epoch', lower(period)))::bigint,
       ceil(date_part('epoch', upper(period)))::bigint,
       id, 0, 0, 0, false
  FROM enrollment_lesson
 WHERE student_id = %(student)s::bigint
   AND period && tstzrange(%(since)s, %(until)s)
   AND status <> 'cancelled'
   AND (status <> 'held' OR expires_at > %(now)s)
   AND id <> %(apart_from)s::bigint
 ORDER BY 1, 3
"""
NONE = 0


class Busy(NamedTuple):
    """Half-open, in epoch seconds. joins: exactly this period is free, as a seat in a group."""

    since: int
    until: int
    lesson_id: int
    joins: Period | None = None


def busy_of(
    *,
    teacher: Teacher,
    student: Student,
    since: datetime,
    until: datetime,
    now: datetime,
    apart_from: Lesson | None = None,
    course: Course | None = None,
) -> Sequence[Busy]:
    """Where nothing new may be of either of them within [since, until), in order; one query.

    apart_from, course: as `clashing_lesson` takes them.
    """
    wanted = Wanted.of(apart_from, course)
    asked = {
        "teacher": teacher.pk,
        "student": student.pk,
        "course": wanted.course_id if wanted.seats > 1 else NONE,
        "since": since - wanted.before,
        "until": until + wanted.after,
        "now": now,
        "apart_from": apart_from.pk if apart_from else NONE,
    }
    with connection.cursor() as cursor:
        cursor.execute(BUSY, asked)
        rows = cursor.fetchall()
    learning = [Busy(*row[:3]) for row in rows if not row[6]]
    teaching = _teaching((row for row in rows if row[6]), wanted)
    return sorted([*teaching, *learning], key=lambda one: one[:3])


def as_blocks(busy: Iterable[Busy]) -> tuple[list[Period], list[Group]]:
    """What is in the way of everything, and the groups that are in the way of all but who joins."""
    listed = list(busy)
    blocks = [(one.since, one.until) for one in listed if one.joins is None]
    groups = [Group(one.joins, (one.since, one.until)) for one in listed if one.joins]
    return blocks, groups


def _teaching(rows: Iterable[Sequence[int]], wanted: Wanted) -> list[Busy]:
    groups: dict[Period, list[Sequence[int]]] = {}
    found = []
    for row in rows:
        since, until, lesson, start, end, seats, _teaches = row
        if seats:
            groups.setdefault((start, end), []).append(row)
        else:
            found.append(Busy(*_around((since, until), wanted), lesson))
    for period, members in groups.items():
        since, until, lesson = members[0][:3]
        is_open = len(members) < max(row[5] for row in members)
        block = _around((since, until), wanted)
        found.append(Busy(*block, lesson, period if is_open else None))
    return found


def _around(busy: Period, wanted: Wanted) -> Period:
    """Where the wanted lesson's own period may not be."""
    before, after = (int(one / timedelta(seconds=1)) for one in (wanted.before, wanted.after))
    return busy[0] - after, busy[1] + before
