"""Many at the same moment, on real connections: one wins, everybody else is told so in words."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, time
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.enroll import AlreadyEnrolled
from enrollment.operations.lessons import SlotTaken
from scheduling.models import AvailabilityRule
from scheduling.operations import flow
from scheduling.operations.hours import Impact, save_hours
from tests.enrollment.crowd import MANY, at_once
from tests.scheduling.conftest import NOW

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("monday_hours", "no_closed_days"),
]
FIRST = datetime(2026, 1, 19, 15, 0, tzinfo=UTC)


@pytest.fixture
def students(db: Any) -> Sequence[Student]:
    users = User.objects.bulk_create(
        User(email=f"s{n}@school.example", password="!") for n in range(MANY)
    )
    return Student.objects.bulk_create(Student(user=user, zone="Europe/Berlin") for user in users)


def kinds(answers: Sequence[Any]) -> Counter[type]:
    return Counter(type(answer) for answer in answers)


def test_one_slot_for_many_students(
    students: Sequence[Student], course: Course, teacher: Teacher
) -> None:
    choose = partial(flow.choose, course=course, teacher=teacher, starts_at=FIRST, now=NOW)
    answers = at_once(*(partial(choose, student=student) for student in students))
    assert kinds(answers) == {Lesson: 1, SlotTaken: MANY - 1}
    assert Lesson.objects.count() == 1


def test_many_confirm_the_same_slot_after_their_holds_ran_out(
    students: Sequence[Student], course: Course, teacher: Teacher
) -> None:
    course.capacity = MANY
    course.save()
    finish = partial(
        flow.finish,
        course=course,
        teacher=teacher,
        starts_at=FIRST,
        wished_times="",
        note="",
        now=NOW,
    )
    answers = at_once(*(partial(finish, student=student) for student in students))
    assert kinds(answers) == {Enrollment: 1, SlotTaken: MANY - 1}
    assert Enrollment.objects.get().lessons.get() == Lesson.objects.get()


@pytest.mark.parametrize("held", [True, False])
def test_the_button_pressed_many_times(
    student: Student, course: Course, teacher: Teacher, held: bool
) -> None:
    asked: dict[str, Any] = {
        "student": student,
        "course": course,
        "teacher": teacher,
        "starts_at": FIRST,
        "now": NOW,
    }
    if held:
        flow.choose(**asked)
    press = partial(flow.finish, **asked, wished_times="", note="")
    answers = at_once(*[press] * 16)
    assert kinds(answers) == {Enrollment: 1, AlreadyEnrolled: 15}
    assert Enrollment.objects.get().lessons.get() == Lesson.objects.get()


def test_the_same_hours_from_many_tabs(teacher: Teacher) -> None:
    tabs = [
        partial(
            save_hours,
            rule=AvailabilityRule(
                teacher=teacher, weekday=3, starts=time(9, minute), ends=time(11)
            ),
            now=NOW,
        )
        for minute in range(16)
    ]
    assert kinds(at_once(*tabs)) == {Impact: 1, ValidationError: 15}


def test_many_add_the_same_hours_in_the_admin(teacher: Teacher, admin: User) -> None:
    """One is saved; the others read which window is in the way, on a page and not on a 500."""
    client = Client()
    client.force_login(admin)
    url = reverse("admin:scheduling_availabilityrule_add")
    hours = {"teacher": str(teacher.pk), "weekday": "5", "starts": "09:00", "ends": "12:00"}
    hours["every_weeks"] = "1"

    def add() -> int:
        fresh = Client()
        fresh.cookies = client.cookies
        return fresh.post(url, hours).status_code

    answers = Counter(at_once(*[add] * 8))
    assert answers == {302: 1, 200: 7}
    assert AvailabilityRule.objects.filter(weekday=5).count() == 1
