"""Writing lessons and holds. Only the database decides who was first."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import pgettext
from psycopg.errors import DeadlockDetected, ExclusionViolation, LockNotAvailable, UniqueViolation

from enrollment.domain.states import LESSON_STEPS, LessonStatus, check_step
from enrollment.models import Course, Enrollment, Lesson, LessonChange, Student, Teacher, User
from enrollment.operations.changes import record

HOLD = timedelta(minutes=10)
# Over all courses: nobody can empty a teacher's week by looking around in every course.
MOST_HOLDS = 3
LOCK_WAIT = "3s"
BLOCKED = (ExclusionViolation, UniqueViolation, DeadlockDetected, LockNotAvailable)


class SlotTaken(Exception):
    """Teacher or student already has something at that time."""


class HoldExpired(Exception):
    """The slot is no longer held for this student."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long a new lesson is, for how many students, and what the teacher keeps free around it."""

    minutes: int
    seats: int = 1
    buffer_before: int = 0
    buffer_after: int = 0

    @classmethod
    def of(cls, course: Course) -> "Terms":
        return cls(minutes=course.lesson_minutes, seats=course.seats)

    @classmethod
    def kept(cls, lesson: Lesson) -> "Terms":
        """What was agreed for it already."""
        return cls(
            minutes=ceil((lesson.ends_at - lesson.starts_at) / timedelta(minutes=1)),
            seats=lesson.seats,
            buffer_before=lesson.buffer_before,
            buffer_after=lesson.buffer_after,
        )


def hold_slot(
    *,
    student: Student,
    course: Course,
    teacher: Teacher,
    starts_at: datetime,
    now: datetime,
    terms: Terms | None = None,
    hold_for: timedelta = HOLD,
    spare: Collection[int] = (),
) -> Lesson:
    """Hold one slot. terms: None is the course's own.

    A student has one hold for a course and MOST_HOLDS in all; those before give way. spare: holds in
    other courses, by id, that do not, and are not counted.

    :raises SlotTaken: nothing was given back.
    """
    with taken_if_blocked():
        one_at_a_time(student=student)
        _give_back_holds(student=student, course=course, spare=spare)
        return _insert(
            student=student,
            course=course,
            teacher=teacher,
            starts_at=starts_at,
            terms=terms or Terms.of(course),
            status=LessonStatus.HELD,
            expires_at=now + hold_for,
            now=now,
        )


@contextmanager
def taken_if_blocked() -> Iterator[None]:
    """A transaction in which whoever is in the way for LOCK_WAIT, or for ever, was faster.

    :raises SlotTaken: an exclusion constraint, a deadlock or the lock's timeout said so.
    """
    try:
        with transaction.atomic():
            before = wait_for_locks()
            yield
            # Only in here: whoever waits elsewhere in the transaction knows nothing of slots.
            wait_for_locks(before)
    except (IntegrityError, OperationalError) as error:
        if isinstance(error.__cause__, BLOCKED):
            raise SlotTaken from error
        raise


def wait_for_locks(time: str = LOCK_WAIT) -> str:
    """In this transaction, from now on.

    :returns: how long it was before.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('lock_timeout'), set_config('lock_timeout', %s, true)", [time]
        )
        before: str = cursor.fetchone()[0]
        return before


def lock_teacher(*, teacher: Teacher) -> None:
    """Whoever else counts lessons of this teacher waits until this transaction ends.

    The order of locks is user, student, course, teacher, enrollment, lesson. Call it inside
    `taken_if_blocked`, which ends a wait that takes too long.
    """
    Teacher.objects.select_for_update(no_key=True).get(pk=teacher.pk)


class PersonDeleted(PermissionDenied):
    """Somebody was deleted while this was on its way; nothing new is written about them."""


def one_at_a_time(*, student: Student) -> None:
    """Whoever else holds or enrolls for this student waits until this transaction ends.

    Always before a lock on a course, never after: two who lock in different order block each other.

    :raises PersonDeleted: Django answers it with 403.
    """
    lock_student(student=student)
    # A query of its own: joined to the lock it would see the user as it was before the wait.
    if User.objects.filter(student=student, deleted_at__isnull=False).exists():
        raise PersonDeleted


def lock_student(*, student: Student) -> None:
    Student.objects.select_for_update(no_key=True).get(pk=student.pk)


def lock_people(*, students: Iterable[int], teachers: Iterable[int]) -> None:
    """By id: between whom lessons are planned. Whoever of them is just being deleted comes before,
    or after and then finds these lessons. The order is that of all locks: students, then teachers.

    :raises PersonDeleted:
    """
    students, teachers = list(students), list(teachers)
    for model, pks in ((Student, students), (Teacher, teachers)):
        rows = model._default_manager.select_for_update(no_key=True)
        list(rows.filter(pk__in=pks).order_by("pk"))
    # A query of its own, as above.
    anybody = Q(student__in=students) | Q(teacher__in=teachers)
    if User.objects.filter(anybody, deleted_at__isnull=False).exists():
        raise PersonDeleted


def lock_user(*, user: User) -> None:
    """Before all other locks.

    :raises PersonDeleted:
    """
    locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if locked.deleted_at is not None:
        raise PersonDeleted


@transaction.atomic
def give_back_hold(*, student: Student, course: Course) -> None:
    """The student does not go on. A hold that is named in an enrollment stays: it is the office's."""
    one_at_a_time(student=student)
    open_holds(student).filter(course=course).delete()


def open_holds(student: Student) -> QuerySet[Lesson]:
    """Also those that ran out and are not deleted yet."""
    return Lesson.objects.filter(student=student, status=LessonStatus.HELD, enrollment__isnull=True)


def _give_back_holds(*, student: Student, course: Course, spare: Collection[int]) -> None:
    """Room for one more hold. One named in an enrollment is the office's until it runs out."""
    holds = open_holds(student)
    holds.filter(course=course).delete()
    newest = holds.exclude(pk__in=spare).order_by("-expires_at", "-pk").values_list("pk", flat=True)
    too_many = list(newest[MOST_HOLDS - 1 :])
    if too_many:
        holds.filter(pk__in=too_many).delete()


def plan_lesson(
    *,
    enrollment: Enrollment,
    teacher: Teacher,
    starts_at: datetime,
    now: datetime,
    terms: Terms | None = None,
    by: User | None = None,
) -> Lesson:
    """terms: None is the course's own. by: who did it, for its history.

    :raises SlotTaken:
    """
    with taken_if_blocked():
        made = _insert(
            student=enrollment.student,
            course=enrollment.course,
            teacher=teacher,
            starts_at=starts_at,
            terms=terms or Terms.of(enrollment.course),
            status=LessonStatus.PLANNED,
            enrollment=enrollment,
            now=now,
        )
        record(lesson=made, what=LessonChange.What.BOOKED, by=by, now=now)
        return made


def turn_hold_into_lesson(*, hold: Lesson, enrollment: Enrollment, now: datetime) -> None:
    """:raises HoldExpired: it ran out, or never was this student's."""
    taken = Lesson.objects.filter(
        pk=hold.pk,
        student=enrollment.student,
        course=enrollment.course,
        status=LessonStatus.HELD,
        expires_at__gt=now,
    ).update(status=LessonStatus.PLANNED, expires_at=None, enrollment=enrollment)
    if not taken:
        raise HoldExpired
    # Whoever can hold a slot is the student themself.
    who = enrollment.student.user
    record(lesson=hold, what=LessonChange.What.BOOKED, by=who, now=now)


@transaction.atomic
def move_lesson(
    *, lesson: Lesson, status: str, now: datetime, by: User | None = None, reason: str = ""
) -> None:
    """Along the state machine; a cancellation stands in the lesson's history.

    :raises StepNotAllowed:
    """
    # As it is now, not as the page showed it: two people may press at once.
    known = Lesson.objects.select_for_update(no_key=True).get(pk=lesson.pk)
    check_step(LESSON_STEPS, before=known.status, after=status)
    lesson.status = status
    lesson.expires_at = None
    lesson.save(update_fields=["status", "expires_at"])
    if status == LessonStatus.CANCELLED != known.status:
        record(lesson=lesson, what=LessonChange.What.CANCELLED, by=by, now=now, reason=reason)


def delete_expired_holds(*, now: datetime) -> int:
    expired = Lesson.objects.filter(status=LessonStatus.HELD, expires_at__lte=now)
    return delete_holds(expired, wait=False)


@transaction.atomic
def delete_holds(holds: QuerySet[Lesson], *, wait: bool = True) -> int:
    """Locked, and so looked at once more, first: Django deletes by key, also one that has become a
    lesson while this waited. Who holds the student's lock needs no such care.

    wait: else what somebody is just at is left to them.
    """
    rows = holds.select_for_update(skip_locked=not wait).order_by("pk")
    pks = list(rows.values_list("pk", flat=True))
    if not pks:
        return 0
    deleted, _by_model = Lesson.objects.filter(pk__in=pks).delete()
    return deleted


def describe(lesson: Lesson) -> str:
    """The lesson's time in words, on the clock it was agreed in."""
    return describe_period(lesson.period, zone=lesson.zone)


def describe_period(period: DateTimeTZRange, *, zone: str) -> str:
    start, end = (
        timezone.localtime(moment, ZoneInfo(zone)) for moment in (period.lower, period.upper)
    )
    day = date_format(start, pgettext("date format", "l j F Y"))
    return f"{day}, {time_format(start, 'H:i')}–{time_format(end, 'H:i')} ({zone})"


def _insert(
    *,
    student: Student,
    course: Course,
    teacher: Teacher,
    starts_at: datetime,
    terms: Terms,
    status: str,
    now: datetime,
    enrollment: Enrollment | None = None,
    expires_at: datetime | None = None,
) -> Lesson:
    """ON CONFLICT DO NOTHING, never a plain INSERT: that deadlocks against an exclusion constraint."""
    ends_at = starts_at + timedelta(minutes=terms.minutes)
    local = timezone.localtime(starts_at, ZoneInfo(teacher.zone))
    if terms.seats > 1:
        lock_teacher(teacher=teacher)
        terms = join_group(
            course=course,
            teacher=teacher,
            period=DateTimeTZRange(starts_at, ends_at),
            terms=terms,
            now=now,
        )
    with connection.cursor() as cursor:
        # A constraint cannot read the clock, so holds that have run out are cleared here.
        cursor.execute(
            """
            DELETE FROM enrollment_lesson
             WHERE status = 'held' AND expires_at <= %s
               AND busy && tstzrange(%s, %s)
               AND (teacher_id = %s::bigint OR student_id = %s::bigint)
            """,
            [
                now,
                starts_at - timedelta(minutes=terms.buffer_before),
                ends_at + timedelta(minutes=terms.buffer_after),
                teacher.pk,
                student.pk,
            ],
        )
        cursor.execute(
            """
            INSERT INTO enrollment_lesson (course_id, teacher_id, student_id, enrollment_id, period,
                                           local_on, local_start, zone, status, expires_at,
                                           seats, buffer_before, buffer_after)
            VALUES (%s, %s, %s, %s, tstzrange(%s, %s), %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT DO NOTHING
            RETURNING id
            """,
            [
                course.pk,
                teacher.pk,
                student.pk,
                enrollment.pk if enrollment else None,
                starts_at,
                ends_at,
                local.date(),
                f"{local:%H:%M:%S}",
                teacher.zone,
                status,
                expires_at,
                terms.seats,
                terms.buffer_before,
                terms.buffer_after,
            ],
        )
        row = cursor.fetchone()
    if row is None:
        raise SlotTaken
    return Lesson.objects.get(pk=row[0])


def join_group(
    *,
    course: Course,
    teacher: Teacher,
    period: DateTimeTZRange,
    terms: Terms,
    now: datetime,
    apart_from: Lesson | None = None,
) -> Terms:
    """As the group has them already, if there is one; counted under the teacher's lock.

    :raises SlotTaken: no seat is left.
    """
    rows = (
        Lesson.objects.filter(teacher=teacher, course=course, period=period, seats__gt=1)
        .exclude(status=LessonStatus.CANCELLED)
        .exclude(status=LessonStatus.HELD, expires_at__lte=now)
    )
    rows = rows.exclude(pk=apart_from.pk) if apart_from else rows
    group = list(rows.values_list("seats", "buffer_before", "buffer_after"))
    if not group:
        return terms
    seats, before, after = group[0]
    if len(group) >= max(row[0] for row in group):
        raise SlotTaken
    return Terms(minutes=terms.minutes, seats=seats, buffer_before=before, buffer_after=after)
