"""Attempts to enroll: begun, how far, finished or left, in whichever flow.

Each change is one statement, in one message and so one short transaction, and waits for nobody: a page
that has been answered must not hang on being counted. What is missed by that is mended by the next
change, or, for a finished one, by whoever closes the abandoned.
"""

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.db import connection

from enrollment.models import Enrollment
from rollback.models import EnrollmentSession
from rollback.registry import FlowPage

LEFT_AFTER = timedelta(minutes=30)
KEPT = timedelta(days=30)
BATCH = 500
FLOWS = tuple(EnrollmentSession.Flow)

# What is left for half an hour is over, whether or not beat has been here; a change begins another one.
LEFT = """
    gone AS (
        UPDATE rollback_enrollmentsession AS s SET is_open = false
          FROM course
         WHERE s.student_id = %(student)s AND s.course_id = course.id
           AND s.is_open AND s.changed_at <= %(left)s
        RETURNING 1
    )"""
# Read before `gone` and all else writes.
LATEST = """
    latest AS (
        SELECT s.* FROM rollback_enrollmentsession s, course
         WHERE s.student_id = %(student)s AND s.course_id = course.id
         ORDER BY s.started_at DESC, s.id DESC LIMIT 1
    )"""
COLUMNS = """(student_id, course_id, is_on, began_in, flow, furthest_step, started_at, changed_at,
            finished_at, is_open)"""
SHORT = "SET LOCAL lock_timeout = '100ms'; SET LOCAL statement_timeout = '500ms';"

# The aggregate makes sure that `gone` is over before the row is looked for.
SHOWN = f"""
    {SHORT}
    WITH course AS (SELECT id FROM enrollment_course WHERE slug = %(course)s), {LEFT}
    INSERT INTO rollback_enrollmentsession AS t {COLUMNS}
    SELECT %(student)s, course.id, %(is_on)s, %(flow)s, %(flow)s, %(step)s, %(now)s, %(now)s,
           NULL, true
      FROM course, (SELECT count(*) AS n FROM gone) AS before
     WHERE before.n >= 0
    ON CONFLICT (student_id, course_id) WHERE is_open DO UPDATE
       SET flow = excluded.flow,
           furthest_step = greatest(t.furthest_step, excluded.furthest_step),
           changed_at = greatest(t.changed_at, excluded.changed_at)
"""  # noqa: S608 - made of the constants above
# An autosave does not say on which form it was typed: on the one that was seen last.
TYPED = f"""
    {SHORT}
    WITH course AS (SELECT id FROM enrollment_course WHERE slug = %(course)s), {LATEST}, {LEFT}
    INSERT INTO rollback_enrollmentsession AS t {COLUMNS}
    SELECT %(student)s, course.id, %(is_on)s, latest.flow, latest.flow, latest.furthest_step,
           %(now)s, %(now)s, NULL, true
      FROM course, latest, (SELECT count(*) AS n FROM gone) AS before
     WHERE before.n >= 0 AND latest.finished_at IS NULL
    ON CONFLICT (student_id, course_id) WHERE is_open DO UPDATE
       SET changed_at = greatest(t.changed_at, excluded.changed_at)
"""  # noqa: S608 - made of the constants above
# In the middle of the transaction that enrolls, whose own patience comes back afterwards.
FINISHED = f"""
    SELECT set_config('rollback.patience', current_setting('lock_timeout'), true);
    SET LOCAL lock_timeout = '200ms';
    WITH course AS (SELECT %(course)s::bigint AS id), {LATEST}, {LEFT},
    done AS (
        UPDATE rollback_enrollmentsession AS s
           SET is_open = false, finished_at = %(now)s, changed_at = %(now)s,
               flow = coalesce(%(flow)s, s.flow)
         WHERE s.student_id = %(student)s AND s.course_id = %(course)s
           AND s.is_open AND s.changed_at > %(left)s
        RETURNING 1
    )
    INSERT INTO rollback_enrollmentsession {COLUMNS}
    SELECT student_id, course_id, is_on, %(flow)s, %(flow)s, furthest_step, %(now)s, %(now)s,
           %(now)s, false
      FROM latest
     WHERE latest.finished_at IS NULL AND %(flow)s IS NOT NULL
       AND NOT EXISTS (SELECT FROM done);
    SELECT set_config('lock_timeout', current_setting('rollback.patience'), true)
"""  # noqa: S608 - made of the constants above
# Somebody whose end could not be written when they enrolled has not left.
CLOSE = """
    WITH due AS (
        SELECT id, student_id, course_id, started_at FROM rollback_enrollmentsession
         WHERE is_open AND changed_at <= %(left)s
         LIMIT %(batch)s FOR UPDATE SKIP LOCKED
    )
    UPDATE rollback_enrollmentsession AS s
       SET is_open = false,
           finished_at = (
               SELECT min(e.created_at) FROM enrollment_enrollment e
                WHERE e.student_id = due.student_id AND e.course_id = due.course_id
                  AND e.created_at >= due.started_at)
      FROM due
     WHERE s.id = due.id
"""


def changed(
    *, student: int, course: str, is_on: bool, page: FlowPage | None, now: datetime
) -> None:
    """A form was shown (`page`), or something was typed into one (None). course: its slug.

    :raises psycopg.Error: nothing was written; nor was it anywhere else undone.
    """
    facts = {"student": student, "course": course, "is_on": is_on, "now": now}
    if page is None:
        _send(TYPED, facts)
    else:
        _send(SHOWN, facts | {"flow": page.flow, "step": page.step})


def finish(*, enrollment: Enrollment) -> None:
    """Called in the transaction that makes the enrollment, whoever makes it.

    Who comes back to a form that was left for half an hour, and sends it, has begun and finished another
    session. Who is enrolled by the office has one only where they had begun it.

    :raises psycopg.Error:
    """
    _send(
        FINISHED,
        {
            "student": enrollment.student_id,
            "course": enrollment.course_id,
            "flow": enrollment.flow if enrollment.flow in FLOWS else None,
            "now": enrollment.created_at,
        },
    )


def close_abandoned(*, now: datetime) -> int:
    """:returns: how many are over now, in short transactions."""
    closed = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(CLOSE, {"left": now - LEFT_AFTER, "batch": BATCH})
            number: int = cursor.rowcount
        closed += number
        if number < BATCH:
            return closed


def delete_old(*, now: datetime) -> int:
    """They are about people: a month after they began they are deleted. :returns: how many."""
    deleted, _by_model = EnrollmentSession.objects.filter(started_at__lt=now - KEPT).delete()
    return deleted


def _send(words: str, facts: dict[str, Any]) -> None:
    facts["left"] = facts["now"] - LEFT_AFTER
    connection.ensure_connection()
    with _savepoint():
        psycopg.ClientCursor(connection.connection).execute(words, facts)


def _savepoint() -> AbstractContextManager[Any]:
    """Outside of a transaction the message is one of its own."""
    inner: psycopg.Connection[Any] = connection.connection
    return inner.transaction() if connection.in_atomic_block else nullcontext()
