"""The new flow on a second device, and on two at once: the furthest valid step, and no overwriting."""

import re
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
from tests.conftest import make_student, make_teacher
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
RESUME = "/schedule/violin/continue/"
STAMP = re.compile(r'name="(seen:\w+|save_\w+)"\s+value="([^"]*)"')


def stamps_on(page: Any) -> dict[str, str]:
    return dict(STAMP.findall(page.content.decode()))


def choices_on(page: Any, name: str) -> list[str]:
    return re.findall(rf'name="choice:{name}"\s+value="([^"]*)"', page.content.decode())


def saved(student: Student, course: Course) -> dict[str, str]:
    draft = drafts.open_draft(student=student, course=course)
    return draft.answers if draft else {}


def taken_by_a_rival(make_lesson: MakeLesson, slot: str) -> None:
    Lesson.objects.all().delete()
    begin = datetime.fromisoformat(slot)
    make_lesson(begin, begin + timedelta(minutes=45), student=make_student("rival@school.example"))


# ------------------------------------------------------------------ the furthest valid step


def test_the_furthest_step_is_gone_on_with(as_student: Client, teacher: Teacher) -> None:
    assert as_student.get(RESUME)["Location"] == CHOOSE
    choose(as_student, teacher)
    assert as_student.get(RESUME)["Location"] == DETAILS
    as_student.post(DETAILS, everything(teacher, note="n"))
    assert as_student.get(RESUME)["Location"] == CONFIRM


def test_the_course_leads_there(as_student: Client) -> None:
    assert RESUME in as_student.get("/courses/violin/").content.decode()


def test_a_slot_whose_hold_ran_out_but_is_free_is_still_valid(
    as_student: Client, teacher: Teacher
) -> None:
    choose(as_student, teacher)
    as_student.post(DETAILS, everything(teacher))
    with time_machine.travel(NOW + HOLD, tick=False):
        assert as_student.get(RESUME)["Location"] == CONFIRM


@pytest.mark.parametrize("page", [RESUME, DETAILS, CONFIRM])
def test_a_slot_that_is_gone_leads_to_the_nearest(
    as_student: Client, teacher: Teacher, make_lesson: MakeLesson, page: str
) -> None:
    choose(as_student, teacher, SECOND)
    as_student.post(DETAILS, everything(teacher, SECOND, note="n"))
    taken_by_a_rival(make_lesson, SECOND)
    assert as_student.get(page)["Location"] == CHOOSE
    offered = as_student.get(CHOOSE)
    html = offered.content.decode()
    assert "Monday 19 January, 16:45 with Marta Rossi is no longer free" in html
    assert slots_on(offered)[:2] == [FIRST, THIRD]


@pytest.mark.parametrize("page", [RESUME, DETAILS, CONFIRM])
def test_a_teacher_who_has_left_is_named_with_the_time_that_is_gone(
    as_student: Client, course: Course, teacher: Teacher, page: str
) -> None:
    other = make_teacher("other@school.example")
    Teacher.objects.filter(pk=other.pk).update(display_name="Jonas Weber")
    AvailabilityRule.objects.create(teacher=other, weekday=0, starts="17:00", ends="18:30")
    choose(as_student, teacher, FIRST)
    as_student.post(DETAILS, everything(teacher, FIRST, note="n"))
    course.teachers.set([other])
    assert as_student.get(page)["Location"] == CHOOSE
    offered = as_student.get(CHOOSE)
    html = " ".join(offered.content.decode().split())
    assert "Marta Rossi does not teach this course any more" in html
    assert "your Monday 19 January, 16:00 is gone" in html
    assert "The nearest free times with Jonas Weber" in html
    assert slots_on(offered)[0] == "2026-01-19T16:00:00Z"
    around = as_student.get(
        CHOOSE, {"teacher": str(other.pk), "day": "2026-01-26"}
    ).content.decode()
    assert "does not teach this course" not in around


def test_a_text_that_is_too_long_is_said_at_its_field(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    choose(as_student, teacher)
    as_student.post(DETAILS, everything(teacher))
    drafts.save(student=student, course=course, answers={"note": "x" * 4001}, now=NOW)
    assert as_student.get(RESUME)["Location"] == DETAILS
    page = as_student.get(DETAILS)
    assert page.status_code == 200
    assert "at most 4000 characters" in page.content.decode()


def test_only_students_go_on(client: Client, course: Course, teacher: Teacher) -> None:
    assert client.get(RESUME)["Location"].startswith(reverse("account_login"))
    client.force_login(teacher.user)
    assert client.get(RESUME).status_code == 403


# ------------------------------------------------------------------ two at once


def test_another_time_chosen_elsewhere_is_not_given_back_unseen(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    stale = stamps_on(as_student.get(CHOOSE))
    choose(as_student, teacher, FIRST)
    page = as_student.post(CHOOSE, {"teacher": teacher.pk, "slot": THIRD, **stale})
    assert page.status_code == 409
    assert starts(Lesson.objects.get()) == FIRST
    assert saved(student, course)["slot"] == FIRST
    html = page.content.decode()
    assert "Monday 19 January 2026, 16:00–16:45 (Europe/Berlin) with Marta Rossi" in html
    assert "Monday 19 January 2026, 17:30–18:15 (Europe/Berlin) with Marta Rossi" in html
    keep, take = choices_on(page, "slot")
    fields = {"teacher": teacher.pk, "slot": THIRD, **stamps_on(page)}
    assert as_student.post(CHOOSE, {**fields, "choice:slot": take})["Location"] == DETAILS
    assert starts(Lesson.objects.get()) == FIRST
    assert keep.startswith("keep.")


def test_the_time_that_was_chosen_here_can_be_kept(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    stale = stamps_on(as_student.get(CHOOSE))
    choose(as_student, teacher, FIRST)
    page = as_student.post(CHOOSE, {"teacher": teacher.pk, "slot": THIRD, **stale})
    fields = {"teacher": teacher.pk, "slot": THIRD, **stamps_on(page)}
    keep = {"choice:slot": choices_on(page, "slot")[0]}
    assert as_student.post(CHOOSE, {**fields, **keep})["Location"] == DETAILS
    assert starts(Lesson.objects.get()) == THIRD
    assert saved(student, course)["slot"] == THIRD


def test_stale_details_come_back_with_the_choice(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    choose(as_student, teacher)
    stale = stamps_on(as_student.get(DETAILS))
    there = everything(teacher, note="typed there", wished_times="Fridays")
    as_student.post(DETAILS, {**there, **stale})
    page = as_student.post(DETAILS, {**everything(teacher, note="typed here"), **stale})
    assert page.status_code == 409
    assert saved(student, course)["note"] == "typed there"
    # What was not touched here is shown as it is now, and needs no choice.
    assert page.context["form"]["wished_times"].value() == "Fridays"
    assert [doubt.name for doubt in page.context["doubts"]] == ["note"]
    for later in (RESUME, CONFIRM):
        assert as_student.get(later)["Location"] == DETAILS
    both = {"choice:note": choices_on(page, "note")[2]}
    told = everything(teacher, note="typed here", wished_times="Fridays")
    done = as_student.post(DETAILS, {**told, **stamps_on(page), **both})
    assert done["Location"] == CONFIRM
    assert saved(student, course)["note"] == "typed here\ntyped there"
    assert saved(student, course)["wished_times"] == "Fridays"


def test_a_stale_summary_is_shown_again_before_it_is_done(
    as_student: Client, teacher: Teacher
) -> None:
    choose(as_student, teacher)
    as_student.post(DETAILS, everything(teacher, note="first"))
    stale = stamps_on(as_student.get(CONFIRM))
    fresh = stamps_on(as_student.get(DETAILS))
    as_student.post(DETAILS, {**everything(teacher, note="typed there"), **fresh})
    page = as_student.post(CONFIRM, {**everything(teacher, note="first"), **stale})
    assert page.status_code == 409
    assert not Enrollment.objects.exists()
    html = page.content.decode()
    assert "another page or device" in html
    assert "typed there" in html
    again = {**everything(teacher, note="typed there"), **stamps_on(page)}
    assert as_student.post(CONFIRM, again).status_code == 303
    assert Enrollment.objects.get().note == "typed there"


def test_a_summary_cannot_be_confirmed_while_two_texts_wait(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    choose(as_student, teacher)
    stale = stamps_on(as_student.get(DETAILS))
    as_student.post(DETAILS, everything(teacher, note="typed there"))
    summary = stamps_on(as_student.get(CONFIRM))
    late = {"note": "typed here", **stale, "save_page": "late"}
    assert as_student.post("/drafts/violin/", late).status_code == 409
    answer = as_student.post(CONFIRM, {**everything(teacher, note="typed there"), **summary})
    assert answer["Location"] == DETAILS
    assert not Enrollment.objects.exists()
    assert "Which text is right?" in as_student.get(DETAILS).content.decode()
