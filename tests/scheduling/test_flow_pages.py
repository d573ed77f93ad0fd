"""The new flow: what is refused and in which words, what is shown, and to whom."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from enrollment.operations.enroll import enroll
from rollback import drafts
from scheduling.models import AvailabilityRule
from tests.conftest import Switches, make_teacher
from tests.scheduling.conftest import NOW, MakeLesson
from tests.scheduling.steps import (
    CHOOSE,
    CONFIRM,
    DETAILS,
    FIRST,
    choose,
    everything,
    slots_on,
)

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("now", "monday_hours", "no_closed_days"),
]

# ------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("posted", "sentence"),
    [
        ({}, "Choose a time."),
        ({"slot": ""}, "Choose a time."),
        ({"slot": "next Monday"}, "This is no time that can be read."),
        ({"slot": "2026-01-19T15:00:00"}, "This is no time that can be read."),
        ({"slot": "9999-99-99T99:99:99Z"}, "This is no time that can be read."),
        ({"slot": "x" * 100}, "at most 40 characters"),
        ({"slot": FIRST, "teacher": ""}, "Choose a teacher."),
        ({"slot": FIRST, "teacher": "abc"}, "does not teach this course"),
        ({"slot": FIRST, "teacher": "99999999999999999999"}, "does not teach this course"),
    ],
)
def test_nonsense_is_answered_at_the_field(
    as_student: Client, teacher: Teacher, posted: dict[str, str], sentence: str
) -> None:
    page = as_student.post(CHOOSE, {"teacher": str(teacher.pk)} | posted)
    assert page.status_code == 422
    assert sentence in page.content.decode()
    assert not Lesson.objects.exists()


@pytest.mark.parametrize(
    "slot", ["2026-01-19T15:10:00Z", "2026-01-12T15:00:00Z", "2026-03-02T15:00:00Z"]
)
def test_what_is_not_offered_cannot_be_held(
    as_student: Client, teacher: Teacher, slot: str
) -> None:
    assert choose(as_student, teacher, slot).status_code == 409
    assert not Lesson.objects.exists()


def test_a_teacher_of_another_course_is_refused(as_student: Client) -> None:
    stranger = make_teacher("stranger@school.example")
    assert choose(as_student, stranger).status_code == 422


def test_a_full_or_closed_course_is_said_at_once(
    as_student: Client, course: Course, teacher: Teacher
) -> None:
    choose(as_student, teacher)
    course.capacity = 0
    course.save()
    assert "last place" in as_student.get(CHOOSE).content.decode()
    assert "last place" in choose(as_student, teacher).content.decode()
    late = as_student.post(CONFIRM, everything(teacher))
    assert late.status_code == 422
    assert "last place" in late.content.decode()
    course.capacity, course.closes_on = 10, NOW.date() - timedelta(days=1)
    course.save()
    assert "closed today" in as_student.get(CHOOSE).content.decode()


def test_too_long_a_text_is_answered_at_the_field_and_nothing_is_lost(
    as_student: Client, teacher: Teacher
) -> None:
    choose(as_student, teacher)
    page = as_student.post(DETAILS, everything(teacher, note="x" * 4001))
    assert page.status_code == 422
    assert "at most 4000 characters" in page.content.decode()
    assert "x" * 4001 in page.content.decode()


def test_a_draft_that_is_too_large_is_refused_in_words(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    choose(as_student, teacher)
    big = {"from_an_older_release": "x" * 65_000}
    drafts.save(student=student, course=course, answers=big, now=NOW)
    page = as_student.post(DETAILS, everything(teacher, note="y" * 900))
    assert page.status_code == 422
    assert "64 KB" in page.content.decode()


@pytest.mark.parametrize("page", [DETAILS, CONFIRM])
def test_a_later_step_without_a_choice_leads_back(
    as_student: Client, course: Course, page: str
) -> None:
    assert as_student.get(page)["Location"] == CHOOSE
    assert as_student.post(page, {"note": "x"})["Location"] == CHOOSE


@pytest.mark.parametrize(
    "answers",
    [
        {"teacher": "9" * 40, "slot": FIRST},
        {"teacher": "no number", "slot": FIRST},
        {"teacher": "²", "slot": FIRST},
        {"slot": FIRST},
        {"slot": "tomorrow"},
        {"teacher": "", "slot": ""},
    ],
)
def test_a_draft_from_anywhere_breaks_nothing(
    as_student: Client, student: Student, course: Course, answers: dict[str, str]
) -> None:
    drafts.save(student=student, course=course, answers=answers, now=NOW)
    assert as_student.get(CHOOSE).status_code == 200
    assert as_student.get(DETAILS).status_code == 303
    assert as_student.get(CONFIRM).status_code == 303


def test_confirming_a_text_that_is_too_long_leads_back_to_the_details(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    choose(as_student, teacher)
    drafts.save(student=student, course=course, answers={"note": "x" * 5000}, now=NOW)
    assert as_student.get(CONFIRM)["Location"] == DETAILS


# ------------------------------------------------------------------ refused, and kept


def kept(student: Student, course: Course) -> dict[str, str]:
    draft = drafts.open_draft(student=student, course=course)
    return draft.answers if draft else {}


TYPED = {"wished_times": "Fridays", "note": "Left-handed"}


@pytest.mark.parametrize("page", [DETAILS, CONFIRM])
def test_a_teacher_who_has_left_meanwhile_takes_no_text_along(
    as_student: Client, student: Student, course: Course, teacher: Teacher, page: str
) -> None:
    choose(as_student, teacher)
    course.teachers.set([make_teacher("other@school.example")])
    answer = as_student.post(page, everything(teacher, **TYPED))
    assert (answer.status_code, answer["Location"]) == (303, CHOOSE)
    assert TYPED.items() <= kept(student, course).items()
    original = as_student.get(reverse("enrollment:enroll", args=["violin"])).content.decode()
    assert "Left-handed</textarea>" in original
    assert "Fridays</textarea>" in original


@pytest.mark.parametrize("page", [DETAILS, CONFIRM])
def test_too_long_a_text_is_saved_as_it_was_typed(
    as_student: Client, student: Student, course: Course, teacher: Teacher, page: str
) -> None:
    choose(as_student, teacher)
    as_student.post(page, everything(teacher, note="x" * 4001))
    assert kept(student, course)["note"] == "x" * 4001
    assert "x" * 4001 in as_student.get(DETAILS).content.decode()


def test_a_full_course_at_the_last_step_saves_what_was_typed(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    choose(as_student, teacher)
    Course.objects.update(capacity=0)
    assert as_student.post(CONFIRM, everything(teacher, **TYPED)).status_code == 422
    assert TYPED.items() <= kept(student, course).items()


def test_a_time_that_is_taken_is_a_wish_all_the_same(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    assert choose(as_student, teacher, "2026-01-19T15:10:00Z").status_code == 409
    assert kept(student, course) == {"teacher": str(teacher.pk), "slot": "2026-01-19T15:10:00Z"}


def test_a_time_that_is_taken_does_not_replace_the_one_that_is_held(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    choose(as_student, teacher)
    assert choose(as_student, teacher, "2026-01-19T15:10:00Z").status_code == 409
    assert kept(student, course)["slot"] == FIRST


def test_a_choice_in_a_full_course_is_a_wish_all_the_same(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    Course.objects.update(capacity=0)
    assert choose(as_student, teacher).status_code == 422
    assert kept(student, course)["slot"] == FIRST


def test_a_teacher_without_a_time_is_no_choice(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    """It would stand beside the time that was chosen with another teacher."""
    assert as_student.post(CHOOSE, {"teacher": teacher.pk}).status_code == 422
    assert kept(student, course) == {}


def test_too_much_to_be_saved_is_said_where_the_student_is_led(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    choose(as_student, teacher)
    course.teachers.clear()
    asked = everything(teacher, note="x" * 70_000)
    page = as_student.post(DETAILS, asked, follow=True)
    assert page.redirect_chain == [(CHOOSE, 303)]
    assert "64 KB" in page.content.decode()


@pytest.mark.parametrize("page", [CHOOSE, DETAILS, CONFIRM])
def test_who_was_logged_out_is_told_and_comes_back_by_get(
    client: Client, student: Student, course: Course, teacher: Teacher, page: str
) -> None:
    answer = client.post(page, everything(teacher, **TYPED), follow=True)
    assert answer.redirect_chain == [(f"/accounts/login/?next={page}", 302)]
    assert "You were logged out, so the last page could not be saved." in answer.content.decode()


def test_our_own_words_do_not_make_the_original_form_too_long(
    as_student: Client, course: Course, teacher: Teacher, switches: Switches
) -> None:
    """The chosen time becomes words before a text that was as long as it may be."""
    choose(as_student, teacher)
    longest = "\r\n".join(["Mondays!"] * 200)
    assert len(longest) == 1998
    told = as_student.post(DETAILS, everything(teacher, wished_times=longest))
    assert told["Location"] == CONFIRM
    Teacher.objects.update(display_name="M" * 120, zone="America/Argentina/ComodRivadavia")
    switches.kill()
    original = reverse("enrollment:enroll", args=["violin"])
    filled_in = as_student.get(original).context["form"].initial
    assert filled_in["wished_times"].endswith(longest)
    assert len(filled_in["wished_times"]) > 2100
    done = as_student.post(original, filled_in)
    assert done.status_code == 302
    made = Enrollment.objects.get()
    assert made.wished_times == filled_in["wished_times"]
    made.full_clean()


# ------------------------------------------------------------------ what is shown


def test_without_a_free_time_the_original_form_is_offered(as_student: Client) -> None:
    AvailabilityRule.objects.all().delete()
    page = as_student.get(CHOOSE).content.decode()
    assert "No free time" in page
    assert reverse("enrollment:enroll", args=["violin"]) in page


def test_a_course_without_teachers(as_student: Client, course: Course) -> None:
    course.teachers.clear()
    page = as_student.get(CHOOSE).content.decode()
    assert "Nobody teaches this course yet" in page


def test_the_first_teacher_with_a_free_time_is_shown(
    as_student: Client, course: Course, teacher: Teacher
) -> None:
    first = make_teacher("abc@school.example")
    Teacher.objects.filter(pk=first.pk).update(display_name="Anna without hours")
    course.teachers.add(first)
    assert as_student.get(CHOOSE).context["offer"].teacher == teacher
    asked = as_student.get(CHOOSE, {"teacher": str(first.pk)})
    assert asked.context["offer"].teacher == first
    assert "No free time" in asked.content.decode()


@pytest.mark.parametrize(
    ("asked", "first_shown"),
    [
        ({}, FIRST),
        ({"day": "2026-01-26"}, "2026-01-26T15:00:00Z"),
        ({"month": "2026-02"}, "2026-02-02T15:00:00Z"),
        ({"month": "2026-02", "day": "2026-01-26"}, "2026-01-26T15:00:00Z"),
        ({"day": "2026-01-12"}, FIRST),
        ({"day": "nonsense", "month": "2026-13"}, FIRST),
        ({"day": "9999-12-31"}, FIRST),
        ({"month": "9999-12"}, FIRST),
        ({"month": "0001-01"}, FIRST),
        ({"teacher": "-1"}, FIRST),
        ({"teacher": "\x00"}, FIRST),
    ],
)
def test_days_months_and_nonsense_in_the_address(
    as_student: Client, course: Course, asked: dict[str, str], first_shown: str
) -> None:
    assert slots_on(as_student.get(CHOOSE, asked))[0] == first_shown


def test_both_clocks_are_shown_where_they_differ(
    as_student: Client, student: Student, course: Course
) -> None:
    assert not as_student.get(CHOOSE).context["offer"].two_clocks
    student.zone = "Asia/Kathmandu"
    student.save()
    page = as_student.get(CHOOSE)
    html = page.content.decode()
    assert "Asia/Kathmandu" in html
    assert "Europe/Berlin" in html
    (day,) = page.context["offer"].days
    assert [f"{slot.starts:%H:%M}" for slot in day.slots] == ["20:45", "21:30", "22:15"]
    assert [f"{slot.theirs:%H:%M}" for slot in day.slots] == ["16:00", "16:45", "17:30"]


def test_days_are_the_students(as_student: Client, student: Student, course: Course) -> None:
    student.zone = "Pacific/Auckland"  # Monday 16:00 in Berlin is Tuesday there
    student.save()
    (day,) = as_student.get(CHOOSE).context["offer"].days
    assert f"{day.on:%A}" == "Tuesday"


# ------------------------------------------------------------------ who, and how much


@pytest.mark.parametrize("page", [CHOOSE, DETAILS, CONFIRM])
def test_only_students_who_are_not_enrolled_yet(
    client: Client, page: str, student: Student, course: Course, teacher: Teacher
) -> None:
    for method in (client.get, client.post):
        anonymous = method(page)
        assert anonymous.status_code == 302
        assert anonymous["Location"].startswith(reverse("account_login"))
    client.force_login(teacher.user)
    for method in (client.get, client.post):
        response = method(page)
        assert response.status_code == 403
        assert "enrollment/students_only.html" in [used.name for used in response.templates]
    client.force_login(student.user)
    assert client.get(page.replace("violin", "no-such-course")).status_code == 404
    made = enroll(
        student=student,
        course=course,
        teacher=None,
        wished_times="",
        note="",
        flow="original",
        now=NOW,
    )
    for method in (client.get, client.post):
        assert method(page)["Location"] == reverse("enrollment:enrolled", args=[made.pk])


def test_the_number_of_queries_stays_the_same(
    as_student: Client,
    teacher: Teacher,
    make_lesson: MakeLesson,
    django_assert_max_num_queries: Any,
) -> None:
    """Session, user, course, student, enrollment, its three rules, draft, teachers, slots, what the
    student waits for, the places kept for others with their savepoint, and the navigation's questions:
    who somebody is, and whether they wait.
    """
    for week in range(3):
        begin = datetime.fromisoformat(FIRST) + timedelta(weeks=week)
        make_lesson(begin, begin + timedelta(minutes=45))
    with django_assert_max_num_queries(20):
        as_student.get(CHOOSE)


def test_nothing_of_it_may_be_kept_by_a_cache(as_student: Client, course: Course) -> None:
    assert "no-store" in as_student.get(CHOOSE)["Cache-Control"]


def test_the_chosen_time_goes_along_when_wishes_are_saved(
    as_student: Client, teacher: Teacher
) -> None:
    """Wishes saved without it would be the original form's, and the time in no form at all."""
    choose(as_student, teacher)
    page = as_student.get(DETAILS).content.decode()
    slot = page[page.index('name="slot"') :].partition(">")[0]
    assert 'data-with="wished_times"' in slot
