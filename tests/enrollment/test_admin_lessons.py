"""Lessons planned by hand, on the teacher's clock, under the database's guard."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from enrollment.models import Enrollment, Lesson, Student, Teacher
from enrollment.operations.lessons import PersonDeleted, SlotTaken, hold_slot
from enrollment.operations.office import EnrollmentNotLive
from tests.conftest import Switches, make_student, make_teacher
from tests.enrollment.test_admin import enrollment, lesson, office, page

__all__ = ["enrollment", "lesson", "office"]

pytestmark = pytest.mark.django_db


def plan(client: Client, enrollment: Enrollment, teacher: Teacher, **more: Any) -> Any:
    answers = {
        "enrollment": enrollment.pk,
        "teacher": teacher.pk,
        "local_on": "2031-03-10",
        "local_start": "16:00",
    }
    return client.post(page("lesson", "add"), answers | more)


def test_the_rest_follows_from_four_answers(office: Client, enrollment: Enrollment) -> None:
    kolkata = make_teacher("meera@school.example", "Asia/Kolkata")

    assert plan(office, enrollment, kolkata).status_code == 302

    made = Lesson.objects.get()
    assert made.starts_at == datetime(2031, 3, 10, 10, 30, tzinfo=UTC)
    assert made.ends_at - made.starts_at == timedelta(minutes=45)
    assert (made.student, made.course) == (enrollment.student, enrollment.course)
    assert (made.zone, made.local_on, made.local_start, made.status) == (
        "Asia/Kolkata",
        date(2031, 3, 10),
        time(16),
        "planned",
    )


def test_a_lesson_needs_an_enrollment(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    answers = {"teacher": teacher.pk, "local_on": "2031-03-10", "local_start": "16:00"}
    content = office.post(page("lesson", "add"), answers).content.decode()
    assert "This field is required." in content
    assert not Lesson.objects.exists()


@pytest.mark.parametrize("given", ["9" * 30, "-1", "x", "²"])
def test_an_address_with_nonsense_in_it(office: Client, given: str) -> None:
    assert office.get(page("lesson", "add"), {"enrollment": given}).status_code == 200


def test_it_works_with_every_feature_off(
    office: Client, enrollment: Enrollment, teacher: Teacher, switches: Switches
) -> None:
    switches.kill()
    assert plan(office, enrollment, teacher).status_code == 302


def test_a_clash_of_the_teacher_is_named(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    plan(office, enrollment, teacher)
    other = Enrollment.objects.create(
        student=make_student("eve@school.example"), course=enrollment.course
    )

    content = plan(office, other, teacher, local_start="16:30").content.decode()

    assert "Marta Rossi already has a lesson then: Violin for beginners" in content
    assert "10 March 2031, 16:00–16:45 (Europe/Berlin), Ada Vogel with Marta Rossi." in content
    assert Lesson.objects.count() == 1


def test_a_clash_of_the_student_is_named(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    plan(office, enrollment, teacher)
    lisbon = make_teacher("ines@school.example", "Europe/Lisbon")

    content = plan(office, enrollment, lisbon, local_start="15:15").content.decode()

    assert "Ada Vogel already has a lesson then: Violin for beginners" in content


def test_lessons_that_touch_do_not_clash(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    plan(office, enrollment, teacher)
    assert plan(office, enrollment, teacher, local_start="16:45").status_code == 302


def test_a_slot_held_just_now_is_in_the_way_and_an_expired_one_is_not(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    student: Student = make_student("eve@school.example")
    facts: dict[str, Any] = {"student": student, "course": enrollment.course, "teacher": teacher}
    start = datetime(2031, 3, 10, 15, tzinfo=UTC)
    hold = hold_slot(**facts, starts_at=start, now=timezone.now())
    assert "being held just now for Ada Vogel" in plan(office, enrollment, teacher).content.decode()

    Lesson.objects.filter(pk=hold.pk).update(expires_at=timezone.now() - timedelta(minutes=1))

    assert plan(office, enrollment, teacher).status_code == 302
    assert not Lesson.objects.filter(pk=hold.pk).exists()


def test_a_time_the_clocks_leave_out(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    response = plan(office, enrollment, teacher, local_on="2031-03-30", local_start="02:30")
    content = response.content.decode()
    assert "In Europe/Berlin the clocks go forward that night: choose 03:30 instead." in content


def test_nothing_is_planned_for_what_is_over(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    Enrollment.objects.update(status="completed")
    content = plan(office, enrollment, teacher).content.decode()
    assert "This enrollment is over; nothing is planned." in content or "valid choice" in content
    assert not Lesson.objects.exists()


@pytest.mark.parametrize(
    ("refused", "says"),
    [
        (SlotTaken, "This time has just been taken."),
        (EnrollmentNotLive, "This enrollment is over; nothing is planned."),
        (PersonDeleted, "the account of this student or teacher is deleted."),
    ],
)
def test_somebody_is_faster_between_check_and_writing(
    office: Client,
    enrollment: Enrollment,
    teacher: Teacher,
    refused: type[Exception],
    says: str,
) -> None:
    with patch("enrollment.admin.lessons.plan_by_hand", side_effect=refused):
        response = plan(office, enrollment, teacher)
    content = response.content.decode()
    assert response.status_code == 200
    assert says in content
    for typed in ('value="2031-03-10"', 'value="16:00"', "Marta Rossi</option>", "Ada Vogel"):
        assert typed in content
    assert not Lesson.objects.exists()


def test_the_page_names_who_was_faster(
    office: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    """Asked once more, the form sees the lesson that it did not see before."""
    plan(office, enrollment, teacher)
    other = Enrollment.objects.create(
        student=make_student("eve@school.example"), course=enrollment.course
    )
    seen = [None, Lesson.objects.get()]
    with patch("enrollment.admin.lesson_form.clashing_lesson", side_effect=seen):
        content = plan(office, other, teacher).content.decode()
    assert "Marta Rossi already has a lesson then: Violin for beginners" in content
    assert "This time has just been taken." not in content


def change(client: Client, lesson: Lesson, **more: Any) -> Any:
    answers = {
        "teacher": lesson.teacher_id,
        "local_on": lesson.local_on.isoformat(),
        "local_start": f"{lesson.local_start:%H:%M}",
    }
    response = client.post(page("lesson", "change", lesson.pk), answers | more)
    lesson.refresh_from_db()
    return response


def test_a_planned_lesson_can_be_moved(office: Client, lesson: Lesson) -> None:
    before = lesson.starts_at
    assert change(office, lesson, local_start="17:30").status_code == 302
    assert lesson.starts_at - before == timedelta(minutes=90)
    assert lesson.ends_at - lesson.starts_at == timedelta(minutes=45)
    assert lesson.local_start == time(17, 30)


def test_moving_onto_another_lesson_is_refused(
    office: Client, lesson: Lesson, enrollment: Enrollment, teacher: Teacher
) -> None:
    plan(office, enrollment, teacher)
    response = change(office, lesson, local_on="2031-03-10", local_start="15:30")
    assert "Marta Rossi already has a lesson then" in response.content.decode()


def test_moving_a_little_does_not_clash_with_itself(office: Client, lesson: Lesson) -> None:
    assert change(office, lesson, local_start="16:15").status_code == 302
    assert lesson.local_start == time(16, 15)


def test_a_lesson_that_cannot_be_moved_after_all_keeps_what_was_typed(
    office: Client, lesson: Lesson
) -> None:
    before = lesson.starts_at
    with patch("enrollment.admin.lessons.reschedule_lesson", side_effect=SlotTaken):
        response = change(office, lesson, local_start="09:35")
    content = response.content.decode()
    assert response.status_code == 200
    assert "This time has just been taken." in content
    assert 'value="09:35"' in content
    assert lesson.starts_at == before


def test_another_teacher_means_another_clock(office: Client, lesson: Lesson) -> None:
    kolkata = make_teacher("meera@school.example", "Asia/Kolkata")
    change(office, lesson, teacher=kolkata.pk)
    assert (lesson.zone, lesson.local_start) == ("Asia/Kolkata", time(16))
    assert lesson.starts_at.time() == time(10, 30)


def test_saving_without_a_change_moves_nothing(office: Client, lesson: Lesson) -> None:
    """Also where the lesson was agreed on another clock than its teacher's."""
    Lesson.objects.update(zone="Asia/Kolkata", local_start=time(20, 30))
    before = lesson.period
    content = office.get(page("lesson", "change", lesson.pk)).content.decode()
    assert "16:00" in content
    change(office, lesson, local_start="16:00")
    assert (lesson.period, lesson.zone) == (before, "Asia/Kolkata")


@pytest.mark.parametrize(("button", "becomes"), [("done", "done"), ("cancel", "cancelled")])
def test_buttons_move_along_the_table(
    office: Client, lesson: Lesson, button: str, becomes: str
) -> None:
    change(office, lesson, **{f"enrollment_lesson_{button}": "1"})
    assert lesson.status == becomes
    content = office.get(page("lesson", "change", lesson.pk)).content.decode()
    assert "enrollment_lesson_cancel" not in content
    change(office, lesson, local_start="19:00")
    assert lesson.local_start == time(16), "what is over stays where it was"


@pytest.mark.parametrize("on", ["0001-01-01", "1999-12-31", "2100-01-01", "9999-12-31"])
def test_days_beyond_all_clocks(
    office: Client, enrollment: Enrollment, teacher: Teacher, on: str
) -> None:
    content = plan(office, enrollment, teacher, local_on=on).content.decode()
    assert "No day before" in content or "No day after" in content


def history(lesson: Lesson) -> list[str]:
    entries = LogEntry.objects.filter(object_id=str(lesson.pk)).order_by("pk")
    return [entry.get_change_message() for entry in entries]


def test_a_move_stays_visible_with_its_reason(
    office: Client, lesson: Lesson, enrollment: Enrollment
) -> None:
    Lesson.objects.filter(pk=lesson.pk).update(
        local_on="2031-03-10", period=("2031-03-10T15:00Z", "2031-03-10T15:45Z")
    )
    lesson.refresh_from_db()
    other = make_teacher("ines@school.example", "Europe/Lisbon")
    Teacher.objects.filter(pk=other.pk).update(display_name="Inês Sá")
    change(office, lesson, teacher=other.pk, local_start="17:30", reason="Marta is ill.")
    assert history(lesson) == [
        "Moved from Monday 10 March 2031, 16:00–16:45 (Europe/Berlin) with Marta Rossi "
        "to Monday 10 March 2031, 17:30–18:15 (Europe/Lisbon) with Inês Sá. Reason: Marta is ill."
    ]
    page_of_history = office.get(page("lesson", "history", lesson.pk)).content.decode()
    assert "Marta is ill." in page_of_history


def test_a_cancelled_lesson_keeps_the_reason_for_the_office_alone(
    office: Client, client: Client, lesson: Lesson
) -> None:
    change(office, lesson, enrollment_lesson_cancel="1", reason="The roof leaks.")
    assert history(lesson) == ["Now: Cancelled. Reason: The roof leaks."]
    client.force_login(lesson.student.user)
    for seen in ("enrollment:my_courses", "enrollment:my_lessons"):
        assert "The roof leaks." not in client.get(reverse(seen)).content.decode()


def test_a_reason_alone_moves_nothing(office: Client, lesson: Lesson) -> None:
    Lesson.objects.update(zone="Asia/Kolkata", local_start=time(20, 30))
    change(office, lesson, local_start="16:00", reason="Just so.")
    assert lesson.zone == "Asia/Kolkata"
    assert history(lesson) == ["Nothing was changed. Reason: Just so."]


def test_a_reason_that_is_too_long(office: Client, lesson: Lesson) -> None:
    content = change(office, lesson, enrollment_lesson_cancel="1", reason="x" * 201).content
    assert "at most 200 characters" in content.decode()
    assert lesson.status == "planned"


def test_lessons_are_never_deleted(office: Client, lesson: Lesson) -> None:
    assert office.post(page("lesson", "delete", lesson.pk), {"post": "yes"}).status_code == 403
