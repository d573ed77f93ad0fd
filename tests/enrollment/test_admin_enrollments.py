"""Enrollments in the office: entered under the same rules, moved along the state table."""

from datetime import date, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from enrollment.domain.states import StepNotAllowed
from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from enrollment.operations.enroll import CourseFull
from enrollment.operations.lessons import hold_slot
from tests.conftest import make_student
from tests.enrollment.test_admin import enrollment, lesson, office, page

__all__ = ["enrollment", "lesson", "office"]

pytestmark = pytest.mark.django_db

INLINE = {"lessons-TOTAL_FORMS": "0", "lessons-INITIAL_FORMS": "0"}


def answers(student: Student, course: Course, **more: Any) -> dict[str, Any]:
    return {"student": student.pk, "course": course.pk, **INLINE, **more}


def test_the_office_enrolls(office: Client, student: Student, course: Course) -> None:
    response = office.post(
        page("enrollment", "add"),
        answers(student, course, office_note="By phone", payment_reference="2026-1"),
    )

    assert response.status_code == 302
    made = Enrollment.objects.get()
    assert (made.flow, made.status) == ("office", "requested")
    assert (made.office_note, made.payment_reference) == ("By phone", "2026-1")
    assert made.confirmation_sent_at is None, "the student is told"


@pytest.mark.parametrize(
    ("bend", "says"),
    [
        ({"capacity": 0}, "Every place of this course is taken."),
        ({"closes_on": date(2020, 1, 1)}, "This course is not open for enrollment today."),
    ],
)
def test_the_rules_hold_for_the_office(
    office: Client, student: Student, course: Course, bend: dict[str, Any], says: str
) -> None:
    Course.objects.update(**bend)
    response = office.post(page("enrollment", "add"), answers(student, course))
    assert says in response.content.decode()
    assert not Enrollment.objects.exists()


def test_one_live_enrollment_for_the_office_too(office: Client, enrollment: Enrollment) -> None:
    response = office.post(
        page("enrollment", "add"), answers(enrollment.student, enrollment.course)
    )
    assert "This student is already enrolled in this course." in response.content.decode()


def test_a_teacher_of_another_course_is_refused(
    office: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    course.teachers.clear()
    response = office.post(page("enrollment", "add"), answers(student, course, teacher=teacher.pk))
    assert "This teacher does not teach this course." in response.content.decode()


def test_the_last_place_goes_between_check_and_writing(
    office: Client, student: Student, course: Course
) -> None:
    with patch("enrollment.admin.enrollments.enroll_by_office", side_effect=CourseFull):
        typed = answers(student, course) | {"office_note": "Called on Tuesday."}
        response = office.post(page("enrollment", "add"), typed)
    assert response.status_code == 200
    content = response.content.decode()
    assert "Every place of this course is taken." in content
    assert "Called on Tuesday.</textarea>" in content
    assert "Ada Vogel</option>" in content
    assert not Enrollment.objects.exists()


def test_a_button_that_comes_too_late_keeps_what_was_typed(
    office: Client, enrollment: Enrollment
) -> None:
    """Somebody declined it meanwhile: said on the page, and nothing of it is saved in halves."""
    typed = {"teacher": "", "wished_times": "", "note": "", "office_note": "Called on Tuesday."}
    late = StepNotAllowed(before="declined", after="confirmed")
    with patch("enrollment.admin.enrollments.move_enrollment", side_effect=late):
        response = office.post(
            page("enrollment", "change", enrollment.pk),
            {**INLINE, **typed, "enrollment_enrollment_confirm": "1"},
        )
    content = response.content.decode()
    assert response.status_code == 200
    assert "A step from declined to confirmed is not allowed." in content
    assert "Called on Tuesday.</textarea>" in content
    enrollment.refresh_from_db()
    assert enrollment.office_note == ""


def press(client: Client, enrollment: Enrollment, button: str) -> str:
    name = f"enrollment_enrollment_{button}"
    url = page("enrollment", "change", enrollment.pk)
    client.post(url, {**INLINE, "teacher": "", "wished_times": "", "note": "", name: "1"})
    enrollment.refresh_from_db()
    return enrollment.status


@pytest.mark.parametrize(
    ("button", "becomes"),
    [
        ("confirm", "confirmed"),
        ("decline", "declined"),
        ("cancel", "cancelled"),
        ("complete", "requested"),
    ],
)
def test_buttons_move_along_the_table_only(
    office: Client, enrollment: Enrollment, button: str, becomes: str
) -> None:
    assert press(office, enrollment, button) == becomes


def test_only_the_steps_that_are_allowed_are_offered(
    office: Client, enrollment: Enrollment
) -> None:
    url = page("enrollment", "change", enrollment.pk)
    assert "enrollment_enrollment_confirm" in office.get(url).content.decode()
    Enrollment.objects.update(status="cancelled")
    content = office.get(url).content.decode()
    assert not any(f"enrollment_enrollment_{one}" in content for one in ("confirm", "cancel"))


def test_saving_does_not_take_back_what_moved_meanwhile(
    office: Client, enrollment: Enrollment
) -> None:
    url = page("enrollment", "change", enrollment.pk)
    Enrollment.objects.update(status="confirmed")
    office.post(url, {**INLINE, "teacher": enrollment.teacher_id, "office_note": "Called"})
    enrollment.refresh_from_db()
    assert (enrollment.status, enrollment.office_note) == ("confirmed", "Called")


def test_actions_move_what_can_be_moved_and_name_the_rest(
    office: Client, enrollment: Enrollment, course: Course
) -> None:
    done = Enrollment.objects.create(
        student=make_student("eve@school.example"), course=course, status="completed"
    )
    response = office.post(
        page("enrollment", "changelist"),
        {"action": "decline_selected", "_selected_action": [enrollment.pk, done.pk]},
        follow=True,
    )

    enrollment.refresh_from_db()
    done.refresh_from_db()
    assert (enrollment.status, done.status) == ("declined", "completed")
    content = response.content.decode()
    assert "1 enrollment changed." in content
    assert "from completed to declined is not allowed" in content


def test_a_cancelled_enrollment_gives_back_its_time(
    office: Client, enrollment: Enrollment, lesson: Lesson, teacher: Teacher
) -> None:
    now = timezone.now()
    hold = hold_slot(
        student=enrollment.student,
        course=enrollment.course,
        teacher=teacher,
        starts_at=now + timedelta(days=50),
        now=now,
    )
    Lesson.objects.filter(pk=hold.pk).update(enrollment=enrollment)

    assert press(office, enrollment, "cancel") == "cancelled"

    lesson.refresh_from_db()
    assert lesson.status == "cancelled"
    assert not Lesson.objects.filter(pk=hold.pk).exists()
    assert mail.outbox == []


def test_lessons_stand_on_the_enrollments_page(
    office: Client, enrollment: Enrollment, lesson: Lesson
) -> None:
    content = office.get(page("enrollment", "change", enrollment.pk)).content.decode()
    assert page("lesson", "change", lesson.pk) in content
    assert "Europe/Berlin" in content


def test_plan_a_lesson_brings_the_enrollment_along(office: Client, enrollment: Enrollment) -> None:
    url = reverse("admin:enrollment_enrollment_plan_lesson", args=[enrollment.pk])
    response = office.get(url, follow=True)
    assert response.redirect_chain[-1][0].endswith(f"?enrollment={enrollment.pk}")
    assert str(enrollment.student) in response.content.decode()
    assert "Marta Rossi" in response.content.decode()
