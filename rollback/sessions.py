"""Attempts to enroll: begun, how far, finished or left, in whichever flow.

No page waits for being counted: its step goes into a queue in memory, and the watch's thread writes what
there is every ten seconds, in one statement. A process that is killed loses the steps of at most the
last ten seconds; where the database is lost they wait for it. So a step may be written after later ones
of another process, and after the enrollment it led to: each is put where its moment belongs.

The end is written where it is made, in the transaction that enrolls. What is missed of it is mended by
whoever writes the next step or closes the abandoned.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import zip_longest
from threading import Lock
from typing import Any

import psycopg
import structlog
from django.db import Error, OperationalError, connection, transaction

from enrollment.models import Enrollment
from rollback.domain.errors import without_rows
from rollback.domain.probing import is_probe
from rollback.models import EnrollmentSession
from rollback.registry import FlowPage

log = structlog.get_logger(__name__)

LEFT_AFTER = timedelta(minutes=30)
KEPT = timedelta(days=30)
BATCH = 500
MOST = 20_000  # steps in memory
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
# Inside of somebody's transaction their own patience comes back afterwards.
SHORT = """
    SELECT set_config('rollback.lock_patience', current_setting('lock_timeout'), true),
           set_config('rollback.patience', current_setting('statement_timeout'), true),
           set_config('lock_timeout', %(lock)s, true),
           set_config('statement_timeout', %(statement)s, true)
"""
BACK = """
    SELECT set_config('lock_timeout', current_setting('rollback.lock_patience'), true),
           set_config('statement_timeout', current_setting('rollback.patience'), true)
"""

# began: the flow of the first step, or nothing where that was typed: an autosave does not say on which
# form, so it was on the one that was seen last. Whoever erases a person locks the user first.
# The aggregate makes sure that `gone` is over before the open row is looked for.
WRITE = f"""
    WITH told AS (
        SELECT s.id AS student_id, c.id AS course_id, t.*
          FROM unnest(%(user)s::bigint[], %(course)s::text[], %(is_on)s::bool[], %(began)s::text[],
                      %(flow)s::text[], %(step)s::int[], %(first_at)s::timestamptz[],
                      %(last_at)s::timestamptz[])
               AS t(user_id, slug, is_on, began, flow, step, first_at, last_at)
          JOIN enrollment_user u ON u.id = t.user_id AND u.deleted_at IS NULL
          JOIN enrollment_student s ON s.user_id = u.id
          JOIN enrollment_course c ON c.slug = t.slug
         ORDER BY u.id FOR SHARE OF u
    ), latest AS (
        SELECT DISTINCT ON (s.student_id, s.course_id) s.*
          FROM rollback_enrollmentsession s JOIN told USING (student_id, course_id)
         ORDER BY s.student_id, s.course_id, s.started_at DESC, s.id DESC
    ), gone AS (
        UPDATE rollback_enrollmentsession AS s SET is_open = false
          FROM told
         WHERE s.student_id = told.student_id AND s.course_id = told.course_id
           AND s.is_open AND s.changed_at <= told.first_at - %(left)s::interval
        RETURNING 1
    ), ended AS (
        UPDATE rollback_enrollmentsession AS s
           SET furthest_step = greatest(s.furthest_step, told.step),
               started_at = least(s.started_at, told.first_at),
               is_on = CASE WHEN told.first_at < s.started_at THEN told.is_on ELSE s.is_on END,
               began_in = CASE WHEN told.first_at < s.started_at
                               THEN coalesce(told.began, s.began_in) ELSE s.began_in END
          FROM told JOIN latest USING (student_id, course_id)
         WHERE s.id = latest.id AND latest.finished_at >= told.first_at
        RETURNING s.student_id, s.course_id
    )
    INSERT INTO rollback_enrollmentsession AS t {COLUMNS}
    SELECT told.student_id, told.course_id, told.is_on,
           coalesce(told.began, l.flow, told.flow), coalesce(told.flow, l.flow),
           greatest(told.step, CASE WHEN told.began IS NULL THEN l.furthest_step END),
           told.first_at, greatest(told.last_at, done.at), done.at, done.at IS NULL
      FROM (SELECT count(*) AS n FROM gone) AS before
      JOIN told ON before.n >= 0
      LEFT JOIN latest AS l ON l.student_id = told.student_id AND l.course_id = told.course_id
                           AND l.finished_at IS NULL
      LEFT JOIN LATERAL (
           SELECT min(e.created_at) AS at FROM enrollment_enrollment e
            WHERE e.student_id = told.student_id AND e.course_id = told.course_id
              AND e.created_at >= told.first_at
              AND (l.is_open AND l.changed_at > told.first_at - %(left)s::interval) IS NOT TRUE
           ) AS done ON true
     WHERE (told.flow IS NOT NULL OR l.id IS NOT NULL)
       AND NOT EXISTS (SELECT FROM ended
                        WHERE ended.student_id = told.student_id
                          AND ended.course_id = told.course_id)
     ORDER BY told.student_id, told.course_id
    ON CONFLICT (student_id, course_id) WHERE is_open DO UPDATE
       SET flow = CASE WHEN excluded.changed_at >= t.changed_at THEN excluded.flow ELSE t.flow END,
           furthest_step = greatest(t.furthest_step, excluded.furthest_step),
           changed_at = greatest(t.changed_at, excluded.changed_at),
           started_at = least(t.started_at, excluded.started_at),
           is_on = CASE WHEN excluded.started_at < t.started_at THEN excluded.is_on ELSE t.is_on END,
           began_in = CASE WHEN excluded.started_at < t.started_at
                           THEN excluded.began_in ELSE t.began_in END
"""  # noqa: S608 - made of the constants above
FINISHED = f"""
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
       AND NOT EXISTS (SELECT FROM done)
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


@dataclass(frozen=True, slots=True)
class Step:
    """One, or all of a student in a course that follow each other: began, is_on, first_at are of the
    first, flow of the last that was shown, step the furthest. Nothing in flow: it was only typed."""

    user: int
    course: str
    is_on: bool
    began: str | None
    flow: str | None
    step: int
    first_at: datetime
    last_at: datetime

    def then(self, later: "Step") -> "Step":
        flow, step = later.flow or self.flow, max(self.step, later.step)
        return replace(self, flow=flow, step=step, last_at=max(self.last_at, later.last_at))


# deque.append is atomic, so pages need no lock to tell.
_told: deque[Step] = deque()
_writing = Lock()


def changed(*, user: int, course: str, is_on: bool, page: FlowPage | None, now: datetime) -> None:
    """A form was shown (`page`), or something was typed into one (None). Without a query.

    user: anybody; who is no student, or is deleted by then, is left out when it is written. course:
    its slug. now: as enrollments have it, which the ends come from.
    """
    if is_probe():
        return
    if len(_told) >= MOST:
        return  # a database that has been away for long; said when it is back
    flow, step = (page.flow, page.step) if page else (None, 1)
    _told.append(Step(user, course, is_on, flow, flow, step, now, now))


def write() -> bool:
    """What was told until now. :returns: whether nothing is left that could not be written."""
    with _writing:
        steps = [_told.popleft() for _ in range(len(_told))]
        if len(steps) >= MOST:
            log.warning("sessions.full", steps=len(steps))
        try:
            for together in _rounds(steps):
                _write(together)
        except OperationalError as error:
            # All of them again: what is written already only comes to the same.
            log.warning("sessions.not_written", error=without_rows(error))
            _told.extendleft(reversed(steps))
            return False
        except Error:
            # Would be refused again, and keep all others from being written.
            log.exception("sessions.dropped", steps=len(steps))
    return True


def _rounds(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """Each student once for a course; in the next round what came after they had left it."""
    attempts: dict[tuple[int, str], list[Step]] = {}
    for step in steps:
        own = attempts.setdefault((step.user, step.course), [])
        if own and step.first_at - own[-1].last_at < LEFT_AFTER:
            own[-1] = own[-1].then(step)
        else:
            own.append(step)
    for together in zip_longest(*attempts.values()):
        yield [step for step in together if step is not None]


def _write(steps: list[Step]) -> None:
    """:raises Error:"""
    names = ("user", "course", "is_on", "began", "flow", "step", "first_at", "last_at")
    facts: dict[str, Any] = {name: [getattr(one, name) for one in steps] for name in names}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(SHORT, {"lock": "500ms", "statement": "2s"})
        cursor.execute(WRITE, facts | {"left": LEFT_AFTER})
        cursor.execute(BACK)


def forget_told() -> None:
    """What a child has of its parent is the parent's to write."""
    global _writing
    _writing = Lock()
    _told.clear()


os.register_at_fork(after_in_child=forget_told)


def finish(*, enrollment: Enrollment) -> None:
    """Called in the transaction that makes the enrollment, whoever makes it.

    Who comes back to a form that was left for half an hour, and sends it, has begun and finished another
    session. Who is enrolled by the office has one only where they had begun it.

    :raises psycopg.Error: nothing was written; nor was it anywhere else undone.
    """
    if is_probe():
        return
    _send(
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


def _send(facts: dict[str, Any]) -> None:
    """In one message."""
    facts |= {"left": facts["now"] - LEFT_AFTER, "lock": "200ms", "statement": "500ms"}
    connection.ensure_connection()
    with _savepoint():
        words = f"{SHORT};{FINISHED};{BACK}"
        psycopg.ClientCursor(connection.connection).execute(words, facts)


def _savepoint() -> AbstractContextManager[Any]:
    """Outside of a transaction the message is one of its own."""
    inner: psycopg.Connection[Any] = connection.connection
    return inner.transaction() if connection.in_atomic_block else nullcontext()
