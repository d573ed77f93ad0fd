"""The language of a person: how they choose it, and that all mails are written in it, on their clock."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations import confirmations, notices
from enrollment.operations.erase import erase_person
from enrollment.operations.messages import write_message
from enrollment.queries.people import language_of
from rollback import reminders
from rollback.models import EnrollmentDraft

pytestmark = pytest.mark.django_db

CHOOSE = "/i18n/setlang/"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SIGN_UP = {
    "first_name": "Eva",
    "last_name": "Novak",
    "email": "eva@school.example",
    "password1": "a long walk by the river",
    "password2": "a long walk by the river",
    "zone": "Europe/Madrid",
}


def in_language(language: str, words: str) -> str:
    """Fails where the catalog does not have it: the test would show nothing."""
    with translation.override(language):
        found = gettext(words)
    assert language == "en" or found != words
    return found


def speaks(user: User, language: str) -> None:
    User.objects.filter(pk=user.pk).update(language=language)
    user.language = language


def stored(user: User) -> str:
    return User.objects.values_list("language", flat=True).get(pk=user.pk)


@pytest.fixture
def enrollment(student: Student, course: Course, teacher: Teacher) -> Enrollment:
    return Enrollment.objects.create(student=student, course=course, teacher=teacher)


# ---------------------------------------------------------------- choosing


def test_a_visitor_chooses_for_this_browser(client: Client) -> None:
    with CaptureQueriesContext(connection) as asked:
        done = client.post(CHOOSE, {"language": "de", "next": "/"})
    assert (done.status_code, done["Location"]) == (302, "/")
    assert client.cookies["django_language"].value == "de"
    assert len(asked) == 0


def test_who_is_logged_in_chooses_for_their_mails_too(client: Client, student: Student) -> None:
    client.force_login(student.user)
    client.post(CHOOSE, {"language": "es", "next": "/my/data/"})
    assert stored(student.user) == "es"
    assert client.cookies["django_language"].value == "es"
    assert in_language("es", "My data") in client.get("/my/data/").content.decode()


@pytest.mark.parametrize("language", ["", "xx", "fr", "de'--", "d" * 200])
def test_a_language_that_the_school_does_not_have_is_not_chosen(
    client: Client, student: Student, language: str
) -> None:
    speaks(student.user, "de")
    client.force_login(student.user)
    assert client.post(CHOOSE, {"language": language}).status_code == 302
    assert stored(student.user) == "de"


def test_a_link_changes_nothing(client: Client, student: Student) -> None:
    client.force_login(student.user)
    client.get(f"{CHOOSE}?language=de")
    assert stored(student.user) == ""


def test_the_own_page_offers_it(client: Client, student: Student) -> None:
    client.force_login(student.user)
    page = client.get("/my/data/").content.decode()
    assert "You have not chosen one yet:" in page
    speaks(student.user, "es")
    page = " ".join(client.get("/my/data/").content.decode().split())
    assert 'value="es" lang="es" selected' in page
    assert f'action="{reverse("set_language")}"' in page


def test_whoever_signs_up_speaks_the_language_of_that_page(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    client.post(CHOOSE, {"language": "es"})
    client.post("/accounts/signup/", SIGN_UP)
    assert User.objects.get(email="eva@school.example").language == "es"
    (mail,) = mailoutbox
    assert str(mail.body).startswith("Hola")


def test_on_a_new_device_it_is_there_after_login(client: Client, student: Student) -> None:
    speaks(student.user, "de")
    answers = {"login": student.user.email, "password": "correct horse"}
    client.post("/accounts/login/", answers)
    assert client.cookies["django_language"].value == "de"
    page = client.get("/my/data/")
    assert page["Content-Language"] == "de"


def test_who_chose_before_the_login_has_chosen(client: Client, student: Student) -> None:
    """Somebody whom the office entered, and who never chose before."""
    client.post(CHOOSE, {"language": "es"})
    client.post("/accounts/login/", {"login": student.user.email, "password": "correct horse"})
    assert stored(student.user) == "es"


def test_a_language_the_school_has_no_more_is_none(
    client: Client, student: Student, settings: Any
) -> None:
    speaks(student.user, "es")
    settings.LANGUAGES = [("en", "English"), ("de", "German")]
    assert language_of(student.user) == "en"
    client.post("/accounts/login/", {"login": student.user.email, "password": "correct horse"})
    assert "django_language" not in client.cookies


def test_a_page_asks_nothing_more_for_it(client: Client, student: Student) -> None:
    client.force_login(student.user)
    client.get("/my/courses/")
    counts = []
    for language in ("", "de"):
        speaks(student.user, language)
        with CaptureQueriesContext(connection) as asked:
            client.get("/my/courses/")
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_the_office_sets_it(client: Client, admin: User, student: Student) -> None:
    client.force_login(admin)
    page = reverse("admin:enrollment_user_change", args=[student.user.pk])
    form = client.get(page).context["adminform"].form
    answers = {name: form[name].value() or "" for name in form.fields if name not in ("password",)}
    answers |= {"date_joined_0": "2026-01-01", "date_joined_1": "10:00:00"}
    answers |= {"groups": [], "user_permissions": []}
    done = client.post(page, {**answers, "language": "xx"})
    assert "language" in done.context["adminform"].form.errors
    done = client.post(page, {**answers, "language": "de"})
    assert done.status_code == 302, done.context["adminform"].form.errors
    assert stored(student.user) == "de"


def test_the_office_enters_somebody_with_it(client: Client, admin: User) -> None:
    client.force_login(admin)
    answers = {"email": "new@school.example", "language": "es", "usable_password": "false"}
    client.post(reverse("admin:enrollment_user_add"), answers)
    assert User.objects.get(email="new@school.example").language == "es"


# ---------------------------------------------------------------- mails


def confirmed(enrollment: Enrollment) -> None:
    assert enrollment.teacher is not None
    starts = datetime(2026, 3, 9, 15, tzinfo=UTC)
    Lesson.objects.create(
        student=enrollment.student,
        teacher=enrollment.teacher,
        course=enrollment.course,
        enrollment=enrollment,
        period=DateTimeTZRange(starts, starts + timedelta(minutes=45)),
        local_on=starts.date(),
        local_start=time(16),
        zone="Europe/Berlin",
    )
    confirmations.send_next(now=timezone.now())


def noticed(enrollment: Enrollment) -> None:
    teacher = enrollment.teacher
    assert teacher is not None
    write_message(enrollment=enrollment, sender=teacher.user, body="Hello", now=NOW)
    notices.send_next(now=NOW + timedelta(minutes=2))


def reminded(enrollment: Enrollment) -> None:
    Enrollment.objects.all().delete()
    before = NOW - timedelta(days=3)
    EnrollmentDraft.objects.create(
        student=enrollment.student,
        course=enrollment.course,
        answers={"note": "x"},
        saved_at=before,
        started_at=before,
    )
    reminders.send_next(now=NOW)


def deleted(enrollment: Enrollment) -> None:
    office = User.objects.create_superuser("boss@school.example", "correct horse")
    with translation.override("en"):
        erase_person(user=enrollment.student.user, by=office, now=timezone.now())


def reset(enrollment: Enrollment) -> None:
    Client().post("/accounts/password/reset/", {"email": enrollment.student.user.email})


MAILS: dict[str, tuple[Callable[[Enrollment], None], str]] = {
    "confirmation": (confirmed, "Your enrollment in %(course)s"),
    "notice": (noticed, "A new message about %(course)s"),
    "reminder": (reminded, "Your enrollment in %(course)s is not finished yet"),
    "deleted": (deleted, "Your account is deleted"),
    "reset": (reset, ""),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", ["de", "es"])
@pytest.mark.parametrize("kind", MAILS)
def test_every_mail_is_in_the_language_of_who_gets_it(
    enrollment: Enrollment, language: str, kind: str, mailoutbox: list[EmailMessage]
) -> None:
    write, subject = MAILS[kind]
    speaks(enrollment.student.user, language)
    write(enrollment)
    (mail,) = mailoutbox
    assert re.match({"de": "(Hallo|Guten Tag)", "es": "Hola"}[language], str(mail.body))
    assert "Your school office" not in mail.body
    if subject:
        plural = "%(count)d new messages about %(course)s" if kind == "notice" else ""
        with translation.override(language):
            words = translation.ngettext(subject, plural, 1) if plural else gettext(subject)
        assert words != subject
        assert mail.subject == words % {"course": enrollment.course, "count": 1}
    for html, _type in getattr(mail, "alternatives", []):
        assert f'lang="{language}"' in html


def test_the_next_mail_is_in_the_next_readers_language(
    enrollment: Enrollment, teacher: Teacher, mailoutbox: list[EmailMessage]
) -> None:
    """Nothing of one reader's stays with the worker."""
    speaks(enrollment.student.user, "de")
    write_message(enrollment=enrollment, sender=teacher.user, body="Hello", now=NOW)
    write_message(enrollment=enrollment, sender=enrollment.student.user, body="Hi", now=NOW)
    with timezone.override("Asia/Tokyo"):
        for _mail in range(2):
            notices.send_next(now=NOW + timedelta(minutes=2))
        assert translation.get_language() == "en"
        assert timezone.get_current_timezone_name() == "Asia/Tokyo"
    subjects = {mail.to[0]: mail.subject for mail in mailoutbox}
    assert subjects[teacher.user.email] == "A new message about Violin for beginners"
    assert subjects[enrollment.student.user.email] != subjects[teacher.user.email]


def test_a_confirmation_names_times_on_the_readers_clock(
    enrollment: Enrollment, mailoutbox: list[EmailMessage]
) -> None:
    Student.objects.filter(pk=enrollment.student.pk).update(zone="America/New_York")
    speaks(enrollment.student.user, "de")
    confirmed(enrollment)
    body = str(mailoutbox[0].body)
    assert "Montag" in body
    assert "11:00–11:45 (America/New_York)" in body


def test_a_notice_costs_no_more_queries_for_it(enrollment: Enrollment, teacher: Teacher) -> None:
    counts = []
    for language in ("", "de"):
        speaks(enrollment.student.user, language)
        write_message(enrollment=enrollment, sender=teacher.user, body=language, now=NOW)
        with CaptureQueriesContext(connection) as asked:
            notices.send_next(now=NOW + timedelta(minutes=2))
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_nothing_of_it_stays_when_somebody_is_deleted(student: Student, admin: User) -> None:
    speaks(student.user, "es")
    erase_person(user=student.user, by=admin, now=timezone.now())
    assert stored(student.user) == ""
