"""The steps of the new flow. What was typed goes into the draft, the slot into a hold."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from enrollment.operations.enroll import (
    ChangedElsewhere,
    check_can_enroll,
    enroll,
    lock_course,
)
from enrollment.operations.lessons import HOLD, hold_slot, one_at_a_time, taken_if_blocked
from rollback import drafts
from scheduling.domain import choice
from scheduling.operations import waitlist
from scheduling.operations.offered import check_offered
from scheduling.queries.progress import live_hold
from scheduling.queries.waitlist import offered_holds


@transaction.atomic
def choose(
    *,
    student: Student,
    course: Course,
    teacher: Teacher,
    starts_at: datetime,
    now: datetime,
    posted: Mapping[str, str] | None = None,
) -> Lesson:
    """Hold the slot and remember it. posted: the page it was chosen on, with what that had seen.

    :raises EnrollmentRefused: an enrollment could not follow, or another time was chosen elsewhere
        (`ChangedElsewhere`), so nothing is held.
    :raises SlotTaken: it is not, or no longer, offered.
    """
    # Before the check: an enrollment that is just being made would leave its student a second slot.
    one_at_a_time(student=student)
    check_can_enroll(student=student, course=course, teacher=teacher, now=now)
    answers = {**(posted or {}), "teacher": str(teacher.pk), "slot": choice.as_text(starts_at)}
    if drafts.is_stale(student=student, course=course, posted=answers, whole=False):
        raise ChangedElsewhere
    hold = hold_free_slot(
        student=student, course=course, teacher=teacher, starts_at=starts_at, now=now
    )
    drafts.save(student=student, course=course, answers=answers, step="details", now=now)
    return hold


def tell_details(
    *,
    student: Student,
    course: Course,
    teacher: Teacher,
    starts_at: datetime,
    wished_times: str,
    note: str,
    now: datetime,
    posted: Mapping[str, str],
) -> None:
    """posted: the page itself, with what it had seen.

    :raises ChangedElsewhere: some of it, and the page did not know; that is set aside.
    :raises DraftRefused: too much to be saved.
    """
    answers = {
        **posted,
        "teacher": str(teacher.pk),
        "slot": choice.as_text(starts_at),
        "wished_times": wished_times,
        "note": note,
    }
    draft = drafts.save(student=student, course=course, answers=answers, step="confirm", now=now)
    if draft.arrival and draft.arrival.refused:
        raise ChangedElsewhere


def keep_typed(
    *, student: Student, course: Course, typed: Mapping[str, str], step: str, now: datetime
) -> None:
    """What a refused page said, as it was posted; `step` is where the student goes on.

    :raises DraftRefused: too much to be saved.
    """
    drafts.save(student=student, course=course, answers=typed, step=step, now=now)


@transaction.atomic
def finish(
    *,
    student: Student,
    course: Course,
    teacher: Teacher,
    starts_at: datetime,
    wished_times: str,
    note: str,
    now: datetime,
    posted: Mapping[str, str] | None = None,
) -> Enrollment:
    """The enrollment with its first lesson. A hold that ran out is taken again if still free.

    :raises EnrollmentRefused: `AlreadyEnrolled` when the button was pressed twice,
        `ChangedElsewhere` when something else is saved than `posted` showed.
    :raises SlotTaken: somebody else has it now.
    :raises HoldExpired: it ran out while this waited for another enrollment in the course.
    """
    # One at a time for a student: the second press waits here, and then finds the enrollment
    # instead of its own lesson in the way.
    one_at_a_time(student=student)
    # Before a lock on the teacher, as everywhere.
    lock_course(course=course)
    check_can_enroll(student=student, course=course, teacher=teacher, now=now)
    hold = live_hold(
        student=student, course=course, teacher=teacher, starts_at=starts_at, now=now
    ) or hold_free_slot(
        student=student, course=course, teacher=teacher, starts_at=starts_at, now=now
    )
    made = enroll(
        student=student,
        course=course,
        teacher=teacher,
        wished_times=wished_times,
        note=note,
        flow=Enrollment.Flow.SCHEDULING,
        now=now,
        hold=hold,
        posted=posted,
    )
    waitlist.settle(now=now, student=student)
    return made


def hold_free_slot(
    *, student: Student, course: Course, teacher: Teacher, starts_at: datetime, now: datetime
) -> Lesson:
    """The same availability function that made the list decides; the database decides the race.

    A hold of the very slot that lasts longer, as one from the waitlist, stays as it is; those of other
    courses that the waitlist gave are not given back for this one.

    :raises SlotTaken:
    """
    own = live_hold(student=student, course=course, teacher=teacher, starts_at=starts_at, now=now)
    if own is not None and own.expires_at and own.expires_at > now + HOLD:
        return own
    with taken_if_blocked():
        terms = check_offered(
            teacher=teacher, course=course, student=student, starts_at=starts_at, now=now
        )
        return hold_slot(
            student=student,
            course=course,
            teacher=teacher,
            starts_at=starts_at,
            now=now,
            terms=terms,
            spare=offered_holds(student),
        )
