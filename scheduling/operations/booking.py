"""Booking, moving and cancelling lessons: students and teachers by the policy, the office always."""

from dataclasses import replace
from datetime import datetime

from django.db import transaction

from enrollment.domain.states import LessonStatus, StepNotAllowed
from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations import lessons as ground
from enrollment.operations.lessons import (
    SlotTaken,
    Terms,
    lock_teacher,
    plan_lesson,
    taken_if_blocked,
)
from enrollment.operations.moving import put_elsewhere
from scheduling.domain.policy import Policy
from scheduling.operations import telling
from scheduling.operations.acting import (
    BookingRefused,
    EnrollmentNotLive,
    NotPlanned,
    NotThisTeacher,
    NotYours,
    Role,
    TooLate,
    check_in_time,
    check_planned,
    check_teacher,
    keep_teacher,
    lock_live,
    lock_person_and_student,
    role_with_enrollment,
    role_with_lesson,
)
from scheduling.operations.offered import check_offered, terms
from scheduling.operations.series import SeriesBooked, WeeksTaken, book_series
from scheduling.queries.availability import policy_for

__all__ = [
    "BookingRefused",
    "EnrollmentNotLive",
    "NotPlanned",
    "NotThisTeacher",
    "NotYours",
    "SeriesBooked",
    "SlotTaken",
    "TooLate",
    "WeeksTaken",
    "book_lesson",
    "book_series",
    "cancel_lesson",
    "move_lesson",
]


def book_lesson(
    *, enrollment: Enrollment, teacher: Teacher, starts_at: datetime, by: User, now: datetime
) -> Lesson:
    """One more lesson of an enrollment.

    :raises BookingRefused:
    :raises SlotTaken: it is not, or no longer, offered; for the office: somebody is there.
    """
    student, course = enrollment.student, enrollment.course
    role = role_with_enrollment(by=by, enrollment=enrollment)
    check_teacher(role=role, by=by, teacher=teacher, course=course)
    with taken_if_blocked():
        lock_person_and_student(by=by, student=student)
        keep_teacher(role=role, teacher=teacher, course=course)
        found = _terms(role, teacher=teacher, course=course, student=student, at=starts_at, now=now)
        made = plan_lesson(
            enrollment=lock_live(enrollment),
            teacher=teacher,
            starts_at=starts_at,
            now=now,
            terms=found,
            by=by,
        )
        telling.booked([made], role=role, by=by, now=now)
    return made


def move_lesson(
    *,
    lesson: Lesson,
    teacher: Teacher,
    starts_at: datetime,
    by: User,
    now: datetime,
    reason: str = "",
) -> Lesson:
    """Somewhere else, with its history. Where it is already: nothing happens.

    :raises BookingRefused: `TooLate` says until when it could be moved.
    :raises SlotTaken: it is not, or no longer, offered; for the office: somebody is there.
    """
    role_with_lesson(by=by, lesson=lesson)
    with taken_if_blocked():
        lock_person_and_student(by=by, student=lesson.student)
        known = _as_it_is(lesson)
        role = role_with_lesson(by=by, lesson=known)
        check_planned(known)
        if (teacher, starts_at) == (known.teacher, known.starts_at):
            return known
        _check_move(known, role=role, by=by, teacher=teacher, now=now)
        return _put(known, teacher, starts_at, role=role, by=by, now=now, reason=reason)


def _check_move(lesson: Lesson, *, role: Role, by: User, teacher: Teacher, now: datetime) -> None:
    """:raises BookingRefused:"""
    deadline = _policy_of(lesson).move_until(lesson.starts_at)
    check_in_time(role=role, deadline=deadline, lesson=lesson, now=now)
    check_teacher(role=role, by=by, teacher=teacher, course=lesson.course, own=lesson.teacher)


def _put(
    lesson: Lesson,
    teacher: Teacher,
    starts_at: datetime,
    *,
    role: Role,
    by: User,
    now: datetime,
    reason: str,
) -> Lesson:
    keep_teacher(role=role, teacher=teacher, course=lesson.course)
    # One move at a time to a teacher: two UPDATEs in each other's way would wait for each other.
    lock_teacher(teacher=teacher)
    found = _terms(
        role,
        teacher=teacher,
        course=lesson.course,
        student=lesson.student,
        at=starts_at,
        now=now,
        moved=lesson,
    )
    if lesson.enrollment is not None:
        lock_live(lesson.enrollment)
    put_elsewhere(
        lesson=lesson,
        teacher=teacher,
        starts_at=starts_at,
        terms=found,
        by=by,
        now=now,
        reason=reason,
    )
    moved = _as_it_is(lesson)
    telling.moved(before=lesson, after=moved, role=role, by=by, reason=reason, now=now)
    return moved


def cancel_lesson(*, lesson: Lesson, by: User, now: datetime, reason: str = "") -> Lesson:
    """Its time is free again for others. Pressed twice: it stays cancelled.

    :raises BookingRefused: `TooLate` says until when it could be cancelled.
    """
    role_with_lesson(by=by, lesson=lesson)
    with transaction.atomic():
        lock_person_and_student(by=by, student=lesson.student)
        known = _as_it_is(lesson)
        role = role_with_lesson(by=by, lesson=known)
        if known.status == LessonStatus.CANCELLED:
            return known
        check_planned(known)
        deadline = _policy_of(known).cancel_until(known.starts_at)
        check_in_time(role=role, deadline=deadline, lesson=known, now=now)
        if known.enrollment is not None:
            # Before the lesson, as everywhere; an enrollment that is over may still lose a lesson.
            Enrollment.objects.select_for_update(no_key=True).get(pk=known.enrollment.pk)
        _cancel(known, by=by, now=now, reason=reason)
        telling.cancelled(known, role=role, by=by, reason=reason, now=now)
        return known


def _cancel(lesson: Lesson, *, by: User, now: datetime, reason: str) -> None:
    status = LessonStatus.CANCELLED
    try:
        ground.move_lesson(lesson=lesson, status=status, by=by, now=now, reason=reason)
    except StepNotAllowed as error:
        # The teacher or the office has just noted that it was given.
        raise NotPlanned from error


def _as_it_is(lesson: Lesson) -> Lesson:
    known = Lesson.objects.select_related(
        "course", "teacher__user", "student__user", "enrollment__student__user"
    )
    return known.get(pk=lesson.pk)


def _policy_of(lesson: Lesson) -> Policy:
    return policy_for(teacher=lesson.teacher, course=lesson.course)


def _terms(
    role: Role,
    *,
    teacher: Teacher,
    course: Course,
    student: Student,
    at: datetime,
    now: datetime,
    moved: Lesson | None = None,
) -> Terms:
    """:raises SlotTaken: not offered. To the office everything is that the database has room for."""
    if role != Role.OFFICE:
        return check_offered(
            teacher=teacher, course=course, student=student, starts_at=at, now=now, apart_from=moved
        )
    policy = policy_for(teacher=teacher, course=course)
    start = int(at.timestamp())
    found = terms(course, policy, slot=(start, start + policy.length))
    return replace(found, minutes=Terms.kept(moved).minutes) if moved else found
