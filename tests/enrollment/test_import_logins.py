"""Who signed up with somebody else's address before the import is not inside afterwards."""

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from enrollment.models import User
from enrollment.operations.tokens import make_token
from scheduling.operations.feeds import make_feed
from tests.conftest import make_student, make_teacher, make_user
from tests.enrollment.school_files import load, write

pytestmark = pytest.mark.django_db
PASSWORD = "a long walk by the river"
NO_ENROLLMENTS = {
    "enrollments": "student,course\n",
    "lessons": "teacher,student,course,date,time\n",
}


def sign_up(email: str) -> Client:
    client = Client()
    answers = {"first_name": "M", "last_name": "X", "email": email, "zone": "UTC"}
    client.post("/accounts/signup/", answers | {"password1": PASSWORD, "password2": PASSWORD})
    assert "_auth_user_id" in client.session
    return client


def can_log_in(email: str) -> bool:
    return Client().login(email=email, password=PASSWORD)


def confirm(email: str) -> None:
    EmailAddress.objects.filter(email=email).update(verified=True)


@pytest.mark.parametrize("email", ["marta@school.example", "zoe@school.example"])
def test_a_stranger_is_put_out(email: str, tmp_path: Path) -> None:
    stranger = sign_up(email)
    report = load(tmp_path)
    assert sum(counts.logins_closed for counts in report.counts.values()) == 1
    assert not can_log_in(email)
    assert stranger.get("/my/courses/").status_code == 302


def test_no_key_of_a_strangers_opens_anything_afterwards(tmp_path: Path) -> None:
    stranger = sign_up("zoe@school.example")
    user, now = User.objects.get(), timezone.now()
    _row, token = make_token(user=user, name="mine", lifetime=timedelta(days=9), now=now)
    _feed, address = make_feed(user=user, name="mine", language="en", now=now)
    headers = {"Authorization": f"Token {token}"}
    ask = "/api/v1/availability/teachers/"
    assert stranger.get(reverse("calendar:feed", args=[address])).status_code == 200
    assert Client().get(ask, headers=headers).status_code == 200
    load(tmp_path)
    assert Client().get(ask, headers=headers).status_code == 401
    assert stranger.get(reverse("calendar:feed", args=[address])).status_code == 404


def test_an_address_that_waits_is_no_way_back(
    tmp_path: Path, mailoutbox: list[EmailMessage]
) -> None:
    sign_up("zoe@school.example")
    EmailAddress.objects.create(user=User.objects.get(), email="stranger@evil.example")
    load(tmp_path)
    assert not EmailAddress.objects.exists()
    mailoutbox.clear()
    Client().post("/accounts/password/reset/", {"email": "stranger@evil.example"})
    assert "There is no account" in mailoutbox[0].subject


@pytest.mark.parametrize("email", ["marta@school.example", "zoe@school.example"])
def test_who_confirmed_the_address_keeps_the_password(email: str, tmp_path: Path) -> None:
    sign_up(email)
    confirm(email)
    report = load(tmp_path)
    assert not any(counts.logins_closed for counts in report.counts.values())
    assert can_log_in(email)


def test_a_confirmed_address_of_another_name_proves_nothing(tmp_path: Path) -> None:
    sign_up("zoe@school.example")
    EmailAddress.objects.update(email="stranger@evil.example", verified=True)
    load(tmp_path)
    assert not can_log_in("zoe@school.example")


def test_staff_who_also_teach_keep_theirs(tmp_path: Path) -> None:
    staff = make_user("marta@school.example", "staff", is_staff=True)
    load(tmp_path)
    staff.refresh_from_db()
    assert staff.has_usable_password()


def test_whom_the_office_knows_keeps_the_password_with_every_import(tmp_path: Path) -> None:
    make_teacher("marta@school.example")
    load(tmp_path)
    for user in User.objects.all():
        user.set_password(PASSWORD)
        user.save()
    report = load(tmp_path)
    assert not any(counts.logins_closed for counts in report.counts.values())
    assert all(can_log_in(user.email) for user in User.objects.all())


def test_a_student_who_was_only_ever_signed_up_is_not_known(tmp_path: Path) -> None:
    make_student("zoe@school.example")
    report = load(tmp_path, **NO_ENROLLMENTS)
    assert report.counts["students.csv"].logins_closed == 1


def test_the_command_says_how_many(tmp_path: Path) -> None:
    sign_up("zoe@school.example")
    for mode, usable in (["--dry-run"], True), ([], False):
        said = StringIO()
        call_command("import_school", write(tmp_path), *mode, stdout=said)
        assert "Password taken from 1 person" in said.getvalue()
        assert can_log_in("zoe@school.example") is usable
    said = StringIO()
    call_command("import_school", tmp_path, stdout=said)
    assert "Password" not in said.getvalue()
