"""The doors: whoever is turned away lands well, and nothing that was typed is lost."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib import messages
from django.db import InterfaceError, connection
from django.test import Client
from django.urls import reverse

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.lessons import hold_slot
from rollback import drafts
from rollback.doors import counting
from rollback.doors.words import TURNED_AWAY
from rollback.models import DoorCount, EnrollmentDraft
from tests.conftest import Switches

MASTER = "ENABLE_TEACHER_SCHEDULING"
S1 = (
    "Technical update in progress. Your enrollment has been saved and you can complete it "
    "using our standard process."
)
SLOT = datetime(2030, 1, 8, 9, 0, tzinfo=UTC)


def test_the_sentence_is_the_specifications() -> None:
    assert str(TURNED_AWAY) == S1


@pytest.fixture
def at(client: Client, student: Student, course: Course) -> Any:
    client.force_login(student.user)

    def url(name: str) -> str:
        return reverse(name, args=[course.slug])

    return url


def answers_on_the_way(teacher: Teacher) -> dict[str, str]:
    return {
        "teacher": str(teacher.pk),
        "slot": SLOT.isoformat(),
        "wished_times": "or Fridays",
        "note": "I play the viola.",
    }


@pytest.mark.parametrize("step", ["calendar:choose", "scheduling:details", "scheduling:confirm"])
def test_a_post_that_is_turned_away_is_kept_and_filled_in(
    client: Client, at: Any, switches: Switches, teacher: Teacher, step: str
) -> None:
    switches.kill()
    response = client.post(at(step), answers_on_the_way(teacher))
    assert response.status_code == 303
    assert response["Location"] == at("enrollment:enroll")
    assert response["Cache-Control"] == "no-store"
    page = client.get(response["Location"])
    form = page.context["form"]
    assert S1 in page.content.decode()
    assert form["teacher"].value() == str(teacher.pk)
    assert form["note"].value() == "I play the viola."
    assert form["wished_times"].value() == (
        "Tuesday 8 January 2030, 10:00–10:45 (Europe/Berlin) with Marta Rossi\nor Fridays"
    )
    # Looking again shows the same: it does not depend on a message that is shown once.
    assert S1 in client.get(response["Location"]).content.decode()


def test_finishing_after_that_makes_one_enrollment_whatever_is_pressed(
    client: Client, at: Any, switches: Switches, teacher: Teacher
) -> None:
    switches.kill()
    answers = answers_on_the_way(teacher)
    client.post(at("scheduling:confirm"), answers)
    for _press in range(3):
        done = client.post(at("enrollment:enroll"), answers)
        assert done.status_code == 302
    switches.snapshot = switches.snapshot.__class__(version=1)
    Switches().share(100)
    again = client.post(at("scheduling:confirm"), answers)
    assert again.status_code in (302, 303)
    assert "/enrollments/" in again["Location"]
    enrollment = Enrollment.objects.get()
    assert enrollment.flow == "original"
    assert enrollment.note == "I play the viola."
    assert EnrollmentDraft.objects.get().enrollment == enrollment


def test_a_get_in_the_middle_is_told_and_finds_the_draft(
    client: Client, at: Any, switches: Switches, student: Student, course: Course
) -> None:
    drafts.save(
        student=student, course=course, answers={"note": "so far"}, now=SLOT, step="details"
    )
    switches.kill()
    page = client.get(at("scheduling:details"), follow=True)
    assert S1 in page.content.decode()
    assert "so far" in page.content.decode()


def test_who_has_not_begun_gets_the_plain_form_without_the_sentence(
    client: Client, at: Any, switches: Switches
) -> None:
    switches.kill()
    page = client.get(at("calendar:choose"), follow=True)
    assert page.status_code == 200
    assert S1 not in page.content.decode()
    assert not EnrollmentDraft.objects.exists()


def test_the_sentence_ends_when_the_new_flow_saves_again(
    student: Student, course: Course, client: Client, at: Any
) -> None:
    save = partial(drafts.save, student=student, course=course, now=SLOT)
    save(answers={"note": "a"}, turned_away=True)
    save(answers={"note": "b"}, step="details")
    assert S1 not in client.get(at("enrollment:enroll")).content.decode()


def test_too_much_text_still_lands_in_the_original_form(
    client: Client, at: Any, switches: Switches, student: Student, course: Course
) -> None:
    drafts.save(student=student, course=course, answers={"note": "so far"}, now=SLOT)
    switches.kill()
    page = client.post(at("scheduling:details"), {"note": "x" * 70_000}, follow=True)
    text = page.content.decode()
    assert S1 in text
    assert "64 KB" in text
    assert "so far" in text


def test_the_held_slot_stays_held_and_is_named_to_the_office(
    client: Client,
    at: Any,
    switches: Switches,
    student: Student,
    course: Course,
    teacher: Teacher,
) -> None:
    now = datetime.now(UTC)
    hold = hold_slot(student=student, course=course, teacher=teacher, starts_at=SLOT, now=now)
    switches.kill()
    answers = answers_on_the_way(teacher)
    client.post(at("scheduling:details"), answers)
    client.post(at("enrollment:enroll"), answers)
    enrollment = Enrollment.objects.get()
    hold.refresh_from_db()
    assert hold.status == Lesson.Status.HELD
    assert hold.enrollment == enrollment
    assert hold.expires_at is not None
    assert abs(hold.expires_at - now - timedelta(minutes=10)) < timedelta(seconds=5)
    assert "Tuesday 8 January 2030, 10:00–10:45 (Europe/Berlin)" in enrollment.office_note
    assert "Marta Rossi" in enrollment.office_note


def test_strangers_are_turned_away_like_everybody(
    client: Client, course: Course, switches: Switches, teacher: Teacher
) -> None:
    switches.kill()
    url = reverse("calendar:choose", args=[course.slug])
    assert client.get(url).status_code == 303
    told = client.post(url, {"note": "x"}, follow=True)
    assert "was not saved" in told.content.decode()
    client.force_login(teacher.user)
    assert client.post(url, {"note": "x"}, follow=True).status_code == 403
    assert not EnrollmentDraft.objects.exists()
    gone = client.get(reverse("calendar:choose", args=["no-such-course"]))
    assert client.get(gone["Location"]).status_code == 404


def test_csrf_is_asked_before_the_door_keeps_anything(
    student: Student, course: Course, switches: Switches
) -> None:
    switches.kill()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(student.user)
    response = strict.post(reverse("scheduling:details", args=[course.slug]), {"note": "forged"})
    assert response.status_code == 403
    assert not EnrollmentDraft.objects.exists()


def test_pages_without_a_course_go_home_with_a_word(
    client: Client, teacher: Teacher, switches: Switches
) -> None:
    client.force_login(teacher.user)
    switches.kill()
    response = client.get(reverse("scheduling:hours"), follow=True)
    assert response.redirect_chain[0][1] == 303
    assert [str(message) for message in messages.get_messages(response.wsgi_request)] or (
        "switched off" in response.content.decode()
    )


def test_a_program_gets_503_problem_json(
    client: Client, teacher: Teacher, course: Course, student: Student, switches: Switches
) -> None:
    client.force_login(student.user)
    url = reverse("availability-api:slots", args=[teacher.pk])
    assert client.get(url, {"course": course.slug}).status_code == 200
    switches.kill("ENABLE_AVAILABILITY_API")
    off = client.get(url, {"course": course.slug})
    assert off.status_code == 503
    assert off["Content-Type"] == "application/problem+json"
    assert int(off["Retry-After"]) > 0
    assert off.json()["status"] == 503


def test_admin_pages_of_a_feature_go_to_its_fallback_and_vanish_from_the_index(
    client: Client, admin: User, switches: Switches
) -> None:
    client.force_login(admin)
    inside = reverse("admin:scheduling_availabilityrule_changelist")
    index = reverse("admin:index")
    assert client.get(inside).status_code == 200
    assert inside in client.get(index).content.decode()
    switches.kill()
    for url in (
        inside,
        reverse("admin:scheduling_availabilityrule_add"),
        reverse("admin:app_list", args=["scheduling"]),
        reverse("admin:autocomplete") + "?app_label=scheduling&model_name=x&field_name=y",
    ):
        assert client.get(url).status_code == 303, url
    assert inside not in client.get(index).content.decode()


def test_what_is_off_is_not_in_the_navigation(
    client: Client, student: Student, switches: Switches
) -> None:
    client.force_login(student.user)
    url = reverse("calendar:month")
    home = reverse("enrollment:my_courses")
    assert url in client.get(home).content.decode()
    switches.kill("ENABLE_CALENDAR_DISPLAY")
    assert url not in client.get(home).content.decode()


def test_the_course_page_leads_into_the_flow_that_is_on(
    client: Client, at: Any, switches: Switches
) -> None:
    page = at("enrollment:course")
    assert at("scheduling:resume") in client.get(page).content.decode()
    switches.kill()
    text = client.get(page).content.decode()
    assert at("enrollment:enroll") in text
    assert at("scheduling:resume") not in text


def test_who_was_turned_away_is_counted_by_door(
    client: Client, at: Any, teacher: Teacher, switches: Switches
) -> None:
    switches.kill()
    for _time in range(3):
        client.get(at("calendar:choose"))
    client.get(reverse("availability-api:slots", args=[teacher.pk]))
    counting.write()
    counting.write()  # written once, not twice
    counted = dict(DoorCount.objects.values_list("door", "turned_away"))
    assert counted == {"page": 3, "api": 1}


def test_a_visitor_keeps_their_answer_by_a_signed_cookie(client: Client, db: Any) -> None:
    first = client.get(reverse("enrollment:catalog"))
    cookie = first.cookies["visitor"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    second = client.get(reverse("enrollment:catalog"))
    assert "visitor" not in second.cookies
    client.cookies["visitor"] = cookie.value + "forged"
    third = client.get(reverse("enrollment:catalog"))
    assert third.cookies["visitor"].value != cookie.value


def test_a_count_that_cannot_be_written_waits_and_hurts_nobody(
    client: Client, db: Any, switches: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    switches.kill()
    client.get(reverse("calendar:month"))
    with monkeypatch.context() as broken:
        broken.setattr(connection, "cursor", Mock(side_effect=InterfaceError("gone")))
        counting.write()
    counting.write()
    assert DoorCount.objects.get().turned_away == 1


def test_a_press_while_another_press_enrolls_is_not_an_error(
    client: Client,
    at: Any,
    switches: Switches,
    student: Student,
    course: Course,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first press commits between the door's look and its save."""
    switches.kill()
    real = drafts.save

    def save(**kwargs: Any) -> Any:
        Enrollment.objects.get_or_create(student=student, course=course)
        return real(**kwargs)

    monkeypatch.setattr(drafts, "save", save)
    response = client.post(at("scheduling:confirm"), {"note": "x"})
    assert response.status_code == 303
    assert client.get(response["Location"]).status_code == 302


def test_the_sentence_is_shown_only_while_it_is_true(
    client: Client, at: Any, switches: Switches, teacher: Teacher
) -> None:
    switches.kill()
    client.post(at("scheduling:details"), answers_on_the_way(teacher))
    assert S1 in client.get(at("enrollment:enroll")).content.decode()
    Switches()
    assert S1 not in client.get(at("enrollment:enroll")).content.decode()


def test_what_could_not_be_kept_is_said(
    client: Client, teacher: Teacher, switches: Switches
) -> None:
    client.force_login(teacher.user)
    switches.kill()
    page = client.post(reverse("scheduling:hours"), {"weekday": "1"}, follow=True)
    assert "was not saved" in page.content.decode()


def test_an_anonymous_visitor_with_an_old_session_keeps_one_answer(
    client: Client, course: Course, switches: Switches
) -> None:
    switches.share(50)
    client.cookies["sessionid"] = "left-over"
    url = reverse("enrollment:course", args=[course.slug])
    answers = {client.get(url).content.decode().count("/schedule/") for _time in range(12)}
    assert len(answers) == 1


@pytest.mark.parametrize("query", ["s=weekly", "s=holiday&extended=1", "s=weekly&page=99&x", "s="])
def test_the_search_of_the_admin_finds_nothing_that_is_off(
    client: Client, admin: User, switches: Switches, query: str
) -> None:
    client.force_login(admin)
    url = f"{reverse('admin:search')}?{query}"
    if query != "s=":
        assert "/admin/" in client.get(url).content.decode()
    switches.kill()
    assert "/admin/" not in client.get(url).content.decode()
    assert client.get(url + "&page=abc").status_code == 200
