"""What must hold under 32 simultaneous requests, with real connections."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest

from enrollment.domain.states import LIVE_ENROLLMENT
from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.enroll import AlreadyEnrolled, CourseFull, enroll
from enrollment.operations.lessons import SlotTaken, hold_slot, plan_lesson
from enrollment.operations.office import plan_by_hand, reschedule_lesson
from tests.conftest import make_student
from tests.enrollment.crowd import MANY, at_once

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
START = datetime(2026, 3, 9, 16, tzinfo=UTC)


def enroll_one(student: Student, course: Course) -> Enrollment:
    return enroll(
        student=student,
        course=course,
        teacher=None,
        wished_times="",
        note="",
        flow=Enrollment.Flow.ORIGINAL,
        now=NOW,
    )


def crowd(size: int = MANY) -> list[Student]:
    """Without passwords: hashing them would take longer than everything else here."""
    addresses = [f"s{number}@school.example" for number in range(size)]
    users = User.objects.bulk_create(User(email=address) for address in addresses)
    return Student.objects.bulk_create(Student(user=user, zone="Europe/Berlin") for user in users)


def test_five_places_for_thirty_two_students(course: Course) -> None:
    Course.objects.update(capacity=5)

    answers = at_once(*(partial(enroll_one, student, course) for student in crowd()))

    assert Counter(type(one) for one in answers) == {Enrollment: 5, CourseFull: MANY - 5}
    assert Enrollment.objects.filter(status__in=LIVE_ENROLLMENT).count() == 5


def test_one_student_thirty_two_times(course: Course, student: Student) -> None:
    answers = at_once(*[partial(enroll_one, student, course)] * MANY)

    assert Counter(type(one) for one in answers) == {Enrollment: 1, AlreadyEnrolled: MANY - 1}
    made = Enrollment.objects.get()
    assert {one.enrollment.pk for one in answers if isinstance(one, AlreadyEnrolled)} == {made.pk}


def test_one_slot_for_thirty_two_students(course: Course, teacher: Teacher) -> None:
    works = [
        partial(
            hold_slot, student=student, course=course, teacher=teacher, starts_at=START, now=NOW
        )
        for student in crowd()
    ]

    answers = at_once(*works)

    assert Counter(type(one) for one in answers) == {Lesson: 1, SlotTaken: MANY - 1}
    assert Lesson.objects.count() == 1


def test_slots_that_overlap_in_part(course: Course, teacher: Teacher) -> None:
    """45-minute lessons at every fifth minute: whatever wins, no two overlap."""
    works = [
        partial(
            hold_slot,
            student=student,
            course=course,
            teacher=teacher,
            starts_at=START + timedelta(minutes=5 * number),
            now=NOW,
        )
        for number, student in enumerate(crowd())
    ]

    answers = at_once(*works)

    assert {type(one) for one in answers} == {Lesson, SlotTaken}
    held = list(Lesson.objects.order_by("period"))
    assert len(held) == sum(isinstance(one, Lesson) for one in answers)
    assert all(a.ends_at <= b.starts_at for a, b in pairwise(held))


def test_one_student_in_thirty_two_windows(
    course: Course, teacher: Teacher, student: Student
) -> None:
    """Each window gives back the hold of the one before; none dies of it."""
    works = [
        partial(
            hold_slot,
            student=student,
            course=course,
            teacher=teacher,
            starts_at=START + timedelta(hours=number),
            now=NOW,
        )
        for number in range(MANY)
    ]

    answers = at_once(*works)

    assert {type(one) for one in answers} <= {Lesson, SlotTaken}
    assert Lesson.objects.exists()


def test_an_expired_hold_makes_room_for_a_planned_lesson(
    course: Course, teacher: Teacher, student: Student
) -> None:
    other = make_student("late@school.example")
    early = NOW - timedelta(hours=1)
    hold_slot(student=other, course=course, teacher=teacher, starts_at=START, now=early)
    enrollment = enroll_one(student, course)

    lesson = plan_lesson(enrollment=enrollment, teacher=teacher, starts_at=START, now=NOW)

    assert list(Lesson.objects.all()) == [lesson]


def test_a_hold_that_still_counts_is_in_the_way(
    course: Course, teacher: Teacher, student: Student
) -> None:
    other = make_student("early@school.example")
    hold_slot(student=other, course=course, teacher=teacher, starts_at=START, now=NOW)
    enrollment = enroll_one(student, course)

    with pytest.raises(SlotTaken):
        plan_lesson(enrollment=enrollment, teacher=teacher, starts_at=START, now=NOW)


def test_lessons_moved_to_one_time_by_two_at_once(course: Course, teacher: Teacher) -> None:
    """The guard decides here too, and whoever is late hears that it is taken."""
    lessons = [
        plan_by_hand(
            enrollment=enroll_one(student, course),
            teacher=teacher,
            on=START.date(),
            at=(START + timedelta(hours=number)).time(),
            now=NOW,
        )
        for number, student in enumerate(crowd(4))
    ]
    target = (START + timedelta(days=1)).date()
    works = [
        partial(
            reschedule_lesson,
            lesson=lesson,
            teacher=teacher,
            on=target,
            at=START.time(),
            now=NOW,
        )
        for lesson in lessons
    ]

    answers = at_once(*works)

    assert Counter(type(one) for one in answers) == {type(None): 1, SlotTaken: 3}
    assert Lesson.objects.filter(local_on=target).count() == 1
