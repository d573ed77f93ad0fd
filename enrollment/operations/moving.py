"""Putting a lesson elsewhere: the one UPDATE of a period, for the office and for every floor above."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils import timezone

from enrollment.domain.states import LESSON_STEPS, LessonStatus, check_step
from enrollment.models import Lesson, LessonChange, Teacher, User
from enrollment.operations.changes import record
from enrollment.operations.lessons import (
    SlotTaken,
    Terms,
    delete_holds,
    join_group,
    lock_teacher,
    taken_if_blocked,
)
from enrollment.queries.clashes import lesson_length


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a lesson is to be, with everything its row says of it."""

    teacher: Teacher
    starts_at: datetime
    ends_at: datetime
    terms: Terms

    @property
    def columns(self) -> dict[str, Any]:
        local = timezone.localtime(self.starts_at, ZoneInfo(self.teacher.zone))
        return {
            "teacher": self.teacher,
            "period": DateTimeTZRange(self.starts_at, self.ends_at),
            "local_on": local.date(),
            "local_start": local.time(),
            "zone": self.teacher.zone,
            "seats": self.terms.seats,
            "buffer_before": self.terms.buffer_before,
            "buffer_after": self.terms.buffer_after,
        }

    @property
    def busy(self) -> DateTimeTZRange:
        return DateTimeTZRange(
            self.starts_at - timedelta(minutes=self.terms.buffer_before),
            self.ends_at + timedelta(minutes=self.terms.buffer_after),
        )


def put_elsewhere(
    *,
    lesson: Lesson,
    teacher: Teacher,
    starts_at: datetime,
    by: User | None,
    now: datetime,
    terms: Terms | None = None,
    reason: str = "",
) -> None:
    """Another time, another teacher, or both, with its history. The caller holds the locks on people.

    terms: of the new place; None keeps the lesson's length, seats and buffers.

    :raises StepNotAllowed: only a planned lesson can be moved.
    :raises SlotTaken: something is there, or the lesson was cancelled or done meanwhile.
    """
    check_step(LESSON_STEPS, before=lesson.status, after=LessonStatus.PLANNED)
    # Two writers who both want the place may block each other: an UPDATE cannot say ON CONFLICT.
    with taken_if_blocked():
        place = _place(lesson, teacher, starts_at, terms, now=now)
        # As it is now: its history must not name a place from where somebody moved it before.
        before = _lock_planned(lesson)
        if (place.teacher.pk, place.columns["period"]) == (before.teacher_id, before.period):
            return
        _delete_expired_holds_in_the_way(before, place, now=now)
        Lesson.objects.filter(pk=lesson.pk).update(**place.columns)
        record(
            lesson=lesson,
            what=LessonChange.What.MOVED,
            by=by,
            now=now,
            before=before.period,
            teacher_before=before.teacher,
            reason=reason,
        )


def _place(
    lesson: Lesson, teacher: Teacher, starts_at: datetime, terms: Terms | None, *, now: datetime
) -> Place:
    """Counts the seats that are taken there, under the teacher's lock."""
    length = timedelta(minutes=terms.minutes) if terms else lesson_length(lesson)
    ends_at = starts_at + length
    terms = terms or Terms.kept(lesson)
    if terms.seats > 1:
        lock_teacher(teacher=teacher)
        terms = join_group(
            course=lesson.course,
            teacher=teacher,
            period=DateTimeTZRange(starts_at, ends_at),
            terms=terms,
            now=now,
            apart_from=lesson,
        )
    return Place(teacher=teacher, starts_at=starts_at, ends_at=ends_at, terms=terms)


def _lock_planned(lesson: Lesson) -> Lesson:
    """:raises SlotTaken: it is not planned any more."""
    rows = Lesson.objects.select_for_update(of=("self",), no_key=True).select_related("teacher")
    found = rows.filter(pk=lesson.pk, status=LessonStatus.PLANNED).first()
    if found is None:
        raise SlotTaken
    return found


def _delete_expired_holds_in_the_way(lesson: Lesson, place: Place, *, now: datetime) -> None:
    """A constraint cannot read the clock. Of the teacher with buffers, of the student without."""
    expired = Lesson.objects.filter(status=LessonStatus.HELD, expires_at__lte=now)
    period = DateTimeTZRange(place.starts_at, place.ends_at)
    delete_holds(expired.filter(teacher=place.teacher, busy__overlap=place.busy))
    delete_holds(expired.filter(student=lesson.student_id, period__overlap=period))
