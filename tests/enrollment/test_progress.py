"""Course progress: who ticks, who sees it, and what stays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from enrollment.domain.progress import CourseGivenUp
from enrollment.models import (
    Course,
    CourseUnit,
    Enrollment,
    Lesson,
    Student,
    Teacher,
    UnitDone,
    User,
)
from enrollment.operations.lessons import plan_lesson
from enrollment.operations.progress import NotOfThisCourse, take_back, tick
from tests.conftest import Switches, make_student, make_teacher, make_user

pytestmark = pytest.mark.django_db

NOON = datetime(2031, 1, 15, 11, 0, tzinfo=UTC)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def units(course: Course) -> list[CourseUnit]:
    return [
        CourseUnit.objects.create(course=course, title=title, position=number)
        for number, title in enumerate(("Scales", "Bowing", "First piece"), start=1)
    ]


@pytest.fixture
def enrollment(
    student: Student, course: Course, teacher: Teacher, units: list[CourseUnit]
) -> Enrollment:
    return Enrollment.objects.create(student=student, course=course, teacher=teacher)


@pytest.fixture
def teaching(client: Client, teacher: Teacher) -> Client:
    client.force_login(teacher.user)
    return client


def progress_page(enrollment: Enrollment) -> str:
    return reverse("enrollment:progress", args=[enrollment.pk])


def press(
    client: Client, enrollment: Enrollment, unit: CourseUnit, done: str = "yes", **more: Any
) -> Any:
    url = reverse("enrollment:tick", args=[enrollment.pk, unit.pk])
    return client.post(url, {"done": done, **more})


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def plan(enrollment: Enrollment, teacher: Teacher, at: datetime = NOON) -> Lesson:
    return plan_lesson(enrollment=enrollment, teacher=teacher, starts_at=at, now=at)


# ---------------------------------------------------------------- the teacher


def test_a_teacher_ticks_a_unit_and_the_student_sees_it(
    client: Client, enrollment: Enrollment, units: list[CourseUnit], teacher: Teacher
) -> None:
    client.force_login(teacher.user)
    response = press(client, enrollment, units[1])
    assert response.status_code == 303
    assert response["Location"] == f"{progress_page(enrollment)}#unit-{units[1].pk}"
    done = UnitDone.objects.get()
    assert (done.enrollment, done.unit, done.by, done.lesson) == (
        *(enrollment, units[1], teacher.user),
        None,
    )
    assert "1 of 3 units done" in text_of(client.get(progress_page(enrollment)))

    client.force_login(enrollment.student.user)
    for url in ("/my/courses/", reverse("enrollment:enrolled", args=[enrollment.pk])):
        text = text_of(client.get(url))
        assert "1 of 3 units done" in text
        assert text.index("Scales") < text.index("Bowing") < text.index("First piece")
        assert text.count("to come") == 2
        assert f"done {timezone.localdate(done.done_at).day} " in text


def test_a_tick_is_noted_in_the_lesson_that_was_chosen(
    teaching: Client, enrollment: Enrollment, units: list[CourseUnit], teacher: Teacher
) -> None:
    lesson = plan(enrollment, teacher)
    assert f"{progress_page(enrollment)}?lesson={lesson.pk}" in text_of(
        teaching.get("/my/lessons/")
    )
    page = text_of(teaching.get(progress_page(enrollment), {"lesson": lesson.pk}))
    assert f'<option value="{lesson.pk}" selected>' in page
    assert f'name="lesson" value="{lesson.pk}"' in page
    response = press(teaching, enrollment, units[0], lesson=lesson.pk)
    assert response["Location"].endswith(f"?lesson={lesson.pk}#unit-{units[0].pk}")
    assert UnitDone.objects.get().lesson == lesson
    assert "in the lesson of 15 January 2031" in text_of(teaching.get(progress_page(enrollment)))


def test_a_lesson_of_the_last_days_leads_to_its_ticks(
    teaching: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    lately = plan(enrollment, teacher, timezone.now() - timedelta(days=3))
    long_ago = plan(enrollment, teacher, timezone.now() - timedelta(days=30))
    text = text_of(teaching.get("/my/lessons/"))
    assert "1 lesson in the last days" in text
    assert f"?lesson={lately.pk}" in text
    assert f"?lesson={long_ago.pk}" not in text
    # At the student every lesson given can be chosen.
    assert f'value="{long_ago.pk}"' in text_of(teaching.get(progress_page(enrollment)))


def test_a_tick_can_be_taken_back_and_twice_is_once(
    teaching: Client, enrollment: Enrollment, units: list[CourseUnit]
) -> None:
    press(teaching, enrollment, units[0])
    first = UnitDone.objects.get()
    press(teaching, enrollment, units[0])
    assert UnitDone.objects.get() == first
    for _again in range(2):
        assert press(teaching, enrollment, units[0], done="no").status_code == 303
        assert not UnitDone.objects.exists()


@pytest.mark.parametrize("typed", [{}, {"done": "perhaps"}, {"done": "yes", "lesson": "x"}])
def test_what_is_no_button_changes_nothing_and_says_so(
    teaching: Client, enrollment: Enrollment, units: list[CourseUnit], typed: dict[str, str]
) -> None:
    url = reverse("enrollment:tick", args=[enrollment.pk, units[0].pk])
    response = teaching.post(url, typed, follow=True)
    assert "Nothing was changed" in text_of(response)
    assert not UnitDone.objects.exists()


def test_a_lesson_of_somebody_else_is_no_lesson_to_note(
    teaching: Client, enrollment: Enrollment, units: list[CourseUnit], teacher: Teacher
) -> None:
    other = Enrollment.objects.create(
        student=make_student("zoe@school.example"), course=enrollment.course, teacher=teacher
    )
    lesson = plan(other, teacher)
    press(teaching, enrollment, units[0], lesson=lesson.pk)
    assert not UnitDone.objects.exists()
    for named in (lesson.pk, "x", "9" * 30, "\x00"):
        page = text_of(teaching.get(progress_page(enrollment), {"lesson": named}))
        assert 'name="lesson" value=' not in page
    with pytest.raises(NotOfThisCourse):
        tick(enrollment=enrollment, unit=units[0], by=teacher.user, now=NOW, lesson=lesson)


def test_a_unit_of_another_course_is_not_found(
    teaching: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    chess = Course.objects.create(title="Chess", slug="chess")
    unit = CourseUnit.objects.create(course=chess, title="Openings")
    assert press(teaching, enrollment, unit).status_code == 404
    assert press(teaching, enrollment, CourseUnit(pk=10**30)).status_code == 404
    with pytest.raises(NotOfThisCourse):
        tick(enrollment=enrollment, unit=unit, by=teacher.user, now=NOW)
    with pytest.raises(NotOfThisCourse):
        take_back(enrollment=enrollment, unit=unit)


@pytest.mark.parametrize("status", ["declined", "cancelled"])
def test_what_was_given_up_stays_as_it_is(
    teaching: Client, enrollment: Enrollment, units: list[CourseUnit], status: str
) -> None:
    press(teaching, enrollment, units[0])
    Enrollment.objects.update(status=status)
    for unit, done in ((units[0], "no"), (units[1], "yes")):
        url = reverse("enrollment:tick", args=[enrollment.pk, unit.pk])
        assert "its progress stays as it is" in text_of(
            teaching.post(url, {"done": done}, follow=True)
        )
    assert UnitDone.objects.get().unit == units[0]
    with pytest.raises(CourseGivenUp):
        take_back(enrollment=enrollment, unit=units[0])


def test_a_completed_course_may_still_get_its_last_tick(
    teaching: Client, enrollment: Enrollment, units: list[CourseUnit]
) -> None:
    Enrollment.objects.update(status="completed")
    press(teaching, enrollment, units[2])
    assert UnitDone.objects.exists()


def test_a_course_without_units_says_so(teaching: Client, enrollment: Enrollment) -> None:
    CourseUnit.objects.all().delete()
    assert "This course has no units yet" in text_of(teaching.get(progress_page(enrollment)))


# ---------------------------------------------------------------- who may


def outsiders(enrollment: Enrollment) -> dict[str, User]:
    cancelled = make_teacher("cancelled@school.example")
    Lesson.objects.filter(pk=plan(enrollment, cancelled).pk).update(status="cancelled")
    colleague = make_teacher("colleague@school.example")
    enrollment.course.teachers.add(colleague)
    return {
        "the student": enrollment.student.user,
        "another student": make_student("zoe@school.example").user,
        "a teacher of the course": colleague.user,
        "a teacher of a cancelled lesson": cancelled.user,
        "staff": make_user("staff@school.example", "staff", is_staff=True),
        "an admin": User.objects.create_superuser("admin@school.example", "x"),
        "somebody": make_user("somebody@school.example"),
    }


def test_whoever_does_not_teach_the_student_finds_nothing(
    client: Client, enrollment: Enrollment, units: list[CourseUnit]
) -> None:
    for who, user in outsiders(enrollment).items():
        client.force_login(user)
        assert client.get(progress_page(enrollment)).status_code == 404, who
        assert press(client, enrollment, units[0]).status_code == 404, who
    assert not UnitDone.objects.exists()
    client.logout()
    assert client.get(progress_page(enrollment)).status_code == 302
    assert press(client, enrollment, units[0]).status_code == 302


def test_who_gives_one_of_the_lessons_teaches_the_student(
    client: Client, enrollment: Enrollment, units: list[CourseUnit]
) -> None:
    other = make_teacher("other@school.example")
    client.force_login(other.user)
    assert "Nobody yet" in text_of(client.get("/my/students/"))
    plan(enrollment, other)
    assert "Ada Vogel" in text_of(client.get("/my/students/"))
    assert press(client, enrollment, units[0]).status_code == 303
    assert UnitDone.objects.get().by == other.user


def test_after_a_login_in_between_a_tick_leads_to_the_page(
    teaching: Client, enrollment: Enrollment, units: list[CourseUnit]
) -> None:
    response = teaching.get(reverse("enrollment:tick", args=[enrollment.pk, units[0].pk]))
    assert (response.status_code, response["Location"]) == (303, progress_page(enrollment))


def test_the_list_of_students_costs_the_same_for_many(
    teaching: Client,
    course: Course,
    teacher: Teacher,
    units: list[CourseUnit],
    student: Student,
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(12):
        one = make_student(f"many{number}@school.example")
        enrollment = Enrollment.objects.create(student=one, course=course, teacher=teacher)
        for unit in units[: number % 4]:
            tick(enrollment=enrollment, unit=unit, by=teacher.user, now=NOW)
    Enrollment.objects.create(student=student, course=course, teacher=teacher, status="completed")
    with django_assert_max_num_queries(7):
        text = text_of(teaching.get("/my/students/"))
    assert text.count("0 of 3") == text.count("3 of 3") == 3
    assert "Completed" not in text
    assert "Completed" in text_of(teaching.get("/my/students/?over=yes"))
    with django_assert_max_num_queries(10):
        teaching.get(progress_page(enrollment))


def test_students_have_no_list_of_students(client: Client, student: Student) -> None:
    client.force_login(student.user)
    assert client.get("/my/students/").status_code == 302


# ---------------------------------------------------------------- what the database holds


def test_a_unit_is_done_once_whoever_writes(
    enrollment: Enrollment, units: list[CourseUnit]
) -> None:
    UnitDone.objects.create(enrollment=enrollment, unit=units[0])
    with pytest.raises(IntegrityError), transaction.atomic():
        UnitDone.objects.create(enrollment=enrollment, unit=units[0])
    with pytest.raises(IntegrityError), transaction.atomic():
        CourseUnit.objects.create(course=enrollment.course, title="Scales")


def test_what_is_done_goes_with_nothing(enrollment: Enrollment, units: list[CourseUnit]) -> None:
    done = UnitDone.objects.create(enrollment=enrollment, unit=units[0])
    for row in (units[0], enrollment.course, enrollment):
        with pytest.raises(ProtectedError):
            row.delete()
    assert UnitDone.objects.get() == done


def test_ticks_go_on_while_everything_is_off(
    switches: Switches, teaching: Client, enrollment: Enrollment, units: list[CourseUnit]
) -> None:
    switches.kill()
    press(teaching, enrollment, units[0])
    assert "1 of 3 units done" in text_of(teaching.get(progress_page(enrollment)))
