"""Many at once, on real connections: no time and no place is given to two, and none is lost."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.enroll import CourseFull, enroll
from enrollment.operations.office import move_enrollment
from scheduling.models import WaitlistEntry
from scheduling.operations import waitlist
from scheduling.operations.waitlist import AlreadyWaiting
from tests.enrollment.crowd import at_once
from tests.scheduling.conftest import NOW
from tests.scheduling.waiting import (
    MINUTE,
    OFFER,
    SLOT,
    cancel,
    fill,
    held,
    join,
    make_full,
    statuses,
    take_slot,
)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("monday_hours", "no_closed_days"),
]
WORKERS = 8


@pytest.fixture
def students(db: Any) -> Sequence[Student]:
    users = User.objects.bulk_create(
        User(email=f"s{n}@school.example", password="!") for n in range(WORKERS)
    )
    return Student.objects.bulk_create(Student(user=user, zone="Europe/Berlin") for user in users)


def kinds(answers: Sequence[Any]) -> Counter[type]:
    return Counter(type(answer) for answer in answers)


@pytest.mark.parametrize("seats", [1, 2])
def test_many_workers_offer_one_time_to_one(
    students: Sequence[Student], course: Course, teacher: Teacher, seats: int
) -> None:
    course.seats = seats
    course.save()
    lessons = [take_slot(course, teacher, name=f"owner{n}") for n in range(seats)]
    for number, student in enumerate(students):
        join(student, course, teacher=teacher, starts_at=SLOT, now=NOW + number * MINUTE)
    cancel(lessons[0])
    answers = at_once(*[fill] * WORKERS)
    assert Counter(answers) == {1: 1, 0: WORKERS - 1}
    assert held() == [("s0@school.example", NOW + OFFER)]
    assert statuses() == ["offered", *["waiting"] * (WORKERS - 1)]


def test_many_workers_offer_one_place_to_one(students: Sequence[Student], course: Course) -> None:
    owner = make_full(course)
    for number, student in enumerate(students):
        join(student, course, now=NOW + number * MINUTE)
    move_enrollment(enrollment=owner, status="cancelled", now=NOW)
    answers = at_once(*[fill] * WORKERS)
    assert Counter(answers) == {1: 1, 0: WORKERS - 1}
    assert statuses() == ["offered", *["waiting"] * (WORKERS - 1)]


def test_a_place_is_offered_and_taken_at_once_and_the_course_never_overflows(
    students: Sequence[Student], course: Course
) -> None:
    """Half wait, half just come; two places became free. Whoever is first: never more than two."""
    make_full(course)
    for student in students[: WORKERS // 2]:
        join(student, course)
    Course.objects.update(capacity=3)
    comers = [
        partial(
            enroll,
            student=student,
            course=course,
            teacher=None,
            wished_times="",
            note="",
            flow="original",
            now=NOW,
        )
        for student in students[WORKERS // 2 :]
    ]
    answers = at_once(*[fill] * 4, *comers)
    made, refused = (kinds(answers)[kind] for kind in (Enrollment, CourseFull))
    assert made + refused == len(comers)
    offered = WaitlistEntry.objects.filter(status="offered").count()
    assert made + offered == 2
    assert Enrollment.objects.count() == 1 + made
    # Those who have an offer come now, beside others who have none.
    waiting = [entry.student for entry in WaitlistEntry.objects.select_related("student__user")]
    finish = [
        partial(
            enroll,
            student=student,
            course=course,
            teacher=None,
            wished_times="",
            note="",
            flow="original",
            now=NOW,
        )
        for student in waiting
    ]
    again = kinds(at_once(*finish))
    assert again == Counter({Enrollment: offered, CourseFull: len(waiting) - offered})
    assert Enrollment.objects.count() == 3


def test_the_button_pressed_many_times_waits_once(student: Student, course: Course) -> None:
    make_full(course)
    answers = at_once(*[partial(join, student, course)] * WORKERS)
    assert kinds(answers) == {WaitlistEntry: 1, AlreadyWaiting: WORKERS - 1}


def test_leaving_taking_and_offering_at_once_leaves_one_truth(
    students: Sequence[Student], course: Course, teacher: Teacher
) -> None:
    """For the student it is taken or left, and what was left is the next one's."""
    first, second = students[:2]
    enrollment = Enrollment.objects.create(student=first, course=course, status="confirmed")
    lesson = take_slot(course, teacher)
    entry = join(first, course, teacher=teacher, starts_at=SLOT)
    join(second, course, teacher=teacher, starts_at=SLOT, now=NOW + MINUTE)
    cancel(lesson)
    fill()
    answers = at_once(
        partial(waitlist.take, entry=entry, now=NOW),
        partial(waitlist.leave, entry=entry, now=NOW),
        fill,
        fill,
    )
    fill()
    took = enrollment in answers
    assert took != answers[1]
    assert statuses() == (["taken", "waiting"] if took else ["left", "offered"])
    live = Lesson.objects.exclude(status="cancelled").get()
    assert (live.status, live.student) == (("planned", first) if took else ("held", second))
