"""Many conflicts decided at once, many who decide at once, and people who are erased meanwhile."""

from datetime import timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from enrollment.domain.messages import HOURLY_LIMIT
from enrollment.models import (
    Conflict,
    Course,
    Enrollment,
    Lesson,
    MakeUpCredit,
    Message,
    Student,
    Teacher,
    User,
)
from enrollment.operations.conflicts import find_conflicts
from enrollment.operations.erase import erase_person
from enrollment.operations.settling import Case, ConflictEnded, Decision, dismiss, settle
from tests.conftest import Switches, make_student
from tests.enrollment.contradictory import START, enrolled, lesson
from tests.enrollment.crowd import at_once
from tests.enrollment.test_admin import office, page
from tests.enrollment.test_admin_conflicts import LIST, conflict, decide, do, pair, shown, text

__all__ = ["conflict", "office", "pair"]

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def many(course: Course, teacher: Teacher) -> list[Conflict]:
    """Lessons after the end of their enrollments, more than a person may write in an hour."""
    now = timezone.now()
    for number in range(HOURLY_LIMIT + 2):
        one = make_student(f"s{number}@school.example")
        over = enrolled(one, course, status="completed", ended_at=now)
        lesson(over, teacher, START + number * HOUR)
    find_conflicts(now=now)
    return list(Conflict.objects.filter(kind="after_the_end"))


def choose(client: Client, action: str, conflicts: list[Conflict], **answers: Any) -> str:
    chosen = {"action": action, "_selected_action": [one.pk for one in conflicts]}
    return text(client.post(LIST, chosen | answers, follow=True))


def test_many_lessons_are_cancelled_with_credit_and_message(
    office: Client, many: list[Conflict], switches: Switches
) -> None:
    switches.kill()
    asked = choose(office, "cancel_selected", many)
    assert "With a make-up credit for each" in asked
    answers = {"credit": "on", "send": "on", "extra": "Snow!", "reason": "Snow."}
    done = choose(office, "cancel_selected", many, confirmed="1", **answers)
    assert f"{len(many)} lessons cancelled." in done
    assert set(Lesson.objects.values_list("status", flat=True)) == {"cancelled"}
    assert MakeUpCredit.objects.count() == Message.objects.count() == len(many)
    assert all("Snow!" in one.body for one in Message.objects.all())
    assert set(Conflict.objects.values_list("status", flat=True)) == {"resolved"}


def test_of_two_lessons_a_person_says_which(office: Client, conflict: Conflict) -> None:
    content = choose(office, "cancel_selected", [conflict], confirmed="1")
    assert "None of these can be dealt with so" in content
    assert Lesson.objects.filter(status="planned").count() == 2


def test_many_are_kept_with_one_reason(office: Client, many: list[Conflict]) -> None:
    assert "This field is required." in choose(office, "keep_selected", many, confirmed="1")
    done = choose(office, "keep_selected", many, confirmed="1", reason="Extra lessons.")
    assert f"{len(many)} conflicts stay as they are." in done
    assert set(Conflict.objects.values_list("status", "resolution")) == {
        ("dismissed", "Extra lessons.")
    }


def test_one_that_ended_meanwhile_and_none_is_done(office: Client, many: list[Conflict]) -> None:
    with patch("enrollment.admin.conflicts_at_once.settle", side_effect=ConflictEnded):
        content = choose(office, "cancel_selected", many, confirmed="1", send="on")
    assert "One of them has ended meanwhile." in content
    assert Lesson.objects.filter(status="planned").count() == len(many)


# ---------------------------------------------------------------- races and erased people
@pytest.mark.django_db(transaction=True)
def test_pressed_by_many_at_once_it_happens_once(
    student: Student, course: Course, teacher: Teacher, staff: User
) -> None:
    now = timezone.now()
    over = enrolled(student, course, status="completed", ended_at=now)
    late = lesson(over, teacher)
    find_conflicts(now=now)
    conflict = Conflict.objects.get()
    shown_lesson = Lesson.objects.select_related("enrollment__student", "teacher").get(pk=late.pk)
    press = partial(
        settle,
        cases=[
            Case(
                conflict=conflict,
                decisions=[Decision(lesson=shown_lesson, credit=True, message="Sorry.")],
            )
        ],
        reason="",
        by=staff,
        now=now,
    )
    keep = partial(dismiss, conflicts=[conflict], reason="x", by=staff, now=now)
    search = partial(find_conflicts, now=now)
    answers = at_once(press, press, press, keep, search, search)
    ended = [one for one in answers if isinstance(one, BaseException)]
    assert {type(one).__name__ for one in ended} <= {"ConflictEnded", "ChangedMeanwhile"}, answers
    assert len(ended) == 3
    conflict.refresh_from_db()
    cancelled = Lesson.objects.get(pk=late.pk).status == "cancelled"
    assert cancelled == (conflict.resolution != "x")
    assert MakeUpCredit.objects.count() == Message.objects.count() == cancelled


def test_whoever_is_erased_is_gone_from_the_words(
    office: Client, conflict: Conflict, pair: tuple[Lesson, Lesson], admin: User
) -> None:
    checked = decide(
        office, conflict, **{f"lesson-{pair[0].pk}-what": "credit"}, reason="Ada asked"
    )
    do(office, conflict, checked)
    MakeUpCredit.objects.update(note="Ada is ill")
    erase_person(user=pair[0].student.user, by=admin, now=timezone.now())
    conflict.refresh_from_db()
    assert conflict.resolution == ""
    assert MakeUpCredit.objects.get().note == ""
    assert "Deleted person" in shown(office, conflict)
    assert not LogEntry.objects.filter(change_message__contains="Ada").exists()


def test_a_message_to_somebody_who_is_erased_is_refused_whole(
    office: Client, conflict: Conflict, pair: tuple[Lesson, Lesson]
) -> None:
    checked = decide(office, conflict, **{f"lesson-{pair[0].pk}-what": "cancel"})
    User.objects.filter(student=pair[0].student).update(deleted_at=timezone.now())
    assert "account of this student or teacher is deleted" in text(do(office, conflict, checked))
    conflict.refresh_from_db()
    assert conflict.status == "open"


def test_an_enrollment_with_conflicts_can_still_be_deleted(
    office: Client, student: Student, course: Course
) -> None:
    enrollment = enrolled(student, course, flow="scheduling")
    find_conflicts(now=timezone.now())
    office.post(page("enrollment", "delete", enrollment.pk), {"post": "yes"})
    assert not Enrollment.objects.exists()
    assert find_conflicts(now=timezone.now()).gone == 1
