"""Many plan series into each other's way at the same moment: whole series or nothing, no deadlock."""

import random
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.lessons import SlotTaken
from enrollment.operations.office import reschedule_lesson
from enrollment.operations.series import plan_series
from tests.conftest import make_teacher
from tests.enrollment.crowd import at_once, no_deadlock

__all__ = ["no_deadlock"]

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
START = datetime(2031, 3, 10, 15, tzinfo=UTC)
THREADS = 16
WEEKS = 12


def crowd(course: Course, size: int = THREADS) -> list[Enrollment]:
    addresses = [f"s{number}@school.example" for number in range(size)]
    users = User.objects.bulk_create(User(email=address) for address in addresses)
    students = Student.objects.bulk_create(Student(user=one, zone="UTC") for one in users)
    return Enrollment.objects.bulk_create(
        Enrollment(student=student, course=course) for student in students
    )


def weekly(*, minutes: int = 0, weeks: int = WEEKS, first: int = 0) -> list[datetime]:
    """Handed over in any order: the operation sorts."""
    shift = timedelta(minutes=minutes)
    starts = [START + shift + timedelta(weeks=first + number) for number in range(weeks)]
    random.Random(minutes + first).shuffle(starts)
    return starts


def sizes() -> Counter[int]:
    """How many enrollments have how many lessons."""
    of_each = Counter(Lesson.objects.values_list("enrollment", flat=True))
    return Counter(of_each.values())


def no_overlap(**of: Any) -> bool:
    periods = Lesson.objects.filter(**of).order_by("period").values_list("period", flat=True)
    return all(before.upper <= after.lower for before, after in pairwise(periods))


@pytest.mark.usefixtures("no_deadlock")
def test_overlapping_series_of_one_teacher(course: Course, teacher: Teacher) -> None:
    """Each begins a little later than the one before, and all are 45 minutes long."""
    works = [
        partial(
            plan_series,
            enrollment=enrollment,
            teacher=teacher,
            starts=weekly(minutes=10 * number, first=number % 3),
            now=NOW,
        )
        for number, enrollment in enumerate(crowd(course))
    ]

    answers = at_once(*works)

    done = [one for one in answers if isinstance(one, list)]
    assert {type(one) for one in answers} <= {list, SlotTaken}, answers
    assert done
    assert sizes() == {WEEKS: len(done)}
    assert no_overlap(teacher=teacher)


@pytest.mark.usefixtures("no_deadlock")
def test_the_same_series_for_everybody(course: Course, teacher: Teacher) -> None:
    works = [
        partial(plan_series, enrollment=one, teacher=teacher, starts=weekly(), now=NOW)
        for one in crowd(course)
    ]
    answers = Counter(type(one) for one in at_once(*works))
    assert answers == {list: 1, SlotTaken: THREADS - 1}
    assert sizes() == {WEEKS: 1}


@pytest.mark.usefixtures("no_deadlock")
def test_the_button_pressed_many_times(course: Course, teacher: Teacher) -> None:
    [enrollment] = crowd(course, size=1)
    press = partial(plan_series, enrollment=enrollment, teacher=teacher, starts=weekly(), now=NOW)
    answers = Counter(type(one) for one in at_once(*[press] * 8))
    assert answers == {list: 1, SlotTaken: 7}
    assert Lesson.objects.count() == WEEKS


@pytest.mark.usefixtures("no_deadlock")
def test_students_and_teachers_crossed(course: Course) -> None:
    """Everybody's series meets others by the teacher and by the student, at other hours."""
    teachers = [make_teacher(f"t{number}@school.example") for number in range(3)]
    enrollments = crowd(course, size=4)
    works = [
        partial(
            plan_series,
            enrollment=enrollments[number % 4],
            teacher=teachers[number % 3],
            starts=weekly(minutes=15 * (number % 5)),
            now=NOW,
        )
        for number in range(12)
    ]
    answers = at_once(*works)
    assert {type(one) for one in answers} <= {list, SlotTaken}, answers
    done = sum(isinstance(one, list) for one in answers)
    assert Lesson.objects.count() == done * WEEKS
    assert done
    for teacher in teachers:
        assert no_overlap(teacher=teacher)
    for enrollment in enrollments:
        assert no_overlap(student=enrollment.student)


def test_a_series_against_lessons_moved_by_hand(course: Course, teacher: Teacher) -> None:
    """An UPDATE cannot stand aside; whoever loses is told so, and no half of a series is left."""
    first, *others = crowd(course, size=9)
    moved = plan_series(
        enrollment=first, teacher=teacher, starts=weekly(minutes=240, weeks=4), now=NOW
    )
    works: list[Any] = [
        partial(plan_series, enrollment=one, teacher=teacher, starts=weekly(), now=NOW)
        for one in others
    ]
    works += [
        partial(
            reschedule_lesson,
            lesson=lesson,
            teacher=teacher,
            on=lesson.local_on,
            at=time(16, 15),
            now=NOW,
        )
        for lesson in moved
    ]
    answers = at_once(*works)
    assert {type(one) for one in answers} <= {list, SlotTaken, type(None)}, answers
    series = Counter(Lesson.objects.exclude(enrollment=first).values_list("enrollment", flat=True))
    assert set(series.values()) <= {WEEKS}
    assert no_overlap(teacher=teacher)
