"""Somebody gets another mail address: what is kept under the former one goes with them, and is erased."""

import re
from collections.abc import Callable
from datetime import datetime

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config.roles import give_permissions
from enrollment.models import User
from enrollment.operations.erase import erase_person
from rollback.models import (
    Banner,
    DeafAddress,
    Maintenance,
    Notification,
    Sending,
    Stakeholder,
)
from tests.conftest import make_student, make_user
from tests.personal.full_person import fill_staff

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("flag_rows")]

NEW = "married@school.example"


def by_the_mail(user: User, client: Client) -> None:
    """They ask for another, and press the button in the mail that comes there."""
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    client.force_login(user)
    client.post(reverse("account_email"), {"email": NEW, "action_add": ""})
    [sent] = [one for one in mail.outbox if one.to == [NEW]]
    found = re.search(r"/accounts/confirm-email/\S+", str(sent.body))
    assert found
    assert client.post(found[0]).status_code == 302


def by_the_office(user: User, client: Client) -> None:
    give_permissions()
    client.force_login(make_user("root@school.example", "admin", is_staff=True, is_superuser=True))
    fields = {
        "email": NEW.upper(),
        "first_name": user.first_name,
        "last_name": user.last_name,
        "is_active": "on",
        "is_staff": "on",
        "language": "",
    }
    answer = client.post(reverse("admin:enrollment_user_change", args=[user.pk]), fields)
    assert answer.status_code == 302, answer.context["errors"]


def by_a_program(user: User, client: Client) -> None:
    user.email = NEW
    user.save()


def rows() -> str:
    """All but what an account leads to as well."""
    models = (Banner, DeafAddress, Maintenance, Notification, Sending, Stakeholder)
    found = [row for model in models for row in model._default_manager.values()]
    return repr([{**row, "released_by_name": ""} for row in found]).lower()


@pytest.mark.parametrize("change", [by_the_mail, by_the_office, by_a_program])
def test_what_was_kept_under_the_former_address_is_erased(
    change: Callable[[User, Client], None],
    client: Client,
    staff: User,
    admin: User,
    now: datetime,
) -> None:
    old = staff.email
    fill_staff(staff, now=now)
    Stakeholder.objects.create(name="Me", email=old.upper(), language="en", added_by_name=old)
    DeafAddress.objects.create(email=old, why="bounced")
    told = Sending.objects.create(letter="briefing", number=1, prepared_by_name=old)
    Notification.objects.create(
        sending=told, email=old, values={"on_the_list": f"{old} put you on the list"}
    )
    Notification.objects.create(
        sending=told, email="x@x.example", values={"on_the_list": f"{old} put you on the list"}
    )
    change(staff, client)
    staff.refresh_from_db()
    assert staff.email == NEW
    assert old not in rows()
    assert Stakeholder.objects.get(name="Me").email == NEW
    assert Sending.objects.filter(prepared_by_name=NEW).count() == 2
    erase_person(user=User.objects.get(pk=staff.pk), by=admin, now=now)
    assert NEW not in rows()
    assert old not in repr(list(Sending.objects.values()))


def test_who_never_confirmed_an_address_takes_nothing_of_it_along(now: datetime) -> None:
    """Anybody can sign up with the head's address, and then change it to their own."""
    stranger = make_student("head@school.example").user
    Stakeholder.objects.create(name="Head", email="head@school.example", language="en")
    DeafAddress.objects.create(email="head@school.example", why="complained")
    told = Sending.objects.create(letter="briefing", number=1, prepared_by_name="x")
    row = Notification.objects.create(sending=told, email="head@school.example")
    by_a_program(stranger, Client())
    row.refresh_from_db()
    assert row.email == "head@school.example"
    assert Stakeholder.objects.get().email == "head@school.example"
    assert DeafAddress.objects.exists()


def test_who_is_on_the_list_with_both_is_on_it_once(staff: User) -> None:
    told = Sending.objects.create(letter="briefing", number=1, prepared_by_name="x")
    for address in (staff.email, NEW):
        Stakeholder.objects.create(name=address, email=address, language="en")
        Notification.objects.create(sending=told, email=address)
    by_a_program(staff, Client())
    assert Stakeholder.objects.get().name == NEW
    assert Notification.objects.get().email == NEW


def test_another_spelling_of_the_same_address_deletes_nothing(staff: User) -> None:
    Stakeholder.objects.create(name="Me", email=staff.email.upper(), language="en")
    staff.email = staff.email.title()
    staff.save()
    assert Stakeholder.objects.get().email == staff.email


def test_whatever_else_is_saved_asks_nobody(staff: User) -> None:
    with CaptureQueriesContext(connection) as asked:
        staff.save(update_fields=["language"])
    assert len(asked) == 1
