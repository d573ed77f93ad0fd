"""The safe rule for a lesson that stands wrong: to the nearest free time of the same teacher in the
same week, where the policy allows it. And what scheduling tells the ground floor about conflicts.
"""

from datetime import datetime

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from enrollment import detectors
from enrollment.detectors import Detector
from enrollment.domain.states import LessonStatus
from enrollment.models import Conflict, Enrollment, Lesson
from enrollment.operations.lessons import (
    PersonDeleted,
    SlotTaken,
    describe,
    lock_people,
    lock_user,
    taken_if_blocked,
)
from enrollment.operations.moving import put_elsewhere
from scheduling import sockets
from scheduling.operations.offered import check_offered
from scheduling.operations.telling import tell_moved_by_itself
from scheduling.queries import findings
from scheduling.queries.availability import policy_for
from scheduling.queries.elsewhere import minutes, offers, same_week

# Each of them is asked about once more under its locks.
TRIES = 5


def move_by_itself(*, conflict: Conflict, now: datetime) -> str | None:
    """Called for every open conflict at every search, so it says no quickly.

    :returns: where to, in words; None: a person has to decide.
    """
    lesson = _alone(conflict, now=now)
    if lesson is None or not sockets.has_feature(user=lesson.student.user):
        return None
    if not policy_for(teacher=lesson.teacher, course=lesson.course).automatic_moves:
        return None
    try:
        with taken_if_blocked():
            _lock(lesson)
            if not _is_still_so(conflict, lesson, now=now):
                return None
            return _move(lesson, conflict=conflict, now=now)
    except (PersonDeleted, SlotTaken):
        return None


def _alone(conflict: Conflict, *, now: datetime) -> Lesson | None:
    """One of a group stays with its group, unless a person decides otherwise; and who has no
    enrollment could not be told."""
    rows = Lesson.objects.select_related("course", "teacher__user", "student__user", "enrollment")
    found = list(rows.filter(conflicts=conflict)[:2])
    if len(found) != 1:
        return None
    lesson = found[0]
    planned = lesson.status == LessonStatus.PLANNED and lesson.starts_at > now
    return lesson if planned and lesson.seats == 1 and lesson.enrollment_id else None


def _lock(lesson: Lesson) -> None:
    """In the order of all locks, with what telling them will take.

    :raises PersonDeleted:
    """
    lock_user(user=lesson.teacher.user)
    lock_people(students=[lesson.student_id], teachers=[lesson.teacher_id])
    list(Enrollment.objects.select_for_update(no_key=True).filter(lessons=lesson))


def _is_still_so(conflict: Conflict, lesson: Lesson, *, now: datetime) -> bool:
    detector = detectors.get(conflict.kind)
    again = detector.find(now=now, lessons=[lesson.pk]) if detector else None
    return any(one.key == conflict.key for one in again or ())


def _move(lesson: Lesson, *, conflict: Conflict, now: datetime) -> str | None:
    policy, free = same_week(lesson=lesson, now=now)
    if policy.lesson_minutes != minutes(lesson):
        return None  # agreed to be longer or shorter: what is offered does not fit it
    detector = detectors.get(conflict.kind)
    reason = str(detector.title) if detector else ""
    for starts_at in free[:TRIES]:
        try:
            with taken_if_blocked():
                terms = check_offered(
                    teacher=lesson.teacher,
                    course=lesson.course,
                    student=lesson.student,
                    starts_at=starts_at,
                    now=now,
                    apart_from=lesson,
                )
                put_elsewhere(
                    lesson=lesson,
                    teacher=lesson.teacher,
                    starts_at=starts_at,
                    terms=terms,
                    by=None,
                    now=now,
                    reason=reason,
                )
        except SlotTaken:
            continue
        before, period = describe(lesson), lesson.period
        lesson.refresh_from_db(fields=["period", "local_on", "local_start", "zone"])
        tell_moved_by_itself(
            lesson=lesson, before=period, why=detector.title if detector else "", now=now
        )
        places = {"before": before, "after": describe(lesson)}
        return gettext("Moved by itself from %(before)s to %(after)s.") % places
    return None


DETECTORS = (
    Detector(
        kind=findings.OUTSIDE_HOURS,
        title=_("Lesson outside the teacher’s hours"),
        find=findings.outside_hours,
        words=findings.words_of_lesson,
        resolve=move_by_itself,
        offers=offers,
        displaces=True,
    ),
    Detector(
        kind=findings.IN_TIME_OFF,
        title=_("Lesson in the teacher’s time off"),
        find=findings.in_time_off,
        words=findings.words_of_lesson,
        resolve=move_by_itself,
        offers=offers,
        displaces=True,
    ),
    Detector(
        kind=findings.NO_HOURS,
        title=_("Teacher without any hours"),
        find=findings.without_hours,
        words=findings.words_without_hours,
        offers=offers,
        displaces=True,
    ),
    Detector(
        kind="hours_twice",
        title=_("Hours that overlap"),
        find=findings.rules_twice,
        words=findings.words_rules_twice,
    ),
    Detector(
        kind="hours_lost",
        title=_("Hours on a closed day or in time off"),
        find=findings.hours_lost,
        words=findings.words_hours_lost,
    ),
    Detector(
        kind="books_nothing",
        title=_("Policy under which nothing can be booked"),
        find=findings.books_nothing,
        words=findings.words_books_nothing,
    ),
    Detector(
        kind="hours_without_course",
        title=_("Hours of a teacher without a course"),
        find=findings.hours_without_course,
        words=findings.words_without_course,
    ),
)
