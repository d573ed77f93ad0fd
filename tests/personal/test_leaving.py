"""A student deletes the account: what goes, what stays, and who is first when two things happen at once."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.core.mail import EmailMessage
from django.test import Client

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.enroll import enroll
from enrollment.operations.erase import erase_person
from enrollment.operations.lessons import PersonDeleted
from enrollment.operations.mailing import MAX_TRIES
from rollback import drafts
from rollback.models import EnrollmentDraft
from tests.enrollment.crowd import at_once
from tests.personal.full_person import Learning

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("flag_rows")]

DELETE = "/my/data/delete/"
ANSWERS = {"password": "correct horse", "sure": "on"}
# Nothing of Ada may be found anywhere when she is gone.
TRACES = re.compile(r"\b(ada|vogel|therapy|shy|half a sentence|sister)\b", re.IGNORECASE)


def leave(user: User, now: datetime) -> None:
    erase_person(user=user, by=user, now=now)


def test_the_page_says_what_happens(as_student: Client) -> None:
    text = as_student.get(DELETE).content.decode()
    assert "payment references themselves stay" in text
    assert "Nobody can bring it back" in text


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ({"password": "wrong horse", "sure": "on"}, "id_password_error"),
        ({"password": "", "sure": "on"}, "id_password_error"),
        ({"password": "correct horse\x00", "sure": "on"}, "id_password_error"),
        ({"password": "correct horse"}, "id_sure_error"),
    ],
)
def test_a_wrong_answer_is_told_at_its_field_and_deletes_nothing(
    as_student: Client, student: Student, answers: dict[str, str], field: str
) -> None:
    page = as_student.post(DELETE, answers)
    assert page.status_code == 422
    assert field in page.content.decode()
    student.user.refresh_from_db()
    assert student.user.deleted_at is None


def test_guessing_the_password_is_limited(as_student: Client) -> None:
    tries = [as_student.post(DELETE, {"password": "guess", "sure": "on"}) for _try in range(11)]
    assert tries[0].status_code == 422
    assert tries[-1].status_code == 429


@pytest.mark.django_db(transaction=True)
def test_a_student_leaves_and_the_books_stay(
    as_student: Client,
    student: Student,
    learning: Learning,
    mailoutbox: list[EmailMessage],
) -> None:
    other_device = Client()
    other_device.force_login(student.user)
    done = as_student.post(DELETE, ANSWERS, follow=True)
    assert done.redirect_chain == [("/", 303)]
    assert "Your account is deleted" in done.content.decode()
    (mail,) = mailoutbox
    assert mail.to == ["ada@school.example"]
    assert "payment references stay" in str(mail.body)

    user = User.objects.get(pk=student.user.pk)
    assert str(user) == "Deleted person"
    assert user.email == f"deleted-{user.pk}@deleted.invalid"
    assert not user.is_active
    assert not user.has_usable_password()
    assert not user.groups.exists()
    assert not EmailAddress.objects.filter(user=user).exists()
    for browser in (as_student, other_device):
        assert browser.get("/my/data/").status_code == 302

    enrollment = Enrollment.objects.get(pk=learning.enrollment.pk)
    assert (enrollment.status, enrollment.payment_reference) == ("cancelled", "PAY-2026-17")
    statuses = dict(Lesson.objects.values_list("pk", "status"))
    assert statuses == {learning.past.pk: "done", learning.coming.pk: "cancelled"}
    assert not EnrollmentDraft.objects.exists()


def test_no_trace_is_left_in_any_table(student: Student, learning: Learning, now: datetime) -> None:
    """Every row of every table, as text: whatever somebody adds later is searched too."""
    leave(student.user, now)
    for model in apps.get_models(include_auto_created=True):
        if model._meta.app_label == "waffle":  # has no tables here
            continue
        for row in model._base_manager.values():
            found = TRACES.findall(str(row))
            assert found == [], f"{model._meta.label}: {row}"


def test_leaving_twice_changes_nothing_more(
    student: Student, learning: Learning, now: datetime
) -> None:
    leave(student.user, now)
    first = User.objects.values().get(pk=student.user.pk)
    leave(student.user, now + timedelta(days=1))
    assert User.objects.values().get(pk=student.user.pk) == first


def test_a_failure_half_way_leaves_everything(
    as_student: Client, student: Student, learning: Learning, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(User, "set_unusable_password", fail)
    with pytest.raises(RuntimeError):
        as_student.post(DELETE, ANSWERS)
    learning.enrollment.refresh_from_db()
    assert learning.enrollment.status == "confirmed"
    assert EnrollmentDraft.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_that_is_away_changes_nothing_of_it(
    as_student: Client, student: Student, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert as_student.post(DELETE, ANSWERS).status_code == 303
    student.user.refresh_from_db()
    assert student.user.deleted_at is not None
    # Told in the log, by number only.
    assert "person.erased_untold" in caplog.text
    assert "ada@" not in caplog.text


def test_the_address_may_come_back_as_somebody_new(
    student: Student, learning: Learning, client: Client, now: datetime
) -> None:
    leave(student.user, now)
    answers = {
        "first_name": "Ada",
        "last_name": "Vogel",
        "email": "ada@school.example",
        "password1": "a long walk by the river",
        "password2": "a long walk by the river",
        "zone": "UTC",
    }
    assert client.post("/accounts/signup/", answers)["Location"] == "/home/"
    again = User.objects.get(email="ada@school.example")
    assert again.pk != student.user.pk
    assert not again.student.enrollments.exists()


def test_nobody_takes_the_address_of_somebody_deleted(client: Client, student: Student) -> None:
    """It would keep that person from being deleted."""
    squat = f"Deleted-{student.user.pk}@DELETED.invalid"
    answers = {"email": squat, "password1": "x" * 20, "password2": "x" * 20, "zone": "UTC"}
    page = client.post("/accounts/signup/", {**answers, "first_name": "A", "last_name": "B"})
    assert 'id="id_email_error"' in page.content.decode()
    assert not User.objects.filter(email__iendswith="deleted.invalid").exists()


def test_an_old_reset_link_leads_nowhere(
    client: Client, student: Student, mailoutbox: list[EmailMessage], now: datetime
) -> None:
    client.post("/accounts/password/reset/", {"email": "ada@school.example"})
    found = re.search(r"https?://[^/\s]+(\S+)", str(mailoutbox[0].body))
    assert found
    leave(student.user, now)
    text = client.get(found[1], follow=True).content.decode()
    assert "This link no longer works" in text


def test_nothing_new_is_written_about_who_is_gone(
    student: Student, course: Course, learning: Learning, now: datetime
) -> None:
    """A request that was on its way, or another tab's autosave."""
    leave(student.user, now)
    with pytest.raises(PersonDeleted):
        drafts.save(student=student, course=course, answers={"note": "x"}, now=now)
    with pytest.raises(PersonDeleted):
        enroll(
            student=student,
            course=course,
            teacher=None,
            wished_times="",
            note="",
            flow="original",
            now=now,
        )


@pytest.mark.django_db(transaction=True)
def test_enrolling_and_leaving_at_the_same_moment(
    student: Student, teacher: Teacher, course: Course, now: datetime
) -> None:
    """Whoever is first: no live enrollment of somebody deleted."""

    def enroll_now() -> Enrollment:
        return enroll(
            student=student,
            course=course,
            teacher=teacher,
            wished_times="",
            note="",
            flow="original",
            now=now,
        )

    for _round in range(5):
        answers = at_once(enroll_now, lambda: leave(student.user, now))
        assert answers[1] is None
        assert not Enrollment.objects.filter(status__in=("requested", "confirmed")).exists()
        assert not isinstance(answers[0], Exception) or isinstance(answers[0], PersonDeleted)
        User.objects.filter(pk=student.user.pk).update(
            deleted_at=None, email="ada@school.example", is_active=True
        )


def test_who_waits_for_a_confirmation_gets_none(
    student: Student, learning: Learning, now: datetime
) -> None:
    leave(student.user, now)
    due = Enrollment.objects.filter(confirmation_sent_at__isnull=True)
    assert due.values_list("confirmation_tries", "confirmation_next_at").get() == (
        MAX_TRIES,
        None,
    )
