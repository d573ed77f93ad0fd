"""Group lessons and minutes kept free, planned by hand: what is in the way, and what is not."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from enrollment.domain.nearby import Wish
from enrollment.models import Course, Enrollment, Lesson, LessonChange, Teacher, User
from enrollment.operations.office import move_enrollment, plan_by_hand
from enrollment.queries.nearby import nearest_free_times
from tests.conftest import make_student
from tests.enrollment.test_admin import enrollment, office, page

__all__ = ["enrollment", "office"]

pytestmark = pytest.mark.django_db

MONDAY = date(2031, 3, 10)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def group(course: Course) -> Course:
    course.seats = 2
    course.save()
    return course


def another(course: Course, email: str) -> Enrollment:
    return Enrollment.objects.create(student=make_student(email), course=course, status="confirmed")


def plan(enrollment: Enrollment, teacher: Teacher, at: time = time(16)) -> Lesson:
    return plan_by_hand(enrollment=enrollment, teacher=teacher, on=MONDAY, at=at, now=NOW)


def ask(client: Client, enrollment: Enrollment, teacher: Teacher, at: str = "16:00") -> Any:
    answers = {"enrollment": enrollment.pk, "teacher": teacher.pk, "local_on": "2031-03-10"}
    return client.post(page("lesson", "add"), answers | {"local_start": at})


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def test_a_seat_in_a_group_is_no_clash(
    office: Client, group: Course, enrollment: Enrollment, teacher: Teacher
) -> None:
    plan(enrollment, teacher)
    assert ask(office, another(group, "ben@school.example"), teacher).status_code == 302
    assert Lesson.objects.count() == 2
    full = ask(office, another(group, "cleo@school.example"), teacher)
    assert full.status_code == 200
    assert "already has a group lesson then, and no seat in it is free" in text(full)
    assert Lesson.objects.count() == 2


def test_a_group_is_in_the_way_of_whatever_does_not_join_it(
    office: Client, group: Course, enrollment: Enrollment, teacher: Teacher
) -> None:
    plan(enrollment, teacher)
    other = another(group, "ben@school.example")
    assert "already has a lesson then" in text(ask(office, other, teacher, "16:15"))
    alone = Course.objects.create(title="Piano", slug="piano", lesson_minutes=45)
    alone.teachers.add(teacher)
    assert "already has a group lesson then" in text(
        ask(office, another(alone, "cleo@school.example"), teacher)
    )


def test_nobody_is_in_a_group_twice(
    office: Client, group: Course, enrollment: Enrollment, teacher: Teacher
) -> None:
    plan(enrollment, teacher)
    assert ask(office, enrollment, teacher).status_code == 200
    assert Lesson.objects.count() == 1


def test_an_open_group_is_offered_and_a_full_one_is_not(
    group: Course, enrollment: Enrollment, teacher: Teacher
) -> None:
    plan(enrollment, teacher)
    ben, cleo = another(group, "ben@school.example"), another(group, "cleo@school.example")
    wish = Wish(on=MONDAY, at=time(16, 15), zone=teacher.zone, length=timedelta(minutes=45))
    four = datetime(2031, 3, 10, 15, tzinfo=UTC)

    def offered(to: Enrollment) -> list[datetime]:
        return nearest_free_times(
            wish, teacher=teacher, student=to.student, now=NOW, course=to.course
        )

    assert four in offered(ben)
    assert four not in offered(enrollment)
    plan(ben, teacher)
    assert four not in offered(cleo)


def test_minutes_kept_free_are_named_and_not_offered(
    office: Client, enrollment: Enrollment, course: Course, teacher: Teacher
) -> None:
    plan(enrollment, teacher)
    Lesson.objects.update(buffer_before=30, buffer_after=15)
    other = another(course, "ben@school.example")
    for at in ("15:00", "16:50"):
        assert (
            "Marta Rossi keeps time free around a lesson, 30 minutes before it and 15 after it"
            in text(ask(office, other, teacher, at))
        )
    assert ask(office, other, teacher, "17:00").status_code == 302
    # Free again from then on: 30 minutes before 16:00 and 15 after 16:45 are not shown as free.
    week = office.get(
        reverse("admin:enrollment_lesson_week"), {"teacher": str(teacher.pk), "on": "2031-03-10"}
    )
    assert "Free 07:00–15:30" in text(week)


def test_a_moved_lesson_takes_its_minutes_along(
    office: Client, enrollment: Enrollment, course: Course, teacher: Teacher
) -> None:
    plan(another(course, "ben@school.example"), teacher)
    lesson = plan(enrollment, teacher, time(10))
    Lesson.objects.filter(pk=lesson.pk).update(buffer_after=30)
    form = {"teacher": teacher.pk, "local_on": "2031-03-10", "local_start": "15:00"}
    assert "already has a lesson then" not in text(
        answer := office.post(page("lesson", "change", lesson.pk), form)
    )
    assert answer.status_code == 200, "the other lesson begins in the minutes kept free"
    assert (
        office.post(
            page("lesson", "change", lesson.pk), form | {"local_start": "14:45"}
        ).status_code
        == 302
    )


def test_the_week_and_the_day_show_a_group_as_one(
    office: Client, group: Course, enrollment: Enrollment, teacher: Teacher
) -> None:
    plan(enrollment, teacher)
    asked = {"teacher": str(teacher.pk), "on": "2031-03-10"}
    week = text(office.get(reverse("admin:enrollment_lesson_week"), asked))
    assert "Group, 1 of 2" in week
    assert "Plan one more" in week
    second = plan(another(group, "ben@school.example"), teacher)
    for name, query in (("week", asked), ("day", {"on": "2031-03-10"})):
        shown = text(office.get(reverse(f"admin:enrollment_lesson_{name}"), query))
        assert shown.count("16:00–16:45") == 1
        assert "Group, 2 of 2" in shown
        assert "Plan one more" not in shown
        assert reverse("admin:enrollment_lesson_change", args=[second.pk]) in shown


def test_seats_are_said_at_the_course(office: Client, course: Course) -> None:
    form = text(office.get(page("course", "change", course.pk)))
    assert "students in one lesson" in form.lower()
    assert "More: a group, which is full with so many." in form


def test_the_lesson_says_what_happened_to_it(
    office: Client, enrollment: Enrollment, teacher: Teacher, staff: User
) -> None:
    lesson = plan(enrollment, teacher)
    form = {"teacher": teacher.pk, "local_on": "2031-03-10", "local_start": "17:00"}
    office.post(page("lesson", "change", lesson.pk), form | {"reason": "Room is taken"})
    change = LessonChange.objects.get(what="moved")
    assert (change.by, change.reason) == (staff, "Room is taken")
    shown = text(office.get(page("lesson", "change", lesson.pk)))
    assert (
        "Before: Monday 10 March 2031, 16:00–16:45 (Europe/Berlin) with Marta Rossi. "
        "Reason: Room is taken" in shown
    )
    assert "Booked by nobody in person." in shown
    office.post(
        page("lesson", "change", lesson.pk),
        form | {"enrollment_lesson_cancel": "1", "reason": "Ill"},
    )
    cancelled = LessonChange.objects.get(what="cancelled")
    assert (cancelled.by, cancelled.reason) == (staff, "Ill")


def test_several_at_once_stand_in_the_history_too(
    office: Client, enrollment: Enrollment, teacher: Teacher, staff: User
) -> None:
    lesson = plan(enrollment, teacher)
    chosen = {"action": "move_selected", "confirmed": "1", "_selected_action": str(lesson.pk)}
    office.post(page("lesson", "changelist"), chosen | {"days": "7", "reason": "A tour"})
    change = LessonChange.objects.get(what="moved")
    assert (change.by, change.reason) == (staff, "A tour")
    chosen["action"] = "cancel_selected"
    office.post(page("lesson", "changelist"), chosen | {"reason": "No tour"})
    assert LessonChange.objects.get(what="cancelled").reason == "No tour"


def test_an_enrollment_that_ends_cancels_with_history(
    enrollment: Enrollment, teacher: Teacher, staff: User
) -> None:
    plan(enrollment, teacher)
    move_enrollment(enrollment=enrollment, status="cancelled", now=NOW, by=staff)
    assert LessonChange.objects.get(what="cancelled").by == staff
