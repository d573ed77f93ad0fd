"""Many book, move and cancel at the same moment, on real connections."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from enrollment.models import Course, Enrollment, Lesson, LessonChange, Student, Teacher, User
from enrollment.operations.lessons import HoldExpired, SlotTaken
from scheduling.models import AvailabilityRule
from scheduling.operations import flow
from scheduling.operations.booking import (
    NotPlanned,
    WeeksTaken,
    book_lesson,
    book_series,
    cancel_lesson,
    move_lesson,
)
from tests.conftest import make_student, make_teacher
from tests.enrollment.crowd import at_once, no_deadlock
from tests.scheduling.conftest import NOW

__all__ = ["no_deadlock"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("monday_hours", "no_closed_days", "no_deadlock"),
]
FIRST = datetime(2026, 1, 19, 15, 0, tzinfo=UTC)
LENGTH = timedelta(minutes=45)
SECOND, THIRD = FIRST + LENGTH, FIRST + 2 * LENGTH
WEEK = timedelta(weeks=1)


def crowd(course: Course, size: int) -> list[Enrollment]:
    users = User.objects.bulk_create(
        User(email=f"s{n}@school.example", password="!") for n in range(size)
    )
    students = Student.objects.bulk_create(
        Student(user=user, zone="Europe/Berlin") for user in users
    )
    made = Enrollment.objects.bulk_create(
        Enrollment(student=one, course=course, status="confirmed") for one in students
    )
    return list(Enrollment.objects.filter(pk__in=[one.pk for one in made]).order_by("pk"))


def kinds(answers: Sequence[Any]) -> Counter[type]:
    return Counter(type(answer) for answer in answers)


def book(enrollment: Enrollment, teacher: Teacher, starts_at: datetime) -> Lesson:
    return book_lesson(
        enrollment=enrollment,
        teacher=teacher,
        starts_at=starts_at,
        by=enrollment.student.user,
        now=NOW,
    )


def move(lesson: Lesson, teacher: Teacher, starts_at: datetime) -> Lesson:
    by = lesson.student.user
    return move_lesson(lesson=lesson, teacher=teacher, starts_at=starts_at, by=by, now=NOW)


def hours(teacher: Teacher, weekday: int) -> None:
    AvailabilityRule.objects.create(teacher=teacher, weekday=weekday, starts=time(8), ends=time(20))


def nobody_twice() -> bool:
    planned = Lesson.objects.exclude(status="cancelled").order_by("period")
    periods = planned.values_list("period", flat=True)
    return all(before.upper <= after.lower for before, after in pairwise(periods))


def test_forty_for_four_seats(course: Course, teacher: Teacher) -> None:
    course.seats = 4
    course.save()
    answers = at_once(*(partial(book, one, teacher, FIRST) for one in crowd(course, 40)))
    assert kinds(answers) == {Lesson: 4, SlotTaken: 36}
    assert Lesson.objects.count() == 4
    assert LessonChange.objects.count() == 4


def test_one_slot_for_many(course: Course, teacher: Teacher) -> None:
    answers = at_once(*(partial(book, one, teacher, FIRST) for one in crowd(course, 32)))
    assert kinds(answers) == {Lesson: 1, SlotTaken: 31}


def test_many_slots_for_many(course: Course, teacher: Teacher) -> None:
    """Every acknowledged booking is there, and there are as many as there is room."""
    hours(teacher, 1)
    tuesday = datetime(2026, 1, 20, 7, 0, tzinfo=UTC)
    works = [
        partial(book, one, teacher, tuesday + (number % 16) * LENGTH)
        for number, one in enumerate(crowd(course, 32))
    ]
    answers = at_once(*works)
    assert kinds(answers) == {Lesson: 16, SlotTaken: 16}
    booked = {answer.pk for answer in answers if isinstance(answer, Lesson)}
    assert booked == set(Lesson.objects.values_list("pk", flat=True))
    assert nobody_twice()


def test_many_move_to_one_place(course: Course, teacher: Teacher) -> None:
    hours(teacher, 1)
    tuesday = datetime(2026, 1, 20, 7, 0, tzinfo=UTC)
    lessons = [
        book(one, teacher, tuesday + number * LENGTH)
        for number, one in enumerate(crowd(course, 12))
    ]
    answers = at_once(*(partial(move, lesson, teacher, FIRST) for lesson in lessons))
    assert kinds(answers) == {Lesson: 1, SlotTaken: 11}
    assert LessonChange.objects.filter(what="moved").count() == 1
    assert nobody_twice()


def test_two_move_to_each_others_place(course: Course, teacher: Teacher) -> None:
    one, two = crowd(course, 2)
    first, second = book(one, teacher, FIRST), book(two, teacher, SECOND)
    answers = at_once(partial(move, first, teacher, SECOND), partial(move, second, teacher, FIRST))
    assert kinds(answers) == {SlotTaken: 2}
    assert nobody_twice()


def test_two_moves_of_one_lesson_come_one_after_the_other(course: Course, teacher: Teacher) -> None:
    """Its history is a chain: each move begins where the one before ended."""
    (enrollment,) = crowd(course, 1)
    lesson = book(enrollment, teacher, FIRST)
    answers = at_once(partial(move, lesson, teacher, SECOND), partial(move, lesson, teacher, THIRD))
    assert kinds(answers) == {Lesson: 2}
    one, two = LessonChange.objects.filter(what="moved").order_by("pk")
    lesson.refresh_from_db()
    assert one.period_before.lower == FIRST
    assert {two.period_before.lower, lesson.starts_at} == {SECOND, THIRD}


def test_moved_and_booked_at_once(course: Course, teacher: Teacher) -> None:
    owner, *others = crowd(course, 13)
    lesson = book(owner, teacher, FIRST)
    works = [partial(book, one, teacher, SECOND) for one in others]
    answers = at_once(partial(move, lesson, teacher, SECOND), *works)
    assert kinds(answers) == {Lesson: 1, SlotTaken: 12}
    assert nobody_twice()


def test_moved_and_cancelled_at_once(course: Course, teacher: Teacher) -> None:
    """Cancelled in the end, whoever was first; and never a move of what is cancelled."""
    (enrollment,) = crowd(course, 1)
    lesson = book(enrollment, teacher, FIRST)
    cancel = partial(cancel_lesson, lesson=lesson, by=teacher.user, now=NOW)
    moved, cancelled = at_once(partial(move, lesson, teacher, SECOND), cancel)
    assert isinstance(cancelled, Lesson)
    assert isinstance(moved, Lesson | NotPlanned)
    lesson.refresh_from_db()
    assert lesson.status == "cancelled"
    steps = list(LessonChange.objects.order_by("pk").values_list("what", flat=True))
    assert steps == (
        ["booked", "moved", "cancelled"] if isinstance(moved, Lesson) else ["booked", "cancelled"]
    )


def test_a_move_while_the_hold_there_runs_out(course: Course, teacher: Teacher) -> None:
    """The hold's student confirms in its last second, the mover comes a second later."""
    (enrollment,) = crowd(course, 1)
    lesson = book(enrollment, teacher, FIRST)
    asked: dict[str, Any] = {
        "student": make_student(),
        "course": course,
        "teacher": teacher,
        "starts_at": SECOND,
    }
    hold = flow.choose(**asked, now=NOW)
    assert hold.expires_at
    last, after = hold.expires_at - timedelta(seconds=1), hold.expires_at
    finish = partial(flow.finish, **asked, wished_times="", note="", now=last)
    by = enrollment.student.user
    take = partial(move_lesson, lesson=lesson, teacher=teacher, starts_at=SECOND, by=by, now=after)
    made, moved = at_once(finish, take)
    assert kinds([made, moved]) in (
        {Enrollment: 1, SlotTaken: 1},
        {HoldExpired: 1, Lesson: 1},
        {SlotTaken: 1, Lesson: 1},
    )
    there = Lesson.objects.get(period__startswith=SECOND)
    assert (there.status, there.pk == lesson.pk) == ("planned", isinstance(moved, Lesson))


def test_series_in_each_others_way(course: Course, teacher: Teacher) -> None:
    starts = [FIRST + number * WEEK for number in range(4)]
    works = [
        partial(
            book_series,
            enrollment=one,
            teacher=teacher,
            starts=starts,
            skip=bool(number % 2),
            by=one.student.user,
            now=NOW,
        )
        for number, one in enumerate(crowd(course, 12))
    ]
    answers = at_once(*works)
    assert not [
        one for one in answers if isinstance(one, BaseException) and not isinstance(one, WeeksTaken)
    ]
    # Whole: whoever came first has all four Mondays.
    assert Lesson.objects.count() == 4
    assert Lesson.objects.values("enrollment").distinct().count() == 1


def test_a_series_and_moves_at_once(course: Course, teacher: Teacher) -> None:
    hours(teacher, 1)
    tuesday = datetime(2026, 1, 20, 7, 0, tzinfo=UTC)
    owner, *others = crowd(course, 5)
    lessons = [book(one, teacher, tuesday + number * LENGTH) for number, one in enumerate(others)]
    starts = [FIRST + number * WEEK for number in range(4)]
    series = partial(
        book_series,
        enrollment=owner,
        teacher=teacher,
        starts=starts,
        skip=True,
        by=owner.student.user,
        now=NOW,
    )
    moves = [partial(move, lesson, teacher, at) for lesson, at in zip(lessons, starts, strict=True)]
    answers = at_once(series, *moves)
    assert Lesson.objects.filter(period__startswith__in=starts).count() == 4
    moved = [one for one in answers[1:] if isinstance(one, Lesson)]
    done = answers[0]
    assert not isinstance(done, BaseException)
    assert len(done.booked) + len(moved) == 4  # type: ignore[attr-defined]


def test_a_teacher_is_deleted_meanwhile(course: Course, teacher: Teacher, admin: User) -> None:
    """Either the lesson is there and the teacher stays, or neither."""
    from enrollment.operations.erase import StillTeaching, erase_person

    other = make_teacher("tom@school.example")
    course.teachers.add(other)
    hours(other, 1)
    (enrollment,) = crowd(course, 1)
    tuesday = datetime(2026, 1, 20, 9, 15, tzinfo=UTC)
    booked, erased = at_once(
        partial(book, enrollment, other, tuesday),
        partial(erase_person, user=other.user, by=admin, now=NOW),
    )
    assert isinstance(booked, Lesson) == isinstance(erased, StillTeaching)
    other.user.refresh_from_db()
    assert (other.user.deleted_at is None) == Lesson.objects.filter(teacher=other).exists()
