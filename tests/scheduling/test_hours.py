"""A teacher's weekly hours: the page, the admin, the rules of the model and of the database."""

from datetime import date, datetime, time
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from enrollment.models import Student, Teacher, User
from scheduling.models import AvailabilityRule
from scheduling.operations.hours import Impact, save_hours
from scheduling.queries.hours import week_of
from tests.conftest import make_teacher
from tests.scheduling.conftest import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now", "no_closed_days")]

HOURS = "/schedule/my/hours/"


@pytest.fixture
def as_teacher(client: Client, teacher: Teacher) -> Client:
    client.force_login(teacher.user)
    return client


def rule(teacher: Teacher, starts: str, ends: str, **fields: Any) -> AvailabilityRule:
    return AvailabilityRule(
        **{
            "teacher": teacher,
            "weekday": 0,
            "starts": time.fromisoformat(starts),
            "ends": time.fromisoformat(ends),
        }
        | fields
    )


def typed(starts: str = "09:00", ends: str = "12:00", **fields: Any) -> dict[str, Any]:
    return {
        "weekday": "0",
        "starts": starts,
        "ends": ends,
        "every_weeks": "1",
        "valid_from": "",
        "valid_until": "",
    } | fields


# ------------------------------------------------------------------ the page


def test_hours_are_added_listed_and_removed(as_teacher: Client, teacher: Teacher) -> None:
    assert "No hours yet" in as_teacher.get(HOURS).content.decode()
    added = as_teacher.post(HOURS, typed(), follow=True)
    assert added.redirect_chain == [(HOURS, 303)]
    assert "Saved: Monday 09:00–12:00." in added.content.decode()
    (made,) = AvailabilityRule.objects.all()
    assert (made.teacher, made.starts, made.ends) == (teacher, time(9), time(12))
    removed = as_teacher.post(reverse("scheduling:delete_hours", args=[made.pk]), follow=True)
    assert "Lessons that are already planned stay" in removed.content.decode()
    assert not AvailabilityRule.objects.exists()


@pytest.mark.parametrize(
    ("posted", "field", "sentence"),
    [
        (typed("12:00", "09:00"), "ends", "Hours end later than they begin."),
        (typed("12:00", "12:00"), "ends", "Hours end later than they begin."),
        (typed(weekday=""), "weekday", "required"),
        (typed(weekday="7"), "weekday", "not one of the available choices"),
        (typed("09:00:30"), "starts", "Give hours and minutes only"),
        (typed("nine"), "starts", "valid time"),
        (
            typed(valid_from="2026-02-01", valid_until="2026-01-31"),
            "valid_until",
            "The last day is not before the first.",
        ),
        (typed("11:00", "13:00"), "starts", "Overlaps the hours on Monday 10:00–11:30."),
        (
            typed("15:00", "16:00", valid_from="2026-03-01"),
            "starts",
            "Monday 14:00–18:00 (until 31 March 2026)",
        ),
    ],
)
def test_what_is_wrong_is_said_at_the_field(
    as_teacher: Client, teacher: Teacher, posted: dict[str, str], field: str, sentence: str
) -> None:
    rule(teacher, "10:00", "11:30").save()
    rule(teacher, "14:00", "18:00", valid_until=date(2026, 3, 31)).save()
    page = as_teacher.post(HOURS, posted)
    assert page.status_code == 422
    assert any(sentence in error for error in page.context["form"].errors[field])
    assert sentence in page.content.decode()
    assert AvailabilityRule.objects.count() == 2


@pytest.mark.parametrize(
    "posted",
    [
        typed("09:00", "10:00"),
        typed("11:30", "00:00"),
        typed("00:00", "10:00"),
        typed("09:00", "12:00", weekday="1"),
        typed("09:00", "12:00", valid_from="2026-07-01"),
    ],
)
def test_what_only_touches_is_allowed(
    as_teacher: Client, teacher: Teacher, posted: dict[str, str]
) -> None:
    rule(teacher, "10:00", "11:30", valid_until=date(2026, 6, 30)).save()
    rule(make_teacher("other@school.example"), "09:00", "12:00").save()
    assert as_teacher.post(HOURS, posted).status_code == 303


def test_what_another_tab_saved_meanwhile_is_said_too(
    as_teacher: Client, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slower(*, rule: AvailabilityRule, now: datetime) -> Impact:
        AvailabilityRule.objects.create(teacher=teacher, weekday=0, starts=time(8), ends=time(10))
        return save_hours(rule=rule, now=now)

    monkeypatch.setattr("scheduling.views.hours.operations.save_hours", slower)
    page = as_teacher.post(HOURS, typed())
    assert page.status_code == 422
    assert "Overlaps the hours on Monday 08:00–10:00" in page.content.decode()


def test_only_teachers_and_only_their_own(
    client: Client, student: Student, teacher: Teacher
) -> None:
    other = make_teacher("other@school.example")
    theirs = rule(other, "09:00", "12:00")
    theirs.save()
    delete = reverse("scheduling:delete_hours", args=[theirs.pk])
    for method, url in ((client.get, HOURS), (client.post, HOURS), (client.post, delete)):
        assert method(url).status_code == 302
    client.force_login(student.user)
    for method, url in ((client.get, HOURS), (client.post, HOURS), (client.post, delete)):
        assert method(url).status_code == 403
    client.force_login(teacher.user)
    assert client.post(delete).status_code == 404
    assert client.get(delete).status_code == 303
    client.post(HOURS, typed(teacher=str(other.pk)))
    assert {one.teacher for one in AvailabilityRule.objects.exclude(pk=theirs.pk)} == {teacher}
    assert "Monday" in client.get(HOURS).content.decode()
    assert [one.pk for day in week_of(other) for one in day.rules] == [theirs.pk]


# ------------------------------------------------------------------ the database's own guard


@pytest.mark.parametrize(
    "fields",
    [
        {"starts": "12:00", "ends": "09:00"},
        {"starts": "12:00", "ends": "12:00"},
        {"starts": "09:00", "ends": "12:00", "weekday": 7},
        {"starts": "09:00", "ends": "09:01", "valid_until": date(2020, 1, 1)}
        | {"valid_from": date(2021, 1, 1)},
        {"starts": "17:59", "ends": "00:00"},
        {"starts": "00:00", "ends": "00:00"},
        {"starts": "15:00", "ends": "16:00", "valid_from": date(2030, 1, 1)},
    ],
)
def test_the_database_refuses_too(teacher: Teacher, fields: dict[str, Any]) -> None:
    rule(teacher, "14:00", "18:00").save()
    with pytest.raises(IntegrityError), transaction.atomic():
        rule(teacher, **fields).save()


def test_the_model_and_the_database_agree_on_touching(teacher: Teacher) -> None:
    first = rule(teacher, "14:00", "18:00", valid_until=date(2026, 6, 30))
    for beside in (
        first,
        rule(teacher, "18:00", "00:00"),
        rule(teacher, "00:00", "14:00"),
        rule(teacher, "14:00", "18:00", valid_from=date(2026, 7, 1)),
        rule(teacher, "00:00", "00:00", weekday=1),
    ):
        save_hours(rule=beside, now=NOW)
    assert AvailabilityRule.objects.count() == 5
    first.full_clean()
    with pytest.raises(ValidationError):
        rule(teacher, "13:59", "14:01").full_clean()


def test_in_words(teacher: Teacher) -> None:
    fields = {"valid_from": date(2026, 1, 1), "valid_until": date(2026, 6, 30)}
    said = [
        rule(teacher, "09:00", "12:00", **given).in_words()
        for given in ({}, fields, {"valid_from": fields["valid_from"]})
    ]
    assert said == [
        "Monday 09:00–12:00",
        "Monday 09:00–12:00 (from 1 January 2026 until 30 June 2026)",
        "Monday 09:00–12:00 (from 1 January 2026 on)",
    ]


# ------------------------------------------------------------------ the admin


def test_the_admin_has_the_same_rules(client: Client, admin: User, teacher: Teacher) -> None:
    client.force_login(admin)
    add = reverse("admin:scheduling_availabilityrule_add")
    fields = typed() | {"teacher": teacher.pk}
    assert client.post(add, fields).status_code == 302
    again = client.post(add, fields)
    assert again.status_code == 200
    assert "Overlaps the hours on Monday 09:00–12:00" in again.content.decode()
    rows = client.get(reverse("admin:scheduling_availabilityrule_changelist"), {"q": "Marta"})
    assert rows.status_code == 200
    assert "Marta Rossi" in rows.content.decode()
