"""Where a lesson that stands wrong may go: free times of its teacher, or of another."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo

from enrollment.models import Lesson, Teacher
from enrollment.queries.clashes import lesson_length
from scheduling.domain.clock import WEEK, Period, day_of, instant, monday_of
from scheduling.domain.policy import Policy
from scheduling.domain.slots import Span, free_slots
from scheduling.queries.availability import Availability, availability, moment

BEFORE, AFTER = timedelta(weeks=1), timedelta(weeks=2)
# More than one page shows: many lessons may want the same ones.
MOST = 24


def offers(*, lesson: Lesson, teacher: Teacher, now: datetime) -> Sequence[datetime]:
    """Free times around the lesson's, for the office: in the hours, at whatever notice, and as far
    ahead as the lesson is. It keeps its length. Nearest first; of another teacher the very time, too."""
    since, until = max(now, lesson.starts_at - BEFORE), lesson.starts_at + AFTER
    known = _known(lesson, teacher, since=since, until=until, now=now)
    first = int(since.timestamp()) + 1
    span = Span(since=first, until=int(until.timestamp()), earliest=first)
    slots = free_slots(known.facts, _as_long(known.policy, lesson), span)
    starts = _nearest_first(slots, wanted=_start(lesson))
    other = teacher.pk != lesson.teacher_id
    return [start for start in starts if other or start != lesson.starts_at][:MOST]


def same_week(*, lesson: Lesson, now: datetime) -> tuple[Policy, list[datetime]]:
    """What a student could book now in the lesson's week, Monday to Sunday on the teacher's clock; the
    nearest first."""
    zone = ZoneInfo(lesson.teacher.zone)
    monday = monday_of(day_of(zone, _start(lesson)))
    since, until = (moment(instant(zone, day, 0)) for day in (monday, monday + WEEK))
    known = _known(lesson, lesson.teacher, since=max(now, since), until=until, now=now)
    starts = _nearest_first(known.slots(), wanted=_start(lesson))
    return known.policy, [start for start in starts if start != lesson.starts_at]


def _known(
    lesson: Lesson, teacher: Teacher, *, since: datetime, until: datetime, now: datetime
) -> Availability:
    return availability(
        teacher=teacher,
        course=lesson.course,
        student=lesson.student,
        since=since,
        until=max(since, until),
        now=now,
        apart_from=lesson,
    )


def _as_long(policy: Policy, lesson: Lesson) -> Policy:
    """The grid stays that of the policy."""
    step = policy.step_minutes or policy.lesson_minutes
    return replace(policy, step_minutes=step, lesson_minutes=minutes(lesson))


def minutes(lesson: Lesson) -> int:
    return ceil(lesson_length(lesson) / timedelta(minutes=1))


def _nearest_first(slots: Sequence[Period], *, wanted: int) -> list[datetime]:
    starts = sorted((abs(start - wanted), start) for start, _end in slots)
    return [moment(start) for _distance, start in starts]


def _start(lesson: Lesson) -> int:
    return int(lesson.starts_at.timestamp())
