"""Several lessons moved or cancelled at once by the office: all of them, or none."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from enrollment.domain.clock import NoSuchTime, instant
from enrollment.domain.states import LessonStatus
from enrollment.models import Lesson, Teacher, User
from enrollment.operations import look_again
from enrollment.operations.lessons import SlotTaken, lock_people, move_lesson
from enrollment.operations.office import put_lesson


@dataclass(frozen=True, kw_only=True)
class Move:
    """Whole days on the teacher's clock; time and teacher stay as they are where None."""

    days: int = 0
    at: time | None = None
    teacher: Teacher | None = None


class Place(NamedTuple):
    """On the teacher's clock."""

    teacher: Teacher
    on: date
    at: time


class CannotMove(Exception):
    """Nothing was moved: this lesson has no place where it should go. The cause says why."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(f"{lesson} cannot be moved there.")
        self.lesson = lesson


@transaction.atomic
def move_lessons(
    *,
    lessons: Iterable[Lesson],
    move: Move,
    now: datetime,
    by: User | None = None,
    reason: str = "",
) -> list[Lesson]:
    """:raises CannotMove: for the first one in the way, or whose new time the clocks leave out.
    :raises PersonDeleted:
    """
    # Whoever goes first makes room for the next: the last when they go on, the first when back.
    ordered = sorted(lessons, key=lambda lesson: lesson.period, reverse=move.days >= 0)
    lock_people(
        students=[lesson.student_id for lesson in ordered],
        teachers=[move.teacher.pk if move.teacher else lesson.teacher_id for lesson in ordered],
    )
    for lesson in ordered:
        try:
            place = new_place(lesson, move=move)._asdict()
            put_lesson(lesson=lesson, **place, now=now, by=by, reason=reason)
        except (SlotTaken, NoSuchTime) as error:
            raise CannotMove(lesson) from error
    look_again.after_commit()
    return ordered


def new_place(lesson: Lesson, *, move: Move) -> Place:
    """A substitute on another clock teaches at the same moment, unless a time is given.

    :raises NoSuchTime:
    """
    zone = lesson.teacher.zone
    local = timezone.localtime(lesson.starts_at, ZoneInfo(zone))
    on, teacher = local.date() + timedelta(days=move.days), move.teacher or lesson.teacher
    if move.at is not None:
        return Place(teacher, on, move.at)
    there = instant(on=on, at=local.time(), zone=zone).astimezone(ZoneInfo(teacher.zone))
    return Place(teacher, there.date(), there.time())


@transaction.atomic
def cancel_lessons(
    *, lessons: Iterable[Lesson], now: datetime, by: User | None = None, reason: str = ""
) -> list[Lesson]:
    """In order of the key: two people with overlapping selections cannot block each other.

    :raises StepNotAllowed:
    """
    ordered = sorted(lessons, key=lambda lesson: lesson.pk)
    for lesson in ordered:
        move_lesson(lesson=lesson, status=LessonStatus.CANCELLED, now=now, by=by, reason=reason)
    look_again.after_commit()
    return ordered
