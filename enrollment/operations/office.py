"""What the office does by hand, under the same rules as everybody else."""

from datetime import date, datetime, time

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from enrollment import sockets
from enrollment.domain.clock import instant
from enrollment.domain.states import (
    ENROLLMENT_STEPS,
    LESSON_STEPS,
    LIVE_ENROLLMENT,
    EnrollmentStatus,
    LessonStatus,
    check_step,
)
from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from enrollment.operations.enroll import enroll
from enrollment.operations.lessons import SlotTaken, lock_people, plan_lesson, taken_if_blocked
from enrollment.queries.clashes import lesson_length

ENDS_LESSONS = (EnrollmentStatus.DECLINED, EnrollmentStatus.CANCELLED)


class EnrollmentNotLive(Exception):
    """No lessons are planned for an enrollment that is over."""


@transaction.atomic
def enroll_by_office(
    *,
    student: Student,
    course: Course,
    teacher: Teacher | None,
    wished_times: str,
    note: str,
    office_note: str,
    payment_reference: str,
    now: datetime,
) -> Enrollment:
    """:raises EnrollmentRefused:"""
    enrollment = enroll(
        student=student,
        course=course,
        teacher=teacher,
        wished_times=wished_times,
        note=note,
        flow=Enrollment.Flow.OFFICE,
        now=now,
    )
    # enroll() may have named a hold to the office there.
    notes = [text for text in (enrollment.office_note, office_note) if text]
    enrollment.office_note = "\n".join(notes)
    enrollment.payment_reference = payment_reference
    enrollment.save(update_fields=["office_note", "payment_reference"])
    return enrollment


@transaction.atomic
def move_enrollment(*, enrollment: Enrollment, status: str, now: datetime) -> None:
    """Declined and cancelled enrollments give back their coming lessons and holds.

    :raises StepNotAllowed:
    """
    locked = Enrollment.objects.select_for_update(no_key=True).get(pk=enrollment.pk)
    check_step(ENROLLMENT_STEPS, before=locked.status, after=status)
    if status != locked.status and status not in LIVE_ENROLLMENT:
        locked.ended_at = now
    locked.status = enrollment.status = status
    locked.save(update_fields=["status", "ended_at"])
    if status in ENDS_LESSONS:
        _free_coming_lessons(locked, now=now)
    if status not in LIVE_ENROLLMENT:
        sockets.something_became_free()


def _free_coming_lessons(enrollment: Enrollment, *, now: datetime) -> None:
    enrollment.lessons.filter(status=LessonStatus.HELD).delete()
    enrollment.lessons.filter(status=LessonStatus.PLANNED, period__startswith__gt=now).update(
        status=LessonStatus.CANCELLED
    )


def check_can_have_lessons(enrollment: Enrollment) -> None:
    """:raises EnrollmentNotLive:"""
    if enrollment.status not in LIVE_ENROLLMENT:
        raise EnrollmentNotLive


@transaction.atomic
def plan_by_hand(
    *, enrollment: Enrollment, teacher: Teacher, on: date, at: time, now: datetime
) -> Lesson:
    """On the teacher's clock.

    :raises EnrollmentNotLive:
    :raises PersonDeleted:
    :raises NoSuchTime:
    :raises SlotTaken:
    """
    live = lock_for_lessons(enrollment=enrollment, teacher=teacher)
    starts_at = instant(on=on, at=at, zone=teacher.zone)
    return plan_lesson(enrollment=live, teacher=teacher, starts_at=starts_at, now=now)


def lock_for_lessons(*, enrollment: Enrollment, teacher: Teacher) -> Enrollment:
    """As it is now, not as a page showed it, and so until the lessons are planned.

    :raises EnrollmentNotLive:
    :raises PersonDeleted:
    """
    lock_people(students=[enrollment.student_id], teachers=[teacher.pk])
    rows = Enrollment.objects.select_for_update(of=("self",), no_key=True)
    locked = rows.select_related("student", "course").get(pk=enrollment.pk)
    check_can_have_lessons(locked)
    return locked


@transaction.atomic
def reschedule_lesson(
    *, lesson: Lesson, teacher: Teacher, on: date, at: time, now: datetime
) -> None:
    """Another time on the teacher's clock, another teacher, or both; the length stays.

    :raises StepNotAllowed: only a planned lesson can be moved.
    :raises PersonDeleted:
    :raises NoSuchTime:
    :raises SlotTaken:
    """
    lock_people(students=[lesson.student_id], teachers=[teacher.pk])
    put_lesson(lesson=lesson, teacher=teacher, on=on, at=at, now=now)
    sockets.something_became_free()


def put_lesson(*, lesson: Lesson, teacher: Teacher, on: date, at: time, now: datetime) -> None:
    """`reschedule_lesson` for who holds the locks of `lock_people` already."""
    check_step(LESSON_STEPS, before=lesson.status, after=LessonStatus.PLANNED)
    starts_at = instant(on=on, at=at, zone=teacher.zone)
    period = DateTimeTZRange(starts_at, starts_at + lesson_length(lesson))
    # Two writers who both want the place may block each other: an UPDATE cannot say ON CONFLICT.
    with taken_if_blocked():
        _delete_expired_holds_in_the_way(lesson, teacher, period, now=now)
        moved = Lesson.objects.filter(pk=lesson.pk, status=LessonStatus.PLANNED).update(
            teacher=teacher, period=period, local_on=on, local_start=at, zone=teacher.zone
        )
    if not moved:
        raise SlotTaken


def _delete_expired_holds_in_the_way(
    lesson: Lesson, teacher: Teacher, period: DateTimeTZRange, *, now: datetime
) -> None:
    expired = Lesson.objects.filter(
        status=LessonStatus.HELD, expires_at__lte=now, busy__overlap=period
    )
    (expired.filter(teacher=teacher) | expired.filter(student=lesson.student)).delete()
