"""Several who decide, search or book at the same moment, on real connections."""

from datetime import time, timedelta
from functools import partial
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from enrollment.models import Conflict, Course, Lesson, LessonChange, MakeUpCredit, Message
from enrollment.operations.conflicts import find_conflicts
from enrollment.operations.lessons import SlotTaken
from scheduling.models import AvailabilityRule, BookingPolicy
from scheduling.operations.booking import book_lesson
from tests.conftest import Switches, make_student, make_user
from tests.enrollment.crowd import at_once
from tests.enrollment.test_impact import (
    Plan,
    at,
    change,
    coming_monday,
    hidden,
    office,
    other_rule,
    plan,
    rule,
    typed,
)

__all__ = ["office", "other_rule", "plan", "rule"]

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_of_the_office_decide_at_once(
    office: Client, rule: AvailabilityRule, plan: Plan, switches: Switches
) -> None:
    lessons = [
        plan(at(coming_monday(), 18 + number), student=make_student(f"p{number}@school.example"))
        for number in range(2)
    ]
    colleague = Client()
    colleague.force_login(make_user("colleague@school.example", "staff", is_staff=True))
    pages = [one.post(change(rule), typed(rule, ends="18:00")) for one in (office, colleague)]

    def press(client: Client, shown: Any) -> int:
        answers = {"impact": "decide", "impact-all": "credit", "impact-send": "on"}
        return client.post(change(rule), {**hidden(shown.content.decode()), **answers}).status_code

    answers = at_once(
        *(partial(press, one, page) for one, page in zip((office, colleague), pages, strict=True))
    )
    # The second finds everything done, and saves the same hours once more.
    assert answers == [302, 302]
    assert Lesson.objects.filter(status="cancelled").count() == 2
    assert MakeUpCredit.objects.count() == len(lessons)
    assert LessonChange.objects.filter(what="cancelled").count() == 2
    assert Message.objects.count() == 2


def test_searches_at_once_move_a_lesson_once(
    rule: AvailabilityRule, plan: Plan, course: Course
) -> None:
    BookingPolicy.objects.create(course=course, automatic_moves=True)
    plan(at(coming_monday(), 21))
    found = at_once(*(partial(find_conflicts, now=timezone.now()) for _number in range(4)))
    assert not [one for one in found if isinstance(one, BaseException)]
    assert LessonChange.objects.count() == Message.objects.count() == 1
    assert Conflict.objects.get().status == "resolved"


def test_whoever_books_while_a_lesson_moves_by_itself(
    plan: Plan, course: Course, teacher: Any
) -> None:
    """One free time in the week: the lesson gets it, or the student who books; nobody an error."""
    AvailabilityRule.objects.create(teacher=teacher, weekday=0, starts=time(16), ends=time(16, 45))
    BookingPolicy.objects.create(course=course, automatic_moves=True)
    monday = coming_monday() + timedelta(days=7)
    displaced = plan(at(monday, 21))
    other = make_student("other@school.example")
    Lesson.objects.filter(pk=plan(at(monday, 9), student=other).pk).update(status="done")
    enrollment = Lesson.objects.get(status="done").enrollment
    assert enrollment
    search = partial(find_conflicts, now=timezone.now())
    book = partial(
        book_lesson,
        enrollment=enrollment,
        teacher=teacher,
        starts_at=at(monday, 16),
        by=other.user,
        now=timezone.now(),
    )
    searched, booked = at_once(search, book)
    assert not isinstance(searched, BaseException), searched
    displaced.refresh_from_db()
    moved = displaced.starts_at == at(monday, 16)
    assert moved == isinstance(booked, SlotTaken), booked
    assert Lesson.objects.filter(status="planned", period__startswith=at(monday, 16)).count() == 1
