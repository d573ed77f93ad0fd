"""Offering what has become free to who waits for it: the first first, one at a time."""

from datetime import datetime, timedelta

from django.utils import timezone

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from enrollment.operations.enroll import (
    CourseFull,
    EnrollmentRefused,
    check_can_enroll,
    live_enrollment,
    lock_course,
)
from enrollment.operations.lessons import (
    PersonDeleted,
    SlotTaken,
    hold_slot,
    one_at_a_time,
    open_holds,
    taken_if_blocked,
    wait_for_locks,
)
from scheduling import sockets
from scheduling.domain.waiting import MAY_BECOME_FREE, WaitlistStatus, offer_ends
from scheduling.models import WaitlistEntry
from scheduling.operations import waitlist
from scheduling.operations.offered import check_offered
from scheduling.queries.availability import availability
from scheduling.queries.waitlist import Awaited, awaited, in_line


class NotOffered(Exception):
    """This student cannot have it just now; the next in line is asked."""


def fill(*, now: datetime) -> int:
    """Each offer is a transaction of its own. Two workers at once make no offer twice: both wait for
    the student's lock, and only the first still finds an entry that waits. They do not skip a locked
    student, or the second in line would be asked before the first.

    :returns: how many offers were made.
    """
    waitlist.settle(now=now)
    waitlist.delete_old(now=now)
    things = awaited()
    courses = Course.objects.in_bulk({thing.course for thing in things})
    teachers = Teacher.objects.in_bulk({thing.teacher for thing in things if thing.teacher})
    made = 0
    for thing in things:
        course = courses[thing.course]
        if thing.teacher is None or thing.starts_at is None:
            made += _offer_places(thing, course, now=now)
        else:
            made += _offer_time(thing, course, teachers[thing.teacher], thing.starts_at, now=now)
    return made


def _offer_time(
    thing: Awaited, course: Course, teacher: Teacher, starts_at: datetime, *, now: datetime
) -> int:
    """Asked for nobody first: most of what is waited for is still taken. The bookable dates are left
    to the second look, which knows the student's calendar."""
    known = availability(
        teacher=teacher,
        course=course,
        now=now,
        since=starts_at,
        until=starts_at + timedelta(seconds=1),
    )
    latest = starts_at - timedelta(minutes=known.policy.notice_minutes)
    until = offer_ends(now=now, latest=latest)
    if until is None or known.why_not(starts_at) in MAY_BECOME_FREE:
        return 0
    made = 0
    for entry in in_line(thing):
        try:
            _hold_for(entry, course, teacher, starts_at, until=until, now=now)
        except (NotOffered, SlotTaken, EnrollmentRefused, PersonDeleted):
            continue
        made += 1
        if course.seats == 1:
            break
    return made


def _hold_for(
    entry: WaitlistEntry,
    course: Course,
    teacher: Teacher,
    starts_at: datetime,
    *,
    until: datetime,
    now: datetime,
) -> None:
    """:raises NotOffered:
    :raises SlotTaken: it was taken meanwhile, or is no time for this student.
    :raises EnrollmentRefused: no enrollment could follow.
    :raises PersonDeleted:
    """
    student = entry.student
    with taken_if_blocked():
        _lock(entry)
        enrollment = live_enrollment(student=student, course=course)
        _check_could_have(student, course, teacher, enrollment, now=now)
        terms = check_offered(
            teacher=teacher, course=course, student=student, starts_at=starts_at, now=now
        )
        hold = hold_slot(
            student=student,
            course=course,
            teacher=teacher,
            starts_at=starts_at,
            now=now,
            terms=terms,
            hold_for=until - now,
            # The student asked for none of this just now: nothing of theirs gives way.
            spare=list(open_holds(student).values_list("pk", flat=True)),
        )
        if enrollment is not None:
            # Named there it is no hold of somebody who still chooses: it stays beside others, and
            # goes with the enrollment.
            Lesson.objects.filter(pk=hold.pk).update(enrollment=enrollment)
        _offer(entry, until=until, now=now, hold=hold)


def _check_could_have(
    student: Student,
    course: Course,
    teacher: Teacher,
    enrollment: Enrollment | None,
    *,
    now: datetime,
) -> None:
    """:raises NotOffered:
    :raises EnrollmentRefused:
    """
    if enrollment is not None:
        if not course.teachers.contains(teacher):
            raise NotOffered
        return
    check_can_enroll(student=student, course=course, teacher=teacher, now=now)
    # In the middle of choosing another time of this course; a student holds one of a course.
    if open_holds(student).filter(course=course, expires_at__gt=now).exists():
        raise NotOffered


def _offer_places(thing: Awaited, course: Course, *, now: datetime) -> int:
    until = offer_ends(now=now, latest=_closes_at(course))
    if until is None or not course.is_open(today=timezone.localdate(now)):
        return 0
    made = 0
    for entry in in_line(thing):
        try:
            _reserve_for(entry, course, until=until, now=now)
        except CourseFull:
            break
        except (NotOffered, SlotTaken, EnrollmentRefused, PersonDeleted):
            continue
        made += 1
    return made


def _reserve_for(entry: WaitlistEntry, course: Course, *, until: datetime, now: datetime) -> None:
    """The course's lock makes places countable, as for an enrollment.

    :raises NotOffered:
    :raises EnrollmentRefused:
    :raises PersonDeleted:
    """
    student = entry.student
    with taken_if_blocked():
        _lock(entry)
        locked = lock_course(course=course)
        check_can_enroll(student=student, course=locked, teacher=None, now=now)
        _offer(entry, until=until, now=now, hold=None)


def _closes_at(course: Course) -> datetime | None:
    """The midnight that ends the last day of enrollment, on the school's clock."""
    if course.closes_on is None:
        return None
    day = course.closes_on + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=timezone.get_default_timezone())


def _lock(entry: WaitlistEntry) -> None:
    """Student, then entry; the course and the teacher come after.

    :raises NotOffered: it does not wait any more, or nobody would read the mail or could follow it.
    """
    wait_for_locks()
    one_at_a_time(student=entry.student)
    user = entry.student.user
    # Who has not got these pages just now could not take it, and would keep it from the next.
    if not (user.is_active and sockets.has_feature(user=user)):
        raise NotOffered
    waiting = WaitlistEntry.objects.select_for_update(no_key=True)
    if waiting.filter(pk=entry.pk, status=WaitlistStatus.WAITING).first() is None:
        raise NotOffered


def _offer(entry: WaitlistEntry, *, until: datetime, now: datetime, hold: Lesson | None) -> None:
    WaitlistEntry.objects.filter(pk=entry.pk).update(
        status=WaitlistStatus.OFFERED, offered_at=now, offer_expires_at=until, hold=hold
    )
