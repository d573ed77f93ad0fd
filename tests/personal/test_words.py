"""What was written to people, and what staff wrote to everybody: in the copy, and gone with the account."""

import json
from datetime import datetime

import pytest
from django.apps import apps
from django.test import Client

from enrollment.models import Student, Teacher, User
from enrollment.operations.erase import erase_person
from rollback.models import (
    MessageTemplate,
    Notification,
    OnCallShift,
    Page,
    PublicUpdate,
    Sending,
)
from tests.personal.full_person import Learning, fill_staff

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("flag_rows")]

COPY = "/my/data/copy/"


def test_letters_are_in_the_copy_without_keys(as_student: Client) -> None:
    letters = as_student.get(COPY).json()["letters"]
    assert [one["state"] for one in letters["written_to_you"]] == ["sent", "waiting"]
    assert "secret" not in json.dumps(letters)
    assert letters["no_news_wanted_since"]
    assert [one["why"] for one in letters["addresses_that_mail_came_back_from"]] == ["bounced"]
    assert letters["gets_briefings"][0]["name"] == "Ada"


def test_letters_to_others_stay_without_the_name(
    learning: Learning, student: Student, teacher: Teacher, now: datetime
) -> None:
    erase_person(user=student.user, by=student.user, now=now)
    (left,) = Notification.objects.all()
    assert left.user == teacher.user
    assert left.values == {"name": "Marta", "before": "Monday", "news": 'Deleted person: "yes"'}


def test_a_name_of_one_word_is_no_part_of_others(teacher: Teacher, now: datetime) -> None:
    User.objects.filter(pk=teacher.user.pk).update(first_name="Bo", last_name="")
    Teacher.objects.filter(pk=teacher.pk).update(display_name="Bo")
    sending = Sending.objects.create(letter="moved", number=1, prepared_by_name="office")
    Notification.objects.create(
        sending=sending, email="x@school.example", values={"teacher": "Bo", "name": "Bo Lindqvist"}
    )
    gone = User.objects.get(pk=teacher.user.pk)
    erase_person(user=gone, by=gone, now=now)
    assert Notification.objects.get().values == {
        "teacher": "Deleted person",
        "name": "Bo Lindqvist",
    }


def test_a_colleagues_copy(client: Client, staff: User, now: datetime) -> None:
    fill_staff(staff, now=now)
    client.force_login(staff)
    copy = client.get(COPY).json()
    assert copy["on_call"]["called"][0]["page__incident__title"] == "A case"
    assert [len(copy["on_call"][key]) for key in ("shifts", "called", "acknowledged")] == [1, 1, 1]
    keys = ("sendings", "letters_saved", "public_updates", "banners", "maintenance")
    assert [len(copy["published"][key]) for key in keys] == [1] * 5
    assert len(copy["published"]["stakeholders_added_at"]) == 1
    assert "head@" not in json.dumps(copy)
    assert copy["published"]["banners"][0]["texts"] == {"en": "Hello"}
    text = client.get("/my/data/").content.decode()
    assert "When you are on call" in text
    assert "What you wrote to people and to the public" in text


def test_what_everybody_has_read_stays_by_somebody(staff: User, admin: User, now: datetime) -> None:
    fill_staff(staff, now=now)
    erase_person(user=staff, by=admin, now=now)
    number = f"person {staff.pk}"
    assert not OnCallShift.objects.exists()
    assert Page.objects.get().acknowledged_by_name == number
    assert MessageTemplate.objects.get().saved_by_name == number
    assert PublicUpdate.objects.get().published_by_name == number
    assert Sending.objects.values_list("prepared_by_name", "released_by_name").get() == (
        number,
        number,
    )
    for model in apps.get_models():
        if model._meta.app_label == "rollback":
            rows = json.dumps(list(model._base_manager.values()), default=str)
            assert "staff@school.example" not in rows, model


def test_who_has_none_of_it_is_told_of_none_of_it(client: Client, staff: User) -> None:
    client.force_login(staff)
    text = client.get("/my/data/").content.decode()
    assert "letters about incidents" not in text
    assert "on call" not in text
    assert "to the public" not in text
