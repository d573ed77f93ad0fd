"""Ending a conflict by hand: lessons moved, given to a substitute or cancelled, and the student told;
all of it in one transaction, or nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time

from django.db import transaction
from django.utils.translation import gettext

from enrollment.domain.clock import NoSuchTime
from enrollment.domain.messages import ThreadClosed
from enrollment.domain.states import (
    CONFLICT_STEPS,
    ConflictStatus,
    LessonStatus,
    StepNotAllowed,
    check_step,
)
from enrollment.models import Conflict, Enrollment, Lesson, Teacher, User
from enrollment.operations import look_again, make_up
from enrollment.operations.lessons import (
    SlotTaken,
    delete_holds,
    describe,
    lock_people,
    lock_user,
    move_lesson,
    taken_if_blocked,
)
from enrollment.operations.messages import write_message
from enrollment.operations.office import put_lesson


class ConflictEnded(Exception):
    """Somebody, or a rule, was faster. Nothing was written."""


class ChangedMeanwhile(Exception):
    """The lesson is no longer what the page showed. Nothing was written."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(f"{lesson.pk} has changed.")
        self.lesson = lesson


class CannotSettle(Exception):
    """This lesson cannot be dealt with so; the cause says why. Nothing was written."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(f"{lesson.pk} stays.")
        self.lesson = lesson


@dataclass(frozen=True, kw_only=True)
class Place:
    """On the teacher's clock."""

    teacher: Teacher
    on: date
    at: time


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What becomes of one lesson.

    lesson: as the page showed it. place: where it goes; None cancels it. credit: the school owes
    the lesson. message: to the student; empty says nothing.
    """

    lesson: Lesson
    place: Place | None = None
    credit: bool = False
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Done:
    """lesson: as it is now. words: what was done, for its history."""

    lesson: Lesson
    words: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """A conflict, and what is decided about its lessons."""

    conflict: Conflict
    decisions: Sequence[Decision] = field(default_factory=tuple)


@transaction.atomic
def settle(*, cases: Sequence[Case], reason: str, by: User, now: datetime) -> list[Done]:
    """:raises ConflictEnded:
    :raises ChangedMeanwhile:
    :raises CannotSettle: because of SlotTaken, NoSuchTime, StepNotAllowed, or ThreadClosed.
    :raises PersonDeleted:
    """
    decisions = [one for case in cases for one in case.decisions]
    # User, student, teacher, enrollment, lesson, and the conflicts last.
    lock_user(user=by)
    _lock_lessons(decisions)
    done = {one.lesson.pk: _carry_out(one, reason, by=by, now=now) for one in _in_order(decisions)}
    for case in sorted(cases, key=lambda one: one.conflict.pk):
        words = [done[one.lesson.pk].words for one in case.decisions]
        _end(case.conflict, ConflictStatus.RESOLVED, _joined(words, reason), by=by, now=now)
    for one in decisions:
        _tell(one, by=by, now=now)
    look_again.after_commit()
    return list(done.values())


@transaction.atomic
def dismiss(*, conflicts: Iterable[Conflict], reason: str, by: User, now: datetime) -> None:
    """All of them stay as they are.

    :raises ConflictEnded: one of them has ended meanwhile.
    """
    lock_user(user=by)
    for conflict in sorted(conflicts, key=lambda one: one.pk):
        _end(conflict, ConflictStatus.DISMISSED, reason, by=by, now=now)


@transaction.atomic
def reopen(*, conflict: Conflict) -> None:
    """:raises ConflictEnded: it was not kept, or is gone."""
    opened = Conflict.objects.filter(pk=conflict.pk, status=ConflictStatus.DISMISSED).update(
        status=ConflictStatus.OPEN, resolved_at=None, resolved_by=None, resolution=""
    )
    if not opened:
        raise ConflictEnded


@transaction.atomic
def give_back_hold(*, conflict: Conflict, reason: str, by: User, now: datetime) -> None:
    """The time that is held for nobody.

    :raises ConflictEnded: or the hold has: it ran out, or is a lesson by now.
    """
    lock_user(user=by)
    held = Lesson.objects.filter(
        pk=conflict.facts.get("hold"), status=LessonStatus.HELD, enrollment__isnull=True
    )
    if not delete_holds(held):
        raise ConflictEnded
    words = _joined([gettext("The held time was given back.")], reason)
    _end(conflict, ConflictStatus.RESOLVED, words, by=by, now=now)


def _lock_lessons(decisions: Sequence[Decision]) -> None:
    """:raises ChangedMeanwhile:
    :raises PersonDeleted:
    """
    lessons = [one.lesson for one in decisions]
    places = [one.place for one in decisions if one.place]
    lock_people(
        students={lesson.student_id for lesson in lessons},
        teachers={place.teacher.pk for place in places} | {one.teacher_id for one in lessons},
    )
    enrollments = Enrollment.objects.filter(pk__in={lesson.enrollment_id for lesson in lessons})
    list(enrollments.select_for_update(no_key=True).order_by("pk"))
    rows = Lesson.objects.filter(pk__in=[lesson.pk for lesson in lessons])
    now = {row.pk: row for row in rows.select_for_update(no_key=True).order_by("pk")}
    for lesson in lessons:
        if _as_shown(now.get(lesson.pk)) != _as_shown(lesson):
            raise ChangedMeanwhile(lesson)


def _as_shown(lesson: Lesson | None) -> tuple[object, ...] | None:
    return (lesson.period, lesson.teacher_id, lesson.status) if lesson else None


def _in_order(decisions: Sequence[Decision]) -> list[Decision]:
    """What is cancelled makes room for what is moved."""
    return sorted(decisions, key=lambda one: (one.place is not None, one.lesson.pk))


def _carry_out(decision: Decision, reason: str, *, by: User, now: datetime) -> Done:
    try:
        with taken_if_blocked():
            if decision.place is None:
                return _cancel(decision, reason, by=by, now=now)
            return _put(decision.lesson, decision.place, reason, by=by, now=now)
    except (SlotTaken, NoSuchTime, StepNotAllowed) as error:
        raise CannotSettle(decision.lesson) from error


def _cancel(decision: Decision, reason: str, *, by: User, now: datetime) -> Done:
    lesson = decision.lesson
    move_lesson(lesson=lesson, status=LessonStatus.CANCELLED, by=by, now=now, reason=reason)
    words = gettext("Cancelled: %(when)s.") % {"when": _place(lesson)}
    if decision.credit and make_up.grant(lesson=lesson, by=by, now=now):
        words = gettext("Cancelled with a make-up credit: %(when)s.") % {"when": _place(lesson)}
    return Done(lesson=lesson, words=words)


def _put(lesson: Lesson, place: Place, reason: str, *, by: User, now: datetime) -> Done:
    before = _place(lesson)
    put_lesson(
        lesson=lesson,
        teacher=place.teacher,
        on=place.on,
        at=place.at,
        by=by,
        now=now,
        reason=reason,
    )
    moved = Lesson.objects.select_related("teacher", "course", "student__user").get(pk=lesson.pk)
    words = gettext("Moved from %(before)s to %(after)s.")
    return Done(lesson=moved, words=words % {"before": before, "after": _place(moved)})


def _place(lesson: Lesson) -> str:
    return gettext("%(when)s with %(teacher)s") % {
        "when": describe(lesson),
        "teacher": lesson.teacher,
    }


def _joined(words: Sequence[str], reason: str) -> str:
    return "\n".join([*words, *([reason] if reason else [])])


def _end(conflict: Conflict, status: str, words: str, *, by: User, now: datetime) -> None:
    """:raises ConflictEnded:"""
    locked = Conflict.objects.select_for_update(no_key=True).get(pk=conflict.pk)
    if locked.status != ConflictStatus.OPEN:
        raise ConflictEnded
    check_step(CONFLICT_STEPS, before=locked.status, after=status)
    locked.status, locked.resolution = status, words
    locked.resolved_at, locked.resolved_by, locked.automatic = now, by, False
    locked.save(update_fields=["status", "resolution", "resolved_at", "resolved_by", "automatic"])


def _tell(decision: Decision, *, by: User, now: datetime) -> None:
    """:raises CannotSettle:"""
    enrollment = decision.lesson.enrollment
    if not decision.message or enrollment is None:
        return
    try:
        write_message(
            enrollment=enrollment, sender=by, body=decision.message, now=now, limited=False
        )
    except ThreadClosed as error:
        raise CannotSettle(decision.lesson) from error
