"""Drafts set aside while pages are open: no text is typed over unseen, nobody is stopped by poison."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from enrollment.models import Course, Enrollment, Student, User
from rollback import drafts, expiry, quarantine
from rollback.domain import answers as pure
from rollback.models import EnrollmentDraft
from tests.conftest import Switches
from tests.enrollment.crowd import at_once
from tests.rollback.poison import NOW, poison, the_live_one

ENROLL = "/courses/violin/enroll/"
AT = NOW.isoformat()
Save = Callable[..., EnrollmentDraft]


@pytest.fixture
def save(student: Student, course: Course) -> Save:
    def save(**typed: str) -> EnrollmentDraft:
        posted = {name.replace("__", ":"): text for name, text in typed.items()}
        return drafts.save(student=student, course=course, answers=posted, now=NOW)

    return save


def changed(version: int, *pages: str) -> str:
    return json.dumps({"note": {"version": version, "at": AT, "pages": pages}})


def aside(name: str, value: str, page: str = "there") -> dict[str, Any]:
    return {"name": name, "value": value, "page": page, "at": AT, "open": True}


def test_a_page_from_before_is_still_checked(student: Student, course: Course, save: Save) -> None:
    """It had seen version 3; another page changed the note in 5, then something poisoned it."""
    poison(
        student, course, '{"note": "typed there", "x": 1}', version=7, changes=changed(5, "there"),
        aside=json.dumps([aside("wished_times", "or Fridays")]), heard='{"there": 4}',
    )  # fmt: skip
    late = save(note="typed here", seen__note="3 x", save_page="here", save_count="1")
    assert late.arrival is not None
    assert late.arrival.refused == ("note",)
    assert late.answers["note"] == "typed there"
    # What waited for a choice still does, and an overtaken save is still one.
    assert [one["value"] for one in late.set_aside] == ["or Fridays", "typed here"]
    assert save(note="older", save_page="there", save_count="4").arrival is None


def test_versions_go_on_after_a_draft_was_set_aside(
    student: Student, course: Course, save: Save
) -> None:
    poison(student, course, '{"note": "begun", "x": 1}', version=7)
    save(note="typed there", seen__note="7 x", save_page="there")
    late = save(note="typed here", seen__note="7 x", save_page="here")
    assert late.answers["note"] == "typed there"


@pytest.fixture
def readable_again(student: Student, course: Course) -> EnrollmentDraft:
    """By a release that knows what it is. The long note was not carried over."""
    long = {"note": "n" * reading_room(), "wished_times": "Fridays"}
    bad = poison(
        student, course, json.dumps(long), answers_version=9,
        aside=json.dumps([aside("wished_times", "Mondays")]),
    )  # fmt: skip
    the_live_one(student, course)
    EnrollmentDraft.objects.filter(pk=bad.pk).update(answers_version=pure.VERSION)
    return bad


def reading_room() -> int:
    return pure.MOST_BYTES // 2 + 1


def test_what_is_given_back_is_not_typed_over_by_an_open_page(
    student: Student, course: Course, readable_again: EnrollmentDraft, save: Save
) -> None:
    open_page = the_live_one(student, course).version
    assert quarantine.give_back(readable_again, now=NOW)
    late = save(note="typed here", seen__note=f"{open_page} x", save_page="here")
    assert late.answers["note"] == "n" * reading_room()
    assert {one["value"] for one in late.set_aside} == {"typed here", "Mondays"}


def test_a_text_that_was_not_carried_over_waits_for_a_choice(
    student: Student, course: Course, readable_again: EnrollmentDraft, save: Save
) -> None:
    save(note="short", save_page="here", seen__note="0 x")
    assert quarantine.give_back(readable_again, now=NOW)
    live = the_live_one(student, course)
    assert live.answers == {"note": "short", "wished_times": "Fridays"}
    assert {one["value"]: one["open"] for one in live.set_aside} == {
        "n" * reading_room(): True, "Mondays": True
    }  # fmt: skip


def test_giving_back_twice_is_done_once(
    client: Client, staff: User, readable_again: EnrollmentDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second press passes the check before the first is done."""
    client.force_login(staff)
    url = reverse("admin:rollback_enrollmentdraft_give_back", args=[readable_again.pk])
    give_back = quarantine.give_back

    def pressed_twice(draft: EnrollmentDraft, **named: Any) -> bool:
        give_back(draft, **named)
        return give_back(draft, **named)

    monkeypatch.setattr(quarantine, "give_back", pressed_twice)
    assert client.post(url).status_code == 404


# ---------------------------------------------------------------- poison that stopped people


def enroll(client: Client, student: Student, **typed: str) -> int:
    client.force_login(student.user)
    page = client.get(ENROLL)
    stamps = page.context["beginning"].stamps
    return client.post(ENROLL, {"note": "typed", **stamps, **typed}).status_code


def test_changes_of_a_version_to_come_stop_nobody(
    client: Client, student: Student, course: Course, switches: Switches
) -> None:
    switches.kill()
    poison(student, course, '{"note": "begun"}', version=1, changes=changed(10**9))
    assert enroll(client, student) == 302
    assert Enrollment.objects.count() == 1


def test_a_choice_that_no_form_here_can_ask_for_stops_nobody(
    client: Client, student: Student, course: Course, switches: Switches
) -> None:
    """A release that was rolled back had a field of that name."""
    switches.kill()
    poison(student, course, "{}", aside=json.dumps([aside("phone", "030 123")]))
    assert enroll(client, student) == 302


TOO_MUCH = {
    "answers": {"answers": json.dumps({"x": "x" * (pure.MOST_BYTES + 1)})},
    "asides": {"answers": "{}", "aside": json.dumps([aside("note", "x" * (pure.MOST_BYTES + 1))])},
    "many asides": {
        "answers": "{}",
        "aside": json.dumps([aside("note", f"{n}", f"{n}") for n in range(30)]),
    },
}


@pytest.mark.parametrize("columns", TOO_MUCH.values(), ids=TOO_MUCH)
def test_more_than_is_ever_saved_stops_nobody(
    client: Client, student: Student, course: Course, switches: Switches, columns: dict[str, str]
) -> None:
    """It could be read, but every save on top of it was refused."""
    switches.kill()
    poison(student, course, **columns)
    client.force_login(student.user)
    turned_away = client.get(reverse("scheduling:details", args=[course.slug]))
    assert turned_away.status_code == 303
    saved = client.post(reverse("drafts:save", args=[course.slug]), {"note": "typed"})
    assert saved.status_code == 200
    assert quarantine.set_aside_drafts().count() == 1
    assert enroll(client, student) == 302


def test_the_offices_list_loads_none_of_the_json(
    client: Client, admin: User, student: Student, course: Course
) -> None:
    poison(student, course, "{}")
    client.force_login(admin)
    with CaptureQueriesContext(connection) as queries:
        client.get(reverse("admin:rollback_enrollmentdraft_changelist"))
    loaded = " ".join(query["sql"] for query in queries)
    assert '"rollback_enrollmentdraft"."saved_at"' in loaded
    for column in quarantine.JSON:
        assert f'"rollback_enrollmentdraft"."{column}"' not in loaded


# ---------------------------------------------------------------- reminders and expiry


def test_a_reminder_that_was_given_up_is_not_begun_anew(student: Student, course: Course) -> None:
    poison(student, course, "[]", reminder_tries=12)
    assert the_live_one(student, course).reminder_tries == 12


@pytest.mark.django_db(transaction=True)
def test_expiry_passes_by_a_draft_that_was_read_to_be_saved(
    student: Student, course: Course
) -> None:
    EnrollmentDraft.objects.create(student=student, course=course, saved_at=NOW)
    later = NOW + expiry.KEPT + timedelta(days=1)
    with transaction.atomic():
        quarantine.open_or_new(student=student, course=course, now=later)
        assert at_once(lambda: expiry.delete_expired(now=later)) == [0]
