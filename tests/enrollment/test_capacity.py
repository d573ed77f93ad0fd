"""What must hold under 32 simultaneous requests, with real connections."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest
from django.db import IntegrityError
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import QuerySet

from enrollment.domain.states import LIVE_ENROLLMENT
from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.enroll import AlreadyEnrolled, CourseFull, enroll
from enrollment.operations.lessons import HOLD, MOST_HOLDS, SlotTaken, hold_slot, plan_lesson
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


# ---------------------------------------------------------------- how much one student can hold


def holds_of(student: Student) -> QuerySet[Lesson]:
    return Lesson.objects.filter(student=student, status="held").order_by("pk")


def hold_in(course: Course, hour: int, *, student: Student, teacher: Teacher) -> Lesson:
    return hold_slot(
        student=student,
        course=course,
        teacher=teacher,
        starts_at=START + timedelta(hours=hour),
        now=NOW + timedelta(seconds=hour),
    )


def courses_of(teacher: Teacher, count: int) -> list[Course]:
    made = [Course.objects.create(title=f"C{n}", slug=f"c{n}") for n in range(count)]
    for course in made:
        course.teachers.add(teacher)
    return made


def test_many_windows_hold_one_slot_of_a_course(
    course: Course, teacher: Teacher, student: Student
) -> None:
    hold = partial(hold_in, course, student=student, teacher=teacher)

    answers = at_once(*(partial(hold, hour) for hour in range(16)))

    assert {type(one) for one in answers} == {Lesson}
    assert holds_of(student).count() == 1


def test_many_courses_at_once_hold_three_slots(teacher: Teacher, student: Student) -> None:
    hold = partial(hold_in, student=student, teacher=teacher)
    courses = courses_of(teacher, 16)

    answers = at_once(*(partial(hold, course, hour) for hour, course in enumerate(courses)))

    assert {type(one) for one in answers} == {Lesson}
    assert holds_of(student).count() == MOST_HOLDS


def test_the_oldest_hold_gives_way_and_one_named_to_the_office_stays(
    course: Course, teacher: Teacher, student: Student
) -> None:
    hold = partial(hold_in, student=student, teacher=teacher)
    named = hold(course, 0)
    enroll_one(student, course)
    one, two, three, four = courses_of(teacher, 4)

    first, second, third = hold(one, 1), hold(two, 2), hold(three, 3)
    assert list(holds_of(student)) == [named, first, second, third]
    fourth = hold(four, 4)
    assert list(holds_of(student)) == [named, second, third, fourth]
    again = hold(three, 5)
    assert list(holds_of(student)) == [named, second, fourth, again]


def test_a_time_that_is_taken_costs_no_hold(
    course: Course, teacher: Teacher, student: Student
) -> None:
    hold = partial(hold_in, student=student, teacher=teacher)
    one, two, three = courses_of(teacher, 3)
    held = [hold(one, 1), hold(two, 2), hold(three, 3)]
    hold_in(course, 9, student=make_student("rival@school.example"), teacher=teacher)

    with pytest.raises(SlotTaken):
        hold(course, 9)

    assert list(holds_of(student)) == held


def test_a_finished_course_can_be_begun_again_while_the_office_still_has_the_hold(
    course: Course, teacher: Teacher, student: Student
) -> None:
    """The guard against two holds counts those of the flow only."""
    named = hold_in(course, 0, student=student, teacher=teacher)
    enroll_one(student, course)
    Enrollment.objects.update(status="completed")

    again = hold_in(course, 1, student=student, teacher=teacher)

    assert list(holds_of(student)) == [named, again]


def test_the_database_itself_refuses_a_second_hold(
    course: Course, teacher: Teacher, student: Student
) -> None:
    second = hold_in(course, 0, student=student, teacher=teacher)
    second.pk, second.period = None, DateTimeTZRange(START + HOLD * 60, START + HOLD * 63)
    with pytest.raises(IntegrityError, match="lesson_held_once"):
        second.save()
