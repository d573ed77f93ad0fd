"""Two pages of one student, as browsers post them: the choice is shown, nothing is overwritten."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from enrollment.models import Course, Enrollment, Student, Teacher
from enrollment.operations.lessons import hold_slot
from rollback import drafts
from rollback.models import EnrollmentDraft
from tests.conftest import Switches, make_student, make_teacher

pytestmark = pytest.mark.django_db
ENROLL = "/courses/violin/enroll/"
SAVE = "/drafts/violin/"


@pytest.fixture
def as_student(client: Client, student: Student, course: Course, switches: Switches) -> Client:
    """In the original flow, which has all of it and needs nothing else."""
    switches.kill()
    client.force_login(student.user)
    return client


def stamps_on(page: Any) -> dict[str, str]:
    """The hidden fields of the form, as a browser posts them."""
    return dict(re.findall(r'name="(seen:\w+|save_\w+)"\s+value="([^"]*)"', page.content.decode()))


def choices_on(page: Any, name: str) -> list[str]:
    return re.findall(rf'name="choice:{name}"\s+value="([^"]*)"', page.content.decode())


def draft() -> EnrollmentDraft:
    return EnrollmentDraft.objects.get()


def conflict(client: Client, **typed: str) -> tuple[dict[str, str], Any]:
    """Two tabs, loaded at once; the other saves first. :returns: this one's stamps, and its answer."""
    stamps = stamps_on(client.get(ENROLL))
    client.post(SAVE, {"note": "typed there", **stamps, "save_page": "there"})
    return stamps, client.post(
        SAVE, {**(typed or {"note": "typed here"}), **stamps, "save_page": "here"}
    )


# ------------------------------------------------------------------ by the script


def test_a_stale_save_is_answered_with_both_texts(as_student: Client) -> None:
    _stamps, late = conflict(as_student)
    assert late.status_code == 409
    body = late.json()
    assert body["not_taken"] == ["note"]
    [told] = body["conflicts"]
    assert (told["label"], told["here"], told["there"]) == (
        "Anything we should know",
        "typed here",
        "typed there",
    )
    assert re.fullmatch(r"\d\d:\d\d", told["there_at"])
    assert "Take what was saved elsewhere" in body["html"]
    assert draft().answers["note"] == "typed there"
    assert [one["value"] for one in draft().set_aside] == ["typed here"]


def test_the_other_fields_of_a_stale_save_are_saved(as_student: Client) -> None:
    _stamps, late = conflict(as_student, note="typed here", wished_times="Fridays")
    assert late.status_code == 409
    assert draft().answers == {"note": "typed there", "wished_times": "Fridays"}
    assert late.json()["version"] == draft().version


@pytest.mark.parametrize(
    ("option", "kept"), [(0, "typed here"), (1, "typed there"), (2, "typed here\ntyped there")]
)
def test_the_choice_is_saved_and_given_back(as_student: Client, option: int, kept: str) -> None:
    stamps, late = conflict(as_student)
    choice = re.findall(r'value="((?:keep|take|both)[^"]*)"', late.json()["html"])[option]
    done = as_student.post(
        SAVE, {"note": "typed here", **stamps, "save_page": "here", "choice:note": choice}
    )
    assert done.status_code == 200
    assert done.json()["decided"] == {"note": kept}
    assert done.json()["html"] == ""
    assert draft().answers["note"] == kept
    assert not any(one["open"] for one in draft().set_aside)


def test_what_only_another_page_changed_is_told_as_not_taken(as_student: Client) -> None:
    _stamps, late = conflict(as_student, note="", wished_times="Fridays")
    assert late.status_code == 200
    assert late.json()["not_taken"] == ["note"]
    assert draft().answers["note"] == "typed there"


def test_what_a_browser_had_kept_arrives_once(as_student: Client) -> None:
    page = {"save_page": "kept", "save_count": "3", "seen:note": "0 "}
    sent = {"note": "in a tunnel", "kept": "1", **page}
    assert as_student.post(SAVE, sent).json()["version"] == 1
    again = as_student.post(SAVE, sent)
    assert (again.json()["overtaken"], again.json()["not_taken"]) == (True, [])
    as_student.post(SAVE, {"note": "changed since"})
    again = as_student.post(SAVE, sent)
    assert (again.json()["overtaken"], again.json()["not_taken"]) == (True, ["note"])
    assert draft().answers == {"note": "changed since"}


def test_what_a_browser_had_kept_for_a_newer_page_is_the_other_text_there(
    as_student: Client,
) -> None:
    as_student.post(SAVE, {"note": "typed there", "save_page": "there"})
    sent = {"note": "in a tunnel", "kept": "1", "save_page": "kept", "seen:note": "0 "}
    [told] = as_student.post(SAVE, sent).json()["conflicts"]
    assert (told["here"], told["there"], told["saved"]) == ("typed there", "in a tunnel", False)


def test_what_a_browser_had_kept_until_after_the_enrollment_is_no_error(
    as_student: Client, student: Student, course: Course
) -> None:
    Enrollment.objects.create(student=student, course=course)
    late = as_student.post(SAVE, {"note": "late", "kept": "1"})
    assert late.status_code == 200
    assert "enrolled" in late.json()["error"]
    assert not EnrollmentDraft.objects.exists()


def test_another_students_draft_is_no_conflict(as_student: Client, course: Course) -> None:
    stamps, _late = conflict(as_student)
    other = Client()
    other.force_login(make_student("noor@school.example").user)
    assert other.post(SAVE, {"note": "mine", **stamps}).status_code == 200
    assert "typed" not in other.get(ENROLL).content.decode()


def test_it_stays_a_matter_of_a_few_queries(
    as_student: Client, django_assert_max_num_queries: Any
) -> None:
    stamps, _late = conflict(as_student)
    with django_assert_max_num_queries(13):
        as_student.post(SAVE, {"note": "again", **stamps, "save_page": "here"})


# ------------------------------------------------------------------ without a script


def test_enrolling_from_a_stale_page_brings_the_choice(as_student: Client) -> None:
    stamps = stamps_on(as_student.get(ENROLL))
    as_student.post(SAVE, {"note": "typed there", **stamps, "save_page": "there"})
    page = as_student.post(ENROLL, {"teacher": "", "note": "typed here", **stamps})
    assert page.status_code == 409
    assert not Enrollment.objects.exists()
    html = page.content.decode()
    assert "another page or device" in html
    assert 'id="here-note" data-here>typed here</div>' in html
    assert 'id="there-note">typed there</div>' in html
    assert page.context["form"]["note"].value() == "typed here"

    # Pressed again without a choice: asked again, and nothing is done.
    again = as_student.post(ENROLL, {"note": "typed here", **stamps_on(page)})
    assert (again.status_code, Enrollment.objects.count()) == (409, 0)
    both = choices_on(again, "note")[2]
    fields = {"teacher": "", "wished_times": "", "note": "typed here", "choice:note": both}
    done = as_student.post(ENROLL, {**fields, **stamps_on(again)})
    assert done.status_code == 302
    assert Enrollment.objects.get().note == "typed here\ntyped there"


def test_enrolling_shows_first_what_only_another_page_has_changed(as_student: Client) -> None:
    """The page showed an old text, but nobody typed it here: there is nothing to choose."""
    stamps = stamps_on(as_student.get(ENROLL))
    as_student.post(SAVE, {"note": "typed there", **stamps, "save_page": "there"})
    page = as_student.post(ENROLL, {"note": "", "wished_times": "Fridays", **stamps})
    assert page.status_code == 409
    assert (page.context["form"]["note"].value(), page.context["beginning"].doubts) == (
        "typed there",
        (),
    )
    posted = {"note": "typed there", "wished_times": "Fridays", **stamps_on(page)}
    assert as_student.post(ENROLL, posted).status_code == 302
    made = Enrollment.objects.get()
    assert (made.note, made.wished_times) == ("typed there", "Fridays")


def test_a_closed_losing_tab_is_asked_about_on_the_next_page(as_student: Client) -> None:
    conflict(as_student)
    page = as_student.get(ENROLL)
    html = page.content.decode()
    assert page.context["form"]["note"].value() == "typed there"
    assert "Take what was typed elsewhere" in html
    assert 'id="there-note">typed here</div>' in html
    take = choices_on(page, "note")[1]
    fields = {"note": "typed there", "choice:note": take, **stamps_on(page)}
    assert as_student.post(ENROLL, fields).status_code == 302
    assert Enrollment.objects.get().note == "typed here"


def test_texts_with_markup_are_shown_as_text(as_student: Client) -> None:
    _stamps, late = conflict(as_student, note="<script>alert(1)</script>")
    assert "<script>" not in late.json()["html"]
    assert "&lt;script&gt;" in late.json()["html"]


def test_an_unreadable_draft_does_not_keep_anybody_from_enrolling(
    as_student: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_kwargs: Any) -> None:
        raise RuntimeError

    for name in ("open_draft", "settle", "save", "is_stale"):
        monkeypatch.setattr(drafts, name, broken)
    posted = {"note": "n", "seen:note": "0 ", "choice:note": "keep.saved.0.x"}
    assert as_student.post(ENROLL, posted).status_code == 302
    assert Enrollment.objects.get().note == "n"


# ------------------------------------------------------------------ the door


def test_the_door_keeps_both_and_the_original_form_asks(
    client: Client, student: Student, course: Course, switches: Switches, teacher: Teacher
) -> None:
    client.force_login(student.user)
    begun = {"teacher": str(teacher.pk), "slot": "2030-01-08T09:00:00Z", "note": "first"}
    drafts.save(student=student, course=course, answers=begun, now=timezone.now())
    stamps = drafts.stamps(draft(), shown=begun)
    there = {**begun, "slot": "2030-01-09T09:00:00Z", "note": "typed there"}
    drafts.save(student=student, course=course, answers=there, now=timezone.now())
    switches.kill()
    url = reverse("scheduling:details", args=[course.slug])
    here = {**begun, "slot": "2030-01-10T09:00:00Z", "note": "typed here", **stamps}
    page = client.post(url, here, follow=True)
    assert page.status_code == 200
    html = page.content.decode()
    assert "Technical update in progress." in html
    assert page.context["form"]["note"].value() == "typed there"
    assert "typed here" in html
    assert "Thursday 10 January 2030, 10:00–10:45 (Europe/Berlin) with Marta Rossi" in html
    add, take = choices_on(page, "wished_times")[1], choices_on(page, "note")[1]
    fields = {
        "teacher": str(teacher.pk),
        "wished_times": page.context["form"]["wished_times"].value(),
        "note": "typed there",
        "choice:wished_times": add,
        "choice:note": take,
    }
    assert client.post(ENROLL, {**fields, **stamps_on(page)}).status_code == 302
    made = Enrollment.objects.get()
    assert made.note == "typed here"
    assert [line.split(" with")[0] for line in made.wished_times.splitlines()] == [
        "Wednesday 9 January 2030, 10:00–10:45 (Europe/Berlin)",
        "Thursday 10 January 2030, 10:00–10:45 (Europe/Berlin)",
    ]


# ------------------------------------------------------------------ resumed in the original form


def test_a_teacher_who_has_left_is_said_in_words(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    answers = {"teacher": str(teacher.pk), "note": "n"}
    drafts.save(student=student, course=course, answers=answers, now=timezone.now())
    course.teachers.set([make_teacher("other@school.example")])
    html = as_student.get(ENROLL).content.decode()
    assert "does not teach this course any more" in html


@pytest.mark.parametrize("slot", ["2020-01-07T09:00:00Z", "2030-01-08T09:00:00Z"])
def test_a_slot_that_is_gone_is_said_in_words(
    as_student: Client, student: Student, course: Course, teacher: Teacher, slot: str
) -> None:
    answers = {"teacher": str(teacher.pk), "slot": slot, "note": "n"}
    drafts.save(student=student, course=course, answers=answers, now=timezone.now())
    rival = make_student("rival@school.example")
    taken = datetime(2030, 1, 8, 9, tzinfo=UTC)
    hold_slot(student=rival, course=course, teacher=teacher, starts_at=taken, now=timezone.now())
    html = as_student.get(ENROLL).content.decode()
    assert "with Marta Rossi is gone" in html


def test_a_text_that_is_too_long_is_said_at_once(
    as_student: Client, student: Student, course: Course
) -> None:
    drafts.save(student=student, course=course, answers={"note": "x" * 4001}, now=timezone.now())
    page = as_student.get(ENROLL)
    assert page.status_code == 200
    assert "at most 4000 characters" in page.content.decode()
