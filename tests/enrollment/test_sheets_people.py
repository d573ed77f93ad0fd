"""Who may import and export, and what an import must not do to a login."""

from typing import Any

import pytest
from django.test import Client

from enrollment.models import Student, Teacher, User
from tests.conftest import Switches, make_user
from tests.enrollment import school_files
from tests.enrollment.sheet_pages import (
    FILES,
    MODELS,
    TEACHERS,
    choose,
    confirm,
    hints,
    page,
    words,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    client.force_login(staff)
    return client


def permitted(*names: str) -> Client:
    from django.contrib.auth.models import Permission

    user = make_user("clerk@school.example", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("model", MODELS)
def test_who_may_only_look_may_export_and_not_import(model: str) -> None:
    clerk = permitted(f"view_{model}")

    listed = words(clerk.get(page(model, "changelist")))
    assert page(model, "export") in listed
    assert page(model, "import") not in listed
    assert clerk.get(page(model, "export")).status_code == 200
    assert clerk.get(page(model, "import")).status_code == 403
    assert choose(clerk, model, FILES[model]).status_code == 403
    assert clerk.post(page(model, "process_import")).status_code == 403


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("given", ["add", "change"])
def test_an_import_needs_to_add_and_to_change(model: str, given: str) -> None:
    clerk = permitted(f"{given}_{model}")
    assert clerk.get(page(model, "import")).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_nobody_else_gets_near(student: Student, model: str) -> None:
    for user in (student.user, None, make_user("bare@school.example", is_staff=True)):
        client = Client()
        if user:
            client.force_login(user)
        for kind in ("import", "export", "process_import"):
            expected = 403 if user and user.is_staff else 302
            assert client.post(page(model, kind)).status_code == expected


def test_confirming_takes_a_post(office: Client) -> None:
    assert office.get(page("teacher", "process_import")).status_code == 405


def test_everything_works_with_every_feature_off(office: Client, switches: Switches) -> None:
    switches.kill()
    confirm(office, "teacher", choose(office, "teacher", TEACHERS))
    assert Teacher.objects.count() == 1


def test_nobody_becomes_staff_by_a_file(office: Client) -> None:
    for column in ("is_staff", "is_superuser", "password", "groups"):
        text = f"email,first_name,last_name,{column}\nx@x.example,X,Y,1\n"
        assert "no such column" in hints(choose(office, "student", text))[0]
    confirm(office, "teacher", choose(office, "teacher", TEACHERS))
    marta = User.objects.get(email="marta@school.example")
    assert (marta.is_staff, marta.is_superuser) == (False, False)
    assert not marta.has_usable_password()


@pytest.mark.parametrize("model", ["teacher", "student"])
@pytest.mark.parametrize("rank", ["is_staff", "is_superuser"])
def test_a_login_of_the_office_keeps_its_name_and_password(
    office: Client, model: str, rank: str
) -> None:
    facts: dict[str, Any] = {"first_name": "Bea", "last_name": "Boss", rank: True}
    user = make_user("boss@school.example", **facts)
    text = "email,first_name,last_name,zone\nBoss@school.example,{},Boss,Europe/Berlin\n"

    refused = choose(office, model, text.format("Mallory"))
    assert "column first_name: “Mallory”: belongs to a login of the office" in hints(refused)[0]
    confirm(office, model, choose(office, model, text.format("Bea")))

    user.refresh_from_db()
    assert (user.first_name, user.check_password("correct horse")) == ("Bea", True)
    assert getattr(user, rank)


def test_a_preview_tells_of_logins_that_lose_their_password(office: Client) -> None:
    user = make_user("zoe@school.example", first_name="Zoë", last_name="Lefèvre")
    looked_at = choose(office, "student", school_files.STUDENTS)

    assert "This login loses its password" in " ".join(words(looked_at).split())
    user.refresh_from_db()
    assert user.has_usable_password()
    confirm(office, "student", looked_at)
    user.refresh_from_db()
    assert not user.has_usable_password()


def test_a_preview_tells_of_a_login_that_gets_another_name(
    office: Client, teacher: Teacher
) -> None:
    text = "email,first_name,last_name\nMarta@school.example,Mara,Rossi\n"

    looked_at = choose(office, "student", text)

    assert "This login is called Marta Rossi so far" in " ".join(words(looked_at).split())
