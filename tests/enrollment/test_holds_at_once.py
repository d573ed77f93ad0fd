"""A hold that becomes a lesson at the very moment at which somebody gives it back, on real connections."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from time import sleep

import pytest
from django.db import transaction

from enrollment.models import Conflict, Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.detecting import give_back_expired
from enrollment.operations.lessons import (
    HOLD,
    SlotTaken,
    delete_expired_holds,
    hold_slot,
    plan_lesson,
    turn_hold_into_lesson,
)
from enrollment.operations.moving import put_elsewhere
from enrollment.operations.office import move_enrollment
from enrollment.operations.settling import ConflictEnded, give_back_hold
from tests.conftest import make_student, make_user
from tests.enrollment.crowd import at_once

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 1, 14, 11, 0, tzinfo=UTC)
START = datetime(2026, 1, 19, 15, 0, tzinfo=UTC)
# By the clock of who asked a moment later.
LATER = NOW + HOLD + timedelta(seconds=1)


@pytest.fixture
def enrollment(student: Student, course: Course) -> Enrollment:
    return Enrollment.objects.create(student=student, course=course, status="confirmed")


@pytest.fixture
def hold(enrollment: Enrollment, teacher: Teacher) -> Lesson:
    return hold_slot(
        student=enrollment.student,
        course=enrollment.course,
        teacher=teacher,
        starts_at=START,
        now=NOW,
    )


def meet(hold: Lesson, enrollment: Enrollment, give_back: Callable[[], object]) -> object:
    """:returns: what giving back answered or raised, which began before the lesson was committed."""
    written = Event()

    def take() -> None:
        with transaction.atomic():
            turn_hold_into_lesson(hold=hold, enrollment=enrollment, now=NOW)
            written.set()
            sleep(0.5)

    def come_second() -> object:
        assert written.wait(timeout=20)
        return give_back()

    _taken, answered = at_once(take, come_second)
    return answered


def test_who_cleans_up_leaves_a_lesson_alone(hold: Lesson, enrollment: Enrollment) -> None:
    assert meet(hold, enrollment, partial(delete_expired_holds, now=LATER)) == 0
    assert Lesson.objects.get().status == "planned"


def test_the_office_gives_back_what_is_held_and_nothing_else(
    hold: Lesson, enrollment: Enrollment
) -> None:
    by: User = make_user("office@school.example", is_staff=True)
    conflict = Conflict.objects.create(kind="hold_without_draft", key="1", facts={"hold": hold.pk})
    give_back = partial(give_back_hold, conflict=conflict, reason="", by=by, now=NOW)
    assert isinstance(meet(hold, enrollment, give_back), ConflictEnded)
    conflict.refresh_from_db()
    assert conflict.status == "open"
    assert Lesson.objects.get().status == "planned"


def test_a_rule_gives_back_what_is_held_and_nothing_else(
    hold: Lesson, enrollment: Enrollment
) -> None:
    conflict = Conflict.objects.create(kind="hold_without_draft", key="1", facts={"hold": hold.pk})
    assert meet(hold, enrollment, partial(give_back_expired, conflict=conflict, now=LATER)) is None
    assert Lesson.objects.get().status == "planned"


def test_who_moves_a_lesson_there_is_too_late(
    hold: Lesson, enrollment: Enrollment, teacher: Teacher, course: Course
) -> None:

    other = Enrollment.objects.create(
        student=make_student("other@school.example"), course=course, status="confirmed"
    )
    lesson = plan_lesson(
        enrollment=other, teacher=teacher, starts_at=START + timedelta(days=1), now=NOW
    )
    move = partial(
        put_elsewhere, lesson=lesson, teacher=teacher, starts_at=START, by=None, now=LATER
    )
    assert isinstance(meet(hold, enrollment, move), SlotTaken)
    assert set(Lesson.objects.values_list("status", flat=True)) == {"planned"}


def test_an_enrollment_that_ends_takes_the_lesson_along(
    hold: Lesson, enrollment: Enrollment
) -> None:
    Lesson.objects.filter(pk=hold.pk).update(enrollment=enrollment)
    end = partial(move_enrollment, enrollment=enrollment, status="cancelled", now=NOW)
    assert meet(hold, enrollment, end) is None
    assert Lesson.objects.get().status == "cancelled"
