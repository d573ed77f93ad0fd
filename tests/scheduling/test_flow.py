"""The new flow from the first page to the enrollment, and everything that can come in between."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from enrollment.operations.lessons import HOLD
from rollback import drafts
from scheduling.models import AvailabilityRule
from scheduling.queries.availability import Availability
from tests.conftest import make_student
from tests.scheduling.conftest import NOW, MakeLesson
from tests.scheduling.steps import (
    CHOOSE,
    CONFIRM,
    DETAILS,
    FIRST,
    SECOND,
    THIRD,
    choose,
    everything,
    slots_on,
    starts,
)

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("now", "monday_hours", "no_closed_days"),
]

# ------------------------------------------------------------------ the straight way


def test_from_the_first_page_to_the_enrollment(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    page = as_student.get(CHOOSE)
    assert page.status_code == 200
    assert slots_on(page) == [FIRST, SECOND, THIRD]

    chosen = choose(as_student, teacher, SECOND)
    assert (chosen.status_code, chosen["Location"]) == (303, DETAILS)
    hold = Lesson.objects.get()
    assert (hold.status, starts(hold), hold.expires_at) == ("held", SECOND, NOW + HOLD)
    assert "12:10" in as_student.get(DETAILS).content.decode()

    told = as_student.post(
        DETAILS, everything(teacher, SECOND, wished_times="Fridays", note="Left-handed")
    )
    assert (told.status_code, told["Location"]) == (303, CONFIRM)
    summary = as_student.get(CONFIRM).content.decode()
    for text in ("Marta Rossi", "Monday 19 January 2026, 16:45", "Fridays", "Left-handed"):
        assert text in summary

    done = as_student.post(
        CONFIRM, everything(teacher, SECOND, wished_times="Fridays", note="Left-handed")
    )
    made = Enrollment.objects.get()
    assert (done.status_code, done["Location"]) == (
        303,
        reverse("enrollment:enrolled", args=[made.pk]),
    )
    assert (made.flow, made.teacher, made.wished_times, made.note) == (
        "scheduling",
        teacher,
        "Fridays",
        "Left-handed",
    )
    lesson = Lesson.objects.get()
    assert (lesson.status, starts(lesson), lesson.enrollment) == ("planned", SECOND, made)
    assert drafts.open_draft(student=student, course=course) is None
    assert as_student.get(done["Location"]).status_code == 200


def test_state_lives_in_the_draft_and_comes_back_on_another_device(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    choose(as_student, teacher, SECOND)
    as_student.post(DETAILS, everything(teacher, SECOND, note="Left-handed"))
    draft = drafts.open_draft(student=student, course=course)
    assert draft is not None
    assert draft.step == "confirm"
    assert draft.answers == {
        "teacher": str(teacher.pk),
        "slot": SECOND,
        "wished_times": "",
        "note": "Left-handed",
    }
    phone = Client()
    phone.force_login(student.user)
    assert phone.get(CHOOSE).context["chosen"] == SECOND
    assert "Left-handed" in phone.get(DETAILS).content.decode()
    assert "Left-handed" in phone.get(CONFIRM).content.decode()


def test_forms_name_the_place_to_save(as_student: Client, teacher: Teacher) -> None:
    choose(as_student, teacher)
    for page in (CHOOSE, DETAILS):
        html = as_student.get(page).content.decode()
        assert 'data-autosave="/drafts/violin/"' in html
        assert "data-save-state" in html
        assert "style=" not in html


def test_choosing_again_moves_the_hold(as_student: Client, teacher: Teacher) -> None:
    choose(as_student, teacher, FIRST)
    assert slots_on(as_student.get(CHOOSE)) == [FIRST, SECOND, THIRD]
    choose(as_student, teacher, THIRD)
    choose(as_student, teacher, THIRD)
    assert [starts(lesson) for lesson in Lesson.objects.all()] == [THIRD]


# ------------------------------------------------------------------ taken


def test_a_slot_that_was_just_taken_is_answered_with_the_nearest(
    as_student: Client, teacher: Teacher, make_lesson: MakeLesson, course: Course
) -> None:
    rival = make_student("rival@school.example")
    AvailabilityRule.objects.update(starts="13:00")
    as_student.get(CHOOSE)
    begin = datetime.fromisoformat(SECOND)
    make_lesson(begin, begin + timedelta(minutes=45), student=rival)
    page = choose(as_student, teacher, SECOND)
    assert page.status_code == 409
    html = page.content.decode()
    assert "Monday 19 January, 16:45 with Marta Rossi is no longer free" in html
    assert (
        slots_on(page)
        == [
            "2026-01-19T13:30:00Z",
            "2026-01-19T14:15:00Z",
            "2026-01-19T15:00:00Z",
            "2026-01-19T16:30:00Z",
            "2026-01-26T12:00:00Z",
        ]
        or len(slots_on(page)) == 5
    )
    assert not Lesson.objects.filter(status="held").exists()


def test_a_race_lost_at_the_database_keeps_the_hold_one_has(
    as_student: Client, teacher: Teacher, monkeypatch: pytest.MonkeyPatch, make_lesson: MakeLesson
) -> None:
    """Between the look and the insert somebody else was faster: only the constraint knows."""
    choose(as_student, teacher, FIRST)
    begin = datetime.fromisoformat(SECOND)
    make_lesson(begin, begin + timedelta(minutes=45), student=make_student("rival@school.example"))
    second = int(begin.timestamp())
    monkeypatch.setattr(Availability, "slots", lambda _self: [(second, second + 45 * 60)])
    assert choose(as_student, teacher, SECOND).status_code == 409
    assert starts(Lesson.objects.get(status="held")) == FIRST


def test_a_chosen_slot_that_is_gone_on_return_is_said_once(
    as_student: Client, teacher: Teacher, make_lesson: MakeLesson
) -> None:
    choose(as_student, teacher, FIRST)
    Lesson.objects.all().delete()
    begin = datetime.fromisoformat(FIRST)
    make_lesson(begin, begin + timedelta(minutes=45), student=make_student("rival@school.example"))
    page = as_student.get(CHOOSE)
    assert page.status_code == 200
    assert "is no longer free" in page.content.decode()
    assert slots_on(page)[0] == SECOND
    around = as_student.get(CHOOSE, {"teacher": str(teacher.pk), "day": "2026-01-26"})
    assert "is no longer free" not in around.content.decode()


@pytest.mark.parametrize("taken_meanwhile", [False, True])
def test_a_hold_that_ran_out_is_taken_again_if_it_is_still_free(
    as_student: Client, teacher: Teacher, make_lesson: MakeLesson, taken_meanwhile: bool
) -> None:
    choose(as_student, teacher, FIRST)
    with time_machine.travel(NOW + HOLD, tick=False):
        assert "not held for you" in as_student.get(DETAILS).content.decode()
        if taken_meanwhile:
            Lesson.objects.all().delete()
            begin = datetime.fromisoformat(FIRST)
            rival = make_student("rival@school.example")
            make_lesson(begin, begin + timedelta(minutes=45), student=rival)
        done = as_student.post(CONFIRM, everything(teacher, FIRST, note="typed late"))
        if taken_meanwhile:
            assert (done.status_code, done["Location"]) == (303, CHOOSE)
            page = as_student.get(CHOOSE)
            assert "is no longer free" in page.content.decode()
            assert not Enrollment.objects.exists()
            assert as_student.get(DETAILS)["Location"] == CHOOSE
            assert choose(as_student, teacher, SECOND)["Location"] == DETAILS
            assert "typed late" in as_student.get(DETAILS).content.decode()
        else:
            assert Enrollment.objects.get().lessons.get().status == "planned"


def test_pressing_twice_makes_one_enrollment(as_student: Client, teacher: Teacher) -> None:
    choose(as_student, teacher, FIRST)
    answers = everything(teacher, FIRST)
    first, second = as_student.post(CONFIRM, answers), as_student.post(CONFIRM, answers)
    assert second.status_code in (302, 303)
    assert first["Location"] == second["Location"]
    assert Enrollment.objects.count() == Lesson.objects.count() == 1


def test_the_second_press_inside_the_operation(
    student: Student, course: Course, teacher: Teacher
) -> None:
    from enrollment.operations.enroll import AlreadyEnrolled
    from scheduling.operations import flow

    asked: dict[str, Any] = {
        "student": student,
        "course": course,
        "teacher": teacher,
        "starts_at": datetime.fromisoformat(FIRST),
        "now": NOW,
    }
    flow.choose(**asked)
    made = flow.finish(**asked, wished_times="", note="")
    with pytest.raises(AlreadyEnrolled) as again:
        flow.finish(**asked, wished_times="", note="")
    assert again.value.enrollment == made


def test_two_windows_what_was_seen_is_what_is_done(as_student: Client, teacher: Teacher) -> None:
    choose(as_student, teacher, FIRST)
    choose(as_student, teacher, THIRD)
    as_student.post(CONFIRM, everything(teacher, FIRST, note="first window"))
    assert starts(Enrollment.objects.get().lessons.get()) == FIRST
