"""Several lessons of one enrollment at once: all of them, or those that are free."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from enrollment.models import Enrollment, Lesson, Teacher, User
from enrollment.operations.lessons import SlotTaken, lock_teacher, plan_lesson, taken_if_blocked
from scheduling.domain.reasons import Why
from scheduling.domain.series import Asked, ask
from scheduling.operations import telling
from scheduling.operations.acting import (
    Role,
    check_teacher,
    keep_teacher,
    lock_live,
    lock_person_and_student,
    role_with_enrollment,
)
from scheduling.operations.offered import terms
from scheduling.queries.availability import Availability, availability, moment


@dataclass(frozen=True, kw_only=True)
class Left:
    """A start that was not booked, and why."""

    starts_at: datetime
    why: Why
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class SeriesBooked:
    booked: list[Lesson]
    skipped: list[Left]


class WeeksTaken(SlotTaken):
    """Nothing was booked because of `weeks`."""

    def __init__(self, weeks: Sequence[Left]) -> None:
        super().__init__()
        self.weeks = weeks


def book_series(
    *,
    enrollment: Enrollment,
    teacher: Teacher,
    starts: Sequence[datetime],
    skip: bool,
    by: User,
    now: datetime,
) -> SeriesBooked:
    """In order of time, in one transaction. skip: what is not free is left out; else nothing is
    booked as soon as one is not.

    :raises BookingRefused:
    :raises WeeksTaken: which, and why.
    """
    role = role_with_enrollment(by=by, enrollment=enrollment)
    check_teacher(role=role, by=by, teacher=teacher, course=enrollment.course)
    with taken_if_blocked():
        lock_person_and_student(by=by, student=enrollment.student)
        keep_teacher(role=role, teacher=teacher, course=enrollment.course)
        # Limits and seats are counted once for all weeks, so nobody may book in between.
        lock_teacher(teacher=teacher)
        known = _known(enrollment, teacher, starts, now=now)
        asked = _ask(known, starts, role=role)
        _check_all(asked, skip=skip)
        done = _book(lock_live(enrollment), teacher, asked, known, skip=skip, by=by, now=now)
        telling.booked(done.booked, role=role, by=by, now=now)
    return done


def _known(
    enrollment: Enrollment, teacher: Teacher, starts: Sequence[datetime], *, now: datetime
) -> Availability:
    return availability(
        teacher=teacher,
        course=enrollment.course,
        student=enrollment.student,
        now=now,
        since=min(starts),
        until=max(starts) + timedelta(seconds=1),
    )


def _ask(known: Availability, starts: Sequence[datetime], *, role: Role) -> list[Asked]:
    """The office plans outside of what is offered, too."""
    seconds = [int(start.timestamp()) for start in starts]
    if role == Role.OFFICE:
        length = known.policy.length
        return [Asked(slot=(start, start + length)) for start in sorted(set(seconds))]
    return ask(known.facts, known.policy, known.horizon, seconds)


def _check_all(asked: Sequence[Asked], *, skip: bool) -> None:
    """:raises WeeksTaken:"""
    left = [_left(one, one.why) for one in asked if one.why]
    if left and not skip:
        raise WeeksTaken(left)


def _book(
    enrollment: Enrollment,
    teacher: Teacher,
    asked: Sequence[Asked],
    known: Availability,
    *,
    skip: bool,
    by: User,
    now: datetime,
) -> SeriesBooked:
    booked: list[Lesson] = []
    skipped: list[Left] = []
    for one in asked:
        if one.why:
            skipped.append(_left(one, one.why))
            continue
        try:
            made = plan_lesson(
                enrollment=enrollment,
                teacher=teacher,
                starts_at=moment(one.slot[0]),
                now=now,
                terms=terms(enrollment.course, known.policy, slot=one.slot),
                by=by,
            )
            booked.append(made)
        except SlotTaken as taken:
            # Somebody who needs no count was faster, a moment after it was asked.
            left = _left(one, Why.LESSON)
            if not skip:
                raise WeeksTaken([left]) from taken
            skipped.append(left)
    return SeriesBooked(booked=booked, skipped=skipped)


def _left(one: Asked, why: Why) -> Left:
    return Left(starts_at=moment(one.slot[0]), why=why, note=one.note)
