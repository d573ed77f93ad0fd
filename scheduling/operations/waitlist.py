"""A student's own part of the waitlist: to wait, to take what is offered, to go. And what becomes of
entries by themselves."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from enrollment.domain.states import LIVE_ENROLLMENT, LessonStatus, check_step
from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from enrollment.operations.enroll import (
    CourseFull,
    TeacherNotOfCourse,
    check_can_enroll,
    live_enrollment,
)
from enrollment.operations.lessons import HoldExpired, one_at_a_time, turn_hold_into_lesson
from rollback import drafts
from scheduling.domain import choice
from scheduling.domain.reasons import Why
from scheduling.domain.slots import touches
from scheduling.domain.waiting import (
    KEPT,
    LIVE_ENTRY,
    MAY_BECOME_FREE,
    MOST_ENTRIES,
    WAITLIST_STEPS,
    WaitlistStatus,
)
from scheduling.models import WaitlistEntry
from scheduling.operations import waitlist_mails
from scheduling.queries.availability import availability
from scheduling.queries.waitlist import live_entries, too_late_to_wait

# No policy has a farther horizon.
FARTHEST = timedelta(days=400)
# A hold that is missing for longer than the clocks of two processes may differ was given back.
GIVEN_BACK = timedelta(minutes=1)


class WaitlistRefused(Exception):
    """Why nobody waits now. Nothing was written."""


class StillFree(WaitlistRefused):
    """There is nothing to wait for: it can be had now."""


class CannotBecomeFree(WaitlistRefused):
    """No cancellation would change it: `why`."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


class AlreadyWaiting(WaitlistRefused):
    """The student waits for the very same already."""


class TooManyEntries(WaitlistRefused):
    """The student waits for MOST_ENTRIES things already."""


class OfferOver(WaitlistRefused):
    """It is not, or no longer, offered to this student."""


@transaction.atomic
def join(
    *,
    student: Student,
    course: Course,
    now: datetime,
    teacher: Teacher | None = None,
    starts_at: datetime | None = None,
) -> WaitlistEntry:
    """teacher and starts_at: wait for that time; without: for a place in the course.

    :raises WaitlistRefused: a subclass says why.
    :raises EnrollmentRefused: so does this one; nobody waits for what could not follow.
    """
    one_at_a_time(student=student)
    settle(now=now, student=student)
    if teacher is None or starts_at is None:
        _check_place(student, course, now=now)
        teacher = starts_at = None
    else:
        _check_time(student, course, teacher, starts_at, now=now)
    mine = live_entries(student)
    if mine.filter(course=course, teacher=teacher, starts_at=starts_at).exists():
        raise AlreadyWaiting
    if mine.count() >= MOST_ENTRIES:
        raise TooManyEntries
    return WaitlistEntry.objects.create(
        student=student, course=course, teacher=teacher, starts_at=starts_at, created_at=now
    )


def _check_place(student: Student, course: Course, *, now: datetime) -> None:
    try:
        check_can_enroll(student=student, course=course, teacher=None, now=now)
    except CourseFull:
        return
    raise StillFree


def _check_time(
    student: Student, course: Course, teacher: Teacher, starts_at: datetime, *, now: datetime
) -> None:
    if live_enrollment(student=student, course=course) is None:
        check_can_enroll(student=student, course=course, teacher=teacher, now=now)
    elif not course.teachers.contains(teacher):
        raise TeacherNotOfCourse
    # Before anything is computed around it: it may stand at the very end of the calendar.
    if starts_at <= now or starts_at > now + FARTHEST:
        raise CannotBecomeFree(Why.PAST if starts_at <= now else Why.HORIZON)
    known = availability(
        teacher=teacher,
        course=course,
        student=student,
        now=now,
        since=starts_at,
        until=starts_at + timedelta(seconds=1),
    )
    why = Why.NO_HOURS if starts_at.microsecond else known.why_not(starts_at)
    if why is None:
        raise StillFree
    start = int(starts_at.timestamp())
    if why in MAY_BECOME_FREE and touches(
        (start, start + known.policy.length), known.facts.learning
    ):
        # With this teacher: then the lesson in the way is the student's own.
        why = Why.OWN_LESSON
    if why in MAY_BECOME_FREE and too_late_to_wait(known, start):
        why = Why.NOTICE
    if why not in MAY_BECOME_FREE:
        raise CannotBecomeFree(why)


@transaction.atomic
def take(*, entry: WaitlistEntry, now: datetime) -> Enrollment | None:
    """Take what is offered. None: it is kept, and the way goes on with the steps of the enrollment.

    Who is enrolled already has the lesson at once; pressing twice takes it once.

    :raises OfferOver:
    :raises DraftRefused: the chosen time could not be saved; it is still held.
    """
    student, course = entry.student, entry.course
    one_at_a_time(student=student)
    enrollment = live_enrollment(student=student, course=course)
    offer = _locked(entry)
    if offer is None:
        raise OfferOver
    if enrollment is not None and offer.status == WaitlistStatus.TAKEN:
        return enrollment
    if not offer.is_offered or offer.offer_expires_at is None or offer.offer_expires_at <= now:
        raise OfferOver
    if offer.teacher_id is not None:
        hold = _hold_of(offer, now=now)
        if enrollment is None:
            _choose_in_draft(offer, now=now)
            return None
        try:
            turn_hold_into_lesson(hold=hold, enrollment=enrollment, now=now)
        except HoldExpired as expired:
            raise OfferOver from expired
    if enrollment is not None:
        end(WaitlistEntry.objects.filter(pk=offer.pk), WaitlistStatus.TAKEN, now=now)
    return enrollment


def _hold_of(offer: WaitlistEntry, *, now: datetime) -> Lesson:
    held = Lesson.objects.filter(
        student=offer.student, status=LessonStatus.HELD, expires_at__gt=now
    )
    hold = held.filter(pk=offer.hold_id).first() if offer.hold_id else None
    if hold is None:
        raise OfferOver
    return hold


def _choose_in_draft(offer: WaitlistEntry, *, now: datetime) -> None:
    assert offer.starts_at is not None
    answers = {"teacher": str(offer.teacher_id), "slot": choice.as_text(offer.starts_at)}
    drafts.save(
        student=offer.student, course=offer.course, answers=answers, step="details", now=now
    )


@transaction.atomic
def leave(*, entry: WaitlistEntry, now: datetime) -> bool:
    """What was offered is free for the next. False: it was over already."""
    one_at_a_time(student=entry.student)
    settle(now=now, student=entry.student)
    found = _locked(entry)
    if found is None or not found.is_live:
        return False
    _give_back(found)
    end(WaitlistEntry.objects.filter(pk=found.pk), WaitlistStatus.LEFT, now=now)
    transaction.on_commit(wake, robust=True)
    return True


@transaction.atomic
def remove(*, entry: WaitlistEntry) -> None:
    """By the office: the row, and what was held for it."""
    one_at_a_time(student=entry.student)
    found = _locked(entry)
    if found is not None:
        _give_back(found)
        found.delete()
        transaction.on_commit(wake, robust=True)


def _give_back(entry: WaitlistEntry) -> None:
    if entry.is_offered and entry.hold_id is not None:
        holds = Lesson.objects.filter(student=entry.student, status=LessonStatus.HELD)
        holds.filter(pk=entry.hold_id).delete()


def _locked(entry: WaitlistEntry) -> WaitlistEntry | None:
    """As it is now. Always after the student's lock, and before all others."""
    rows = WaitlistEntry.objects.select_for_update(no_key=True, of=("self",))
    return rows.select_related("student__user", "course", "teacher").filter(pk=entry.pk).first()


def wake() -> None:
    """Something became free: have it offered now, if anybody waits. Beat comes anyway."""
    if WaitlistEntry.objects.filter(status=WaitlistStatus.WAITING).exists():
        waitlist_mails.wake()


# ---------------------------------------------------------------- what happens by itself


@transaction.atomic
def settle(*, now: datetime, student: Student | None = None) -> None:
    """What the rows and the clock have decided meanwhile. student: only theirs.

    Whichever way somebody got a lesson or a place, and whoever gave a hold back, shows in the rows.
    """
    entries = WaitlistEntry.objects.filter(status__in=LIVE_ENTRY)
    if student is not None:
        entries = entries.filter(student=student)
    if not entries.exists():
        return
    offered = entries.filter(status=WaitlistStatus.OFFERED)
    places, times = entries.filter(teacher__isnull=True), entries.filter(teacher__isnull=False)
    end(places.filter(Exists(_enrolled())), WaitlistStatus.TAKEN, now=now)
    end(times.filter(Exists(_has_lesson())), WaitlistStatus.TAKEN, now=now)
    end(offered.filter(offer_expires_at__lte=now), WaitlistStatus.EXPIRED, now=now)
    end(entries.filter(starts_at__lte=now), WaitlistStatus.EXPIRED, now=now)
    closed = places.filter(course__closes_on__lt=timezone.localdate(now))
    end(closed, WaitlistStatus.EXPIRED, now=now)
    held = Lesson.objects.filter(pk=OuterRef("hold_id"), status=LessonStatus.HELD)
    gone = offered.filter(~Exists(held), hold__isnull=False, offer_expires_at__gt=now + GIVEN_BACK)
    end(gone, WaitlistStatus.LEFT, now=now)


def _enrolled() -> QuerySet[Enrollment]:
    return Enrollment.objects.filter(
        student=OuterRef("student"), course=OuterRef("course"), status__in=LIVE_ENROLLMENT
    )


def _has_lesson() -> QuerySet[Lesson]:
    return Lesson.objects.filter(
        student=OuterRef("student"),
        course=OuterRef("course"),
        teacher=OuterRef("teacher"),
        period__startswith=OuterRef("starts_at"),
        status__in=(LessonStatus.PLANNED, LessonStatus.DONE),
    )


def end(entries: QuerySet[WaitlistEntry], status: WaitlistStatus, *, now: datetime) -> None:
    """Whoever else has one of them is about to write what becomes of it, and is not waited for: two
    who hold several could wait for each other."""
    for before in LIVE_ENTRY:
        check_step(WAITLIST_STEPS, before=before, after=status)
    live = entries.filter(status__in=LIVE_ENTRY).order_by("pk")
    rows = live.select_for_update(skip_locked=True, no_key=True, of=("self",))
    pks = list(rows.values_list("pk", flat=True))
    ended: dict[str, Any] = {"status": status, "ended_at": now, "offer_next_at": None}
    if pks:
        WaitlistEntry.objects.filter(pk__in=pks).update(**ended)


def delete_old(*, now: datetime) -> int:
    """:returns: how many."""
    return WaitlistEntry.objects.filter(ended_at__lte=now - KEPT).delete()[0]
