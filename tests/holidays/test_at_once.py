"""Two people who enter the same closure at the same moment."""

from typing import Any

import pytest
from django.db import IntegrityError
from django.test import Client

from enrollment.models import User
from holidays.admin import holidays as page
from holidays.models import Holiday
from tests.enrollment.crowd import at_once
from tests.holidays.test_office import ADD, SEVERAL, text, typed

pytestmark = pytest.mark.django_db(transaction=True)


def logged_in(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser(f"{name}@school.example", "correct horse"))
    return client


def test_one_is_entered_and_the_other_told_so() -> None:
    offices = [logged_in(f"office{number}") for number in range(4)]
    lines = {
        "lines": "2026-04-06; Easter Monday",
        "years": "0",
        "kind": "public",
        "scope": "school",
    }

    def press(number: int) -> Any:
        if number % 2:
            return offices[number].post(SEVERAL, {**lines, "step": "save"})
        return offices[number].post(ADD, typed())

    answers: list[Any] = at_once(*(lambda number=number: press(number) for number in range(4)))
    assert Holiday.objects.count() == 1
    assert sorted(one.status_code for one in answers) in (
        [200, 200, 302, 422],
        [200, 302, 422, 422],
    )
    refusals = [text(one) for one in answers if one.status_code != 302]
    assert all("“Easter Monday” is already entered for these days." in one for one in refusals)


def test_an_import_that_was_faster_is_no_error_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for no lock, and may commit between the form's check and the writing."""
    office = logged_in("office")
    came: list[Holiday] = []
    real = page.HolidayAdmin.save_model

    def late(self: Any, request: Any, obj: Any, *args: Any) -> None:
        if not came:
            came.append(obj)
            at_once(
                lambda: Holiday.objects.create(
                    name=obj.name, kind=obj.kind, first_on=obj.first_on, last_on=obj.last_on
                )
            )
        real(self, request, obj, *args)

    monkeypatch.setattr(page.HolidayAdmin, "save_model", late)
    answer = office.post(ADD, typed())
    assert came
    assert "“Easter Monday” is already entered for these days." in text(answer)
    assert Holiday.objects.count() == 1


def test_the_database_refuses_whoever_asks_nobody() -> None:
    def enter() -> str:
        try:
            Holiday.objects.create(name="X", first_on="2026-01-01", last_on="2026-01-01")
        except IntegrityError as error:
            return "refused" if "holiday_once" in str(error) else str(error)
        return "entered"

    assert sorted(str(one) for one in at_once(*[enter] * 4)) == [
        "entered",
        "refused",
        "refused",
        "refused",
    ]
