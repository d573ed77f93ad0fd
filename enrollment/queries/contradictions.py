"""Contradictions that lessons alone show. Each is one statement over all of them, or over those around
a few lessons; nothing is asked row by row.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Exists, Max, OuterRef, Q

from enrollment.domain.states import LIVE_ENROLLMENT, EnrollmentStatus, LessonStatus
from enrollment.models import Enrollment, Lesson

# Whoever begins before an earlier one has ended is late: found in one pass over the sorted lessons,
# whatever has become of the index that the guard has. Only the few that are late are compared.
TWICE = """
WITH coming AS (
    SELECT id, {who} AS who, {span} AS span, {own} AS own,
           max(upper({span})) OVER (PARTITION BY {who} ORDER BY lower({span}), id
                                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS taken_until
      FROM enrollment_lesson
     WHERE status = 'planned' AND upper(period) > %(now)s
       AND (%(lessons)s::bigint[] IS NULL
            OR {who} IN (SELECT {who} FROM enrollment_lesson WHERE id = ANY(%(lessons)s::bigint[])))
), late AS MATERIALIZED (
    SELECT * FROM coming WHERE lower(span) < taken_until
)
SELECT a.id, b.id, b.who, extract(epoch FROM lower(a.span))::bigint,
       extract(epoch FROM lower(b.span))::bigint
  FROM late b
  JOIN coming a ON a.who = b.who AND a.span && b.span AND a.own <> b.own
               AND (lower(a.span), a.id) < (lower(b.span), b.id)
 WHERE %(lessons)s::bigint[] IS NULL OR a.id = ANY(%(lessons)s) OR b.id = ANY(%(lessons)s)
 ORDER BY lower(a.span), a.id, b.id
"""
# As the guards see it: the student's own time, the teacher's with what is kept free around it.
STUDENT_TWICE = TWICE.format(who="student_id", span="period", own="id")
TEACHER_TWICE = TWICE.format(
    who="teacher_id",
    span="busy",
    own="CASE WHEN seats > 1 THEN hash_range_extended(period, course_id) & 9223372036854775807"
    " ELSE -id END",
)
# The same wall clock on the same day, at another moment: imported twice, on two clocks, or before and
# after a change of the zone's rules. Whoever is planned twice by hand has two times, or is refused.
# Sorted once, and only what stands twice is joined: with a restored database's empty statistics a
# plain join of 20,000 lessons with themselves took more than a minute.
AGAIN = """
WITH coming AS (
    SELECT id, enrollment_id, student_id, teacher_id, zone, local_on, local_start, lower(period) AS starts,
           min(lower(period)) OVER same <> max(lower(period)) OVER same AS is_twice
      FROM enrollment_lesson
     WHERE status = 'planned' AND upper(period) > %(now)s AND enrollment_id IS NOT NULL
    WINDOW same AS (PARTITION BY enrollment_id, local_on, local_start)
), twice AS MATERIALIZED (
    SELECT * FROM coming WHERE is_twice
)
SELECT older.id, younger.id, older.enrollment_id, older.student_id, older.teacher_id,
       older.teacher_id = younger.teacher_id AND older.zone <> younger.zone
         AND NOT EXISTS (SELECT FROM enrollment_lessonchange c WHERE c.lesson_id = younger.id)
  FROM twice older
  JOIN twice younger
    ON younger.enrollment_id = older.enrollment_id AND younger.local_on = older.local_on
   AND younger.local_start = older.local_start AND younger.id > older.id
   AND younger.starts <> older.starts
 WHERE %(lessons)s::bigint[] IS NULL OR older.id = ANY(%(lessons)s) OR younger.id = ANY(%(lessons)s)
 ORDER BY older.id, younger.id
"""
# What stands behind a plus never matters to who gets the mail; at Google dots do not, either.
SAME_MAILBOX = """
WITH live AS (
    SELECT e.id, e.course_id, e.student_id,
           regexp_replace(split_part(lower(u.email), '@', 1), '[+].*', '') AS name,
           replace(split_part(lower(u.email), '@', 2), 'googlemail.com', 'gmail.com') AS domain
      FROM enrollment_enrollment e
      JOIN enrollment_student s ON s.id = e.student_id
      JOIN enrollment_user u ON u.id = s.user_id AND u.deleted_at IS NULL
     WHERE e.status IN ('requested', 'confirmed')
), mailboxes AS (
    SELECT id, course_id, student_id,
           CASE domain WHEN 'gmail.com' THEN replace(name, '.', '') ELSE name END || '@' || domain AS box
      FROM live
), counted AS (
    SELECT *, count(*) OVER (PARTITION BY course_id, box) AS times FROM mailboxes
), shared AS MATERIALIZED (
    SELECT * FROM counted WHERE times > 1
)
SELECT older.id, younger.id, younger.student_id
  FROM shared older
  JOIN shared younger ON younger.course_id = older.course_id AND younger.box = older.box
                        AND younger.id > older.id
 WHERE %(lessons)s::bigint[] IS NULL
    OR EXISTS (SELECT FROM enrollment_lesson l WHERE l.id = ANY(%(lessons)s)
                                                 AND l.enrollment_id IN (older.id, younger.id))
 ORDER BY older.id, younger.id
"""
# More in a group than it has seats for: the guard lets them share their time, writers count.
OVERFULL = """
SELECT array_agg(id ORDER BY id), teacher_id, extract(epoch FROM lower(period))::bigint, min(seats)
  FROM enrollment_lesson
 WHERE status = 'planned' AND seats > 1 AND upper(period) > %(now)s
 GROUP BY teacher_id, course_id, period
HAVING count(*) > min(seats)
   AND (%(lessons)s::bigint[] IS NULL OR array_agg(id) && %(lessons)s::bigint[])
 ORDER BY 1
"""


class Pair(NamedTuple):
    """The one that begins earlier first; starts in epoch seconds. who: the student, or the teacher."""

    first: int
    second: int
    who: int
    first_at: int
    second_at: int


class Again(NamedTuple):
    """mergeable: of one teacher, on two clocks, and nobody has touched the younger since it came.
    Within one zone the younger one may be right: its rules have changed."""

    older: int
    younger: int
    enrollment: int
    student: int
    teacher: int
    mergeable: bool


class SameMailbox(NamedTuple):
    """Enrollments in one course, and whose the younger one is."""

    older: int
    younger: int
    student: int


class Overfull(NamedTuple):
    lessons: list[int]
    teacher: int
    starts: int
    seats: int


def student_twice(*, now: datetime, lessons: Collection[int] | None) -> Iterator[Pair]:
    return (Pair(*row) for row in _rows(STUDENT_TWICE, now=now, lessons=lessons))


def teacher_twice(*, now: datetime, lessons: Collection[int] | None) -> Iterator[Pair]:
    return (Pair(*row) for row in _rows(TEACHER_TWICE, now=now, lessons=lessons))


def planned_again(*, now: datetime, lessons: Collection[int] | None) -> Iterator[Again]:
    return (Again(*row) for row in _rows(AGAIN, now=now, lessons=lessons))


def same_mailbox(*, now: datetime, lessons: Collection[int] | None) -> Iterator[SameMailbox]:
    return (SameMailbox(*row) for row in _rows(SAME_MAILBOX, now=now, lessons=lessons))


def overfull(*, now: datetime, lessons: Collection[int] | None) -> Iterator[Overfull]:
    return (Overfull(*row) for row in _rows(OVERFULL, now=now, lessons=lessons))


def _rows(sql: str, *, now: datetime, lessons: Collection[int] | None) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"now": now, "lessons": None if lessons is None else list(lessons)})
        return list(cursor.fetchall())


class Hold(NamedTuple):
    pk: int
    student: int
    course: int
    teacher: int


def open_holds(*, lessons: Collection[int] | None) -> list[Hold]:
    """Of whoever is filling in a form; one named in an enrollment is the office's."""
    held = Lesson.objects.filter(status=LessonStatus.HELD, enrollment__isnull=True)
    if lessons is not None:
        held = held.filter(pk__in=lessons)
    found = held.order_by("pk").values_list("pk", "student_id", "course_id", "teacher_id")
    return [Hold(*row) for row in found]


def expired_holds(*, now: datetime, lessons: Collection[int] | None) -> list[int]:
    held = Lesson.objects.filter(status=LessonStatus.HELD, expires_at__lte=now)
    if lessons is not None:
        held = held.filter(pk__in=lessons)
    return list(held.order_by("pk").values_list("pk", flat=True))


class Lessonless(NamedTuple):
    """last: the lesson that was cancelled last; None: it came with one that is not there at all."""

    enrollment: int
    student: int
    teacher: int | None
    last: int | None


def without_lesson(*, lessons: Collection[int] | None) -> list[Lessonless]:
    """Confirmed, had a lesson or came through the flow that gives one, and has none by now."""
    standing = Lesson.objects.filter(
        enrollment=OuterRef("pk"), status__in=(LessonStatus.PLANNED, LessonStatus.DONE)
    )
    found = Enrollment.objects.filter(~Exists(standing), status=EnrollmentStatus.CONFIRMED)
    if lessons is not None:
        around = Lesson.objects.filter(pk__in=lessons).values("enrollment")
        found = found.filter(pk__in=around)
    cancelled = Max("lessons", filter=Q(lessons__status=LessonStatus.CANCELLED))
    had_one = found.annotate(last=cancelled).filter(
        Q(last__isnull=False) | Q(flow=Enrollment.Flow.SCHEDULING)
    )
    rows = had_one.order_by("pk").values_list("pk", "student_id", "teacher_id", "last")
    return [Lessonless(*row) for row in rows]


class Afterwards(NamedTuple):
    lesson: int
    enrollment: int
    student: int
    teacher: int
    status: str


def after_the_end(*, now: datetime, lessons: Collection[int] | None) -> list[Afterwards]:
    """Lessons to come of enrollments that are over."""
    coming = Lesson.objects.filter(
        status=LessonStatus.PLANNED, period__startswith__gt=now, enrollment__isnull=False
    ).exclude(enrollment__status__in=LIVE_ENROLLMENT)
    if lessons is not None:
        coming = coming.filter(pk__in=lessons)
    rows = coming.order_by("pk").values_list(
        "pk", "enrollment_id", "student_id", "teacher_id", "enrollment__status"
    )
    return [Afterwards(*row) for row in rows]
