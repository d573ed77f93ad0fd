"""The letters in the admin: who sees which words, how they are changed, tried, and brought back."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core import mail
from django.test import Client
from django.utils import timezone

from config.roles import give_permissions
from enrollment.models import Course, Student, User
from rollback.domain.letters import LETTERS
from rollback.models import AffectedPerson, EnrollmentDraft, Incident, MessageTemplate
from rollback.words import words_of
from tests.conftest import make_student, make_user
from tests.rollback import console_rows as rows
from tests.rollback.test_proof_pages import words_of as plain

LIST = "/admin/rollback/messagetemplate/"
LETTER = f"{LIST}enrollment/de/"
PREVIEW = f"{LETTER}preview/"
GOOD = {
    "subject": "Gesichert",
    "text": "{{ saved }}\n\nWeiter:\n{{ link }}",
    "html": "",
    "seen": "0",
}
EVIL = "<script>alert(1)</script>"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("flag_rows")]


@pytest.fixture
def office(client: Client) -> Client:
    give_permissions()
    client.force_login(
        make_user("office@school.example", "staff", is_staff=True, first_name="Olga")
    )
    return client


def text_of(response: Any) -> str:
    return plain(response.content.decode())


def test_the_list_says_what_is_the_houses_and_what_is_edited(office: Client) -> None:
    office.post(LETTER, GOOD)
    page = office.get(LIST)
    text = text_of(page)
    assert "To students and teachers" in text
    assert "version 1" in text
    assert text.count("the house's own") == len(LETTERS) * 3 - 1
    assert 'href="/admin/rollback/messagetemplate/resolved/es/"' in page.content.decode()


def test_the_list_asks_the_same_however_many_versions_there_are(
    office: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(1, 9):
        office.post(LETTER, {**GOOD, "subject": str(number), "seen": str(number - 1)})
    with django_assert_max_num_queries(12):
        office.get(LIST)


def test_a_letter_is_saved_and_says_who_did_it(office: Client) -> None:
    said = office.post(LETTER, GOOD, follow=True)
    assert "Saved as version 1." in text_of(said)
    assert "office@school.example" in text_of(said)
    assert words_of("enrollment", "de").text == GOOD["text"]
    again = office.post(LETTER, {**GOOD, "seen": "1"}, follow=True)
    assert "Nothing to change" in text_of(again)
    assert MessageTemplate.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "typed", "says"),
    [
        ("subject", "{{ savd }}", "Is “saved” meant?"),
        ("text", "{{ saved.x }} {{ link }}", "one name without dots"),
        ("text", "", "Write a text."),
        ("text", "{{ saved }} {{ link }} \x00", "Null characters are not allowed."),
        ("html", EVIL, "“&lt;script&gt;” cannot be used in a mail"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(
    office: Client, field: str, typed: str, says: str
) -> None:
    others = {"subject": "My own", "text": "Mine {{ saved }} {{ link }}", "html": ""}
    page = office.post(LETTER, {**GOOD, **others, field: typed})
    html = page.content.decode()
    assert page.status_code == 422
    assert says in html
    assert f'id="id_{field}_error"' in html
    for name in {"subject", "text"} - {field}:
        assert others[name] in html
    assert EVIL not in html
    assert not MessageTemplate.objects.exists()


def test_whoever_saves_second_reads_both_and_loses_nothing(office: Client) -> None:
    office.post(LETTER, {**GOOD, "subject": "Theirs"})
    page = office.post(LETTER, {**GOOD, "subject": "Mine"})
    assert page.status_code == 409
    text = text_of(page)
    assert "Nothing was saved: office@school.example has saved version 1 meanwhile" in text
    assert "Theirs" in text
    assert 'value="Mine"' in page.content.decode()
    assert 'name="seen" value="1"' in page.content.decode()
    office.post(LETTER, {**GOOD, "subject": "Mine", "seen": "1"})
    assert words_of("enrollment", "de").subject == "Mine"


def test_versions_are_used_again_and_given_back_to_the_house(office: Client) -> None:
    office.post(LETTER, {**GOOD, "subject": "First"})
    office.post(LETTER, {**GOOD, "subject": "Second", "seen": "1"})
    office.post(LETTER, {"seen": "2", "_again": "1"})
    assert words_of("enrollment", "de").subject == "First"
    assert words_of("enrollment", "de").version == 3
    stale = office.post(LETTER, {"seen": "2", "_house": ""}, follow=True)
    assert "Nothing was done: version 3 was saved meanwhile." in text_of(stale)
    assert 'value="First"' in stale.content.decode()
    office.post(LETTER, {"seen": "3", "_house": ""})
    assert words_of("enrollment", "de").version == 0
    assert MessageTemplate.objects.count() == 4
    wrong = office.post(LETTER, {"seen": "4", "_again": "99"}, follow=True)
    assert "There is no version 99" in text_of(wrong)


def test_the_preview_is_drawn_in_its_frame_and_can_do_nothing_else(office: Client) -> None:
    page = office.get(PREVIEW)
    assert page["X-Frame-Options"] == "SAMEORIGIN"
    policy = page["Content-Security-Policy"]
    for part in (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "sandbox",
        "form-action 'none'",
    ):
        assert part in policy
    assert (
        "unsafe-inline"
        not in office.get(LIST)["Content-Security-Policy"].split("style-src-attr")[0]
    )
    typed = office.post(
        PREVIEW, {**GOOD, "subject": "Typed <b>", "text": "{{ saved }} <i> {{ link }}"}
    )
    html = typed.content.decode()
    assert "Typed &lt;b&gt;" in html
    assert "&lt;i&gt;" in html
    assert 'lang="de"' in html
    as_text = office.post(PREVIEW, {**GOOD, "show": "text"})
    assert "<pre" in as_text.content.decode()
    wrong = office.post(PREVIEW, {**GOOD, "text": "{{ x }}"})
    assert "It cannot be sent so" in text_of(wrong)
    assert not MessageTemplate.objects.exists()


@pytest.fixture
def incident(course: Course, student: Student) -> Incident:
    found = rows.open_incident()
    now = timezone.now()
    User.objects.filter(pk=student.user.pk).update(first_name="Zoe")
    EnrollmentDraft.objects.create(student=student, course=course, saved_at=now, started_at=now)
    AffectedPerson.objects.create(incident=found, user=student.user, reasons=["draft"])
    return found


def test_it_is_shown_with_an_incidents_facts_and_as_somebody_would_read_it(
    office: Client, incident: Incident, student: Student, course: Course
) -> None:
    as_one = {**GOOD, "text": "{{ name }}: {{ saved }} {{ link }}", "incident": str(incident.pk)}
    only = office.post(PREVIEW, as_one)
    assert "Samples stand for: name, saved" in text_of(only)
    theirs = office.post(PREVIEW, {**as_one, "person": student.user.email.upper()})
    assert "Zoe Vogel:" in text_of(theirs)
    assert str(course.title) in text_of(theirs)
    assert f"/drafts/{course.slug}/continue/" in theirs.content.decode()
    stranger = make_student("other@school.example")
    for person, says in ((stranger.user.email, "concerns nobody"), ("x", "concerns nobody")):
        assert says in text_of(office.post(PREVIEW, {**as_one, "person": person}))
    nowhere = office.post(PREVIEW, {**as_one, "incident": "", "person": "x"})
    assert "Choose the incident" in text_of(nowhere)


def test_nobody_reads_a_persons_letter_who_may_not_see_whom_it_concerns(
    client: Client, incident: Incident, student: Student
) -> None:
    reader = make_user("reader@school.example", is_staff=True)
    wanted = ("view_messagetemplate", "view_incident")
    reader.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    client.force_login(User.objects.get(pk=reader.pk))
    page = client.get(LETTER).content.decode()
    assert 'name="incident"' in page
    assert 'name="person"' not in page
    assert 'name="_save"' not in page
    asked = {**GOOD, "incident": str(incident.pk), "person": student.user.email}
    asked |= {"text": "{{ name }} {{ saved }} {{ link }}"}
    assert "Zoe" not in text_of(client.post(PREVIEW, asked))
    assert client.post(LETTER, GOOD).status_code == 403


def test_a_test_goes_to_whoever_presses_the_button_and_is_marked(office: Client) -> None:
    page = office.post(LETTER, {**GOOD, "subject": "Unsaved", "_test": ""})
    [sent] = mail.outbox
    assert sent.to == ["office@school.example"]
    assert sent.subject == "Test: Unsaved"
    assert "A test went to office@school.example. Nothing is saved yet." in text_of(page)
    assert 'value="Unsaved"' in page.content.decode()
    assert not MessageTemplate.objects.exists()


def test_a_test_that_does_not_go_out_says_so_and_loses_nothing(
    office: Client, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    page = office.post(LETTER, {**GOOD, "subject": "Unsaved", "_test": ""})
    assert "The test did not go out" in text_of(page)
    assert 'value="Unsaved"' in page.content.decode()


def test_there_are_only_letters_that_are_known(office: Client) -> None:
    assert office.get(f"{LIST}nothing/de/").status_code == 404
    assert office.get(f"{LIST}enrollment/tlh/").status_code == 404
    for key in ("resolved", "briefing", "moved"):
        assert office.get(f"{LIST}{key}/en/").status_code == 200
        assert office.get(f"{LIST}{key}/en/preview/").status_code == 200
    assert not re.search(r'name="html"', office.get(f"{LIST}resolved/en/").content.decode())
