"""What the office does by hand, under the same rules as everybody else."""

from datetime import date, datetime, time

from django.db import transaction

from enrollment.domain.clock import instant
from enrollment.domain.states import (
    ENROLLMENT_STEPS,
    LIVE_ENROLLMENT,
    EnrollmentStatus,
    LessonStatus,
    check_step,
)
from enrollment.models import Course, Enrollment, Lesson, LessonChange, Student, Teacher, User
from enrollment.operations import look_again
from enrollment.operations.changes import record_all
from enrollment.operations.enroll import enroll
from enrollment.operations.lessons import delete_holds, lock_people, plan_lesson
from enrollment.operations.make_up import use_oldest
from enrollment.operations.moving import put_elsewhere

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
def move_enrollment(
    *, enrollment: Enrollment, status: str, now: datetime, by: User | None = None
) -> None:
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
        _free_coming_lessons(locked, by=by, now=now)
    look_again.after_commit()


def _free_coming_lessons(enrollment: Enrollment, *, by: User | None, now: datetime) -> None:
    delete_holds(Lesson.objects.filter(enrollment=enrollment, status=LessonStatus.HELD))
    coming = enrollment.lessons.filter(status=LessonStatus.PLANNED, period__startswith__gt=now)
    lessons = list(coming.select_for_update(no_key=True).order_by("pk"))
    Lesson.objects.filter(pk__in=[one.pk for one in lessons]).update(status=LessonStatus.CANCELLED)
    record_all(lessons=lessons, what=LessonChange.What.CANCELLED, by=by, now=now)


def check_can_have_lessons(enrollment: Enrollment) -> None:
    """:raises EnrollmentNotLive:"""
    if enrollment.status not in LIVE_ENROLLMENT:
        raise EnrollmentNotLive


@transaction.atomic
def plan_by_hand(
    *,
    enrollment: Enrollment,
    teacher: Teacher,
    on: date,
    at: time,
    now: datetime,
    by: User | None = None,
    use_credit: bool = False,
) -> Lesson:
    """On the teacher's clock. use_credit: it makes up for a lesson that was cancelled.

    :raises NoCredit:
    :raises EnrollmentNotLive:
    :raises PersonDeleted:
    :raises NoSuchTime:
    :raises SlotTaken:
    """
    live = lock_for_lessons(enrollment=enrollment, teacher=teacher)
    starts_at = instant(on=on, at=at, zone=teacher.zone)
    look_again.after_commit()
    lesson = plan_lesson(enrollment=live, teacher=teacher, starts_at=starts_at, now=now, by=by)
    if use_credit:
        use_oldest(enrollment=live, lesson=lesson, now=now)
    return lesson


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
    *,
    lesson: Lesson,
    teacher: Teacher,
    on: date,
    at: time,
    now: datetime,
    by: User | None = None,
    reason: str = "",
) -> None:
    """Another time on the teacher's clock, another teacher, or both; the length stays.

    :raises StepNotAllowed: only a planned lesson can be moved.
    :raises PersonDeleted:
    :raises NoSuchTime:
    :raises SlotTaken:
    """
    lock_people(students=[lesson.student_id], teachers=[teacher.pk])
    put_lesson(lesson=lesson, teacher=teacher, on=on, at=at, now=now, by=by, reason=reason)
    look_again.after_commit()


def put_lesson(
    *,
    lesson: Lesson,
    teacher: Teacher,
    on: date,
    at: time,
    now: datetime,
    by: User | None = None,
    reason: str = "",
) -> None:
    """`reschedule_lesson` for who holds the locks of `lock_people` already."""
    starts_at = instant(on=on, at=at, zone=teacher.zone)
    put_elsewhere(
        lesson=lesson, teacher=teacher, starts_at=starts_at, by=by, now=now, reason=reason
    )
