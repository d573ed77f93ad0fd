"""The outbox in the admin: who sees it, finds a person's mails, sends again, writes to an address again."""

from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from enrollment.models import User
from rollback import outbox
from rollback.models import DeafAddress, Notification
from tests.conftest import make_user
from tests.rollback.outbox_rows import OFFICE, STATE, people_of, released, rows
from tests.rollback.outbox_rows import page as a_page

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/rollback/notification/"
DEAF = "/admin/rollback/deafaddress/"
SECRET_WORDS = "what only they may read"


@pytest.fixture
def office(client: Client, real_switchboard: Any) -> Client:
    client.force_login(make_user("office@school.example", "admin", is_staff=True))
    give_rights()
    return client


def give_rights() -> None:
    from config.roles import give_permissions

    give_permissions()


def dead(row: Notification) -> None:
    Notification.objects.filter(pk=row.pk).update(state=STATE.DEAD, tries=12, error="550 spam")


def page(client: Client, path: str, **query: str) -> str:
    answer = client.get(path, query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_what_was_given_up_stands_on_top_and_nobodys_words_are_shown(office: Client) -> None:
    made = released(3)
    first, second, third = rows(made)
    dead(second)
    Notification.objects.update(values={"news": SECRET_WORDS})
    shown = page(office, LIST)
    places = [shown.index(f"affected-{number}@school.example") for number in (1, 2, 0)]
    assert places == sorted(places)
    assert "550 spam" in shown
    assert SECRET_WORDS not in shown
    assert "(&#x27;" not in page(
        office, reverse("admin:rollback_notification_change", args=[second.pk])
    )
    assert SECRET_WORDS not in page(
        office, reverse("admin:rollback_notification_change", args=[second.pk])
    )
    assert {first.state, third.state} == {STATE.WAITING}


def test_a_persons_mails_are_found_by_their_address(office: Client) -> None:
    made = released(3)
    shown = page(office, LIST, q="Affected-1@School.example")
    assert "affected-1@school.example" in shown
    assert "affected-2@school.example" not in shown
    assert "affected-1@school.example" not in page(office, LIST, state=STATE.DEAD)
    assert "affected-1@school.example" in page(office, LIST, letter=made.letter)
    assert "affected-1@school.example" not in page(office, LIST, letter="page")


def test_only_what_was_given_up_is_sent_again(office: Client) -> None:
    made = released(2)
    one, other = rows(made)
    outbox.send_due()
    dead(one)
    mail.outbox.clear()
    chosen = {"action": "send_again", "_selected_action": [str(one.pk), str(other.pk)]}
    shown = office.post(LIST, chosen, follow=True).content.decode()
    assert "1 mail is tried again." in shown
    assert "1 stay as they are" in shown
    assert outbox.send_due() == {"sent": 1}
    assert [sent.to for sent in mail.outbox] == [[people_of(made)[0].email]]


def test_letters_to_the_people_are_sent_again_by_who_may_send_them(
    client: Client, real_switchboard: Any
) -> None:
    from django.contrib.auth.models import Permission

    keeper = make_user("keeper@school.example", is_staff=True)
    rights = ("view_notification", "change_notification")
    keeper.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(User.objects.get(pk=keeper.pk))
    [row] = rows(released())
    [call] = rows(a_page("call@school.example"))
    dead(row)
    dead(call)
    chosen = {"action": "send_again", "_selected_action": [str(row.pk), str(call.pk)]}
    shown = client.post(LIST, chosen, follow=True).content.decode()
    assert "1 mail is tried again." in shown
    assert "may send these: 1." in shown
    row.refresh_from_db()
    call.refresh_from_db()
    assert (row.state, call.state) == (STATE.DEAD, STATE.WAITING)


def test_what_is_left_out_is_said(office: Client) -> None:
    [row] = rows(released())
    dead(row)
    outbox.stop(sending=row.sending_id, actor=OFFICE)
    dead(row)  # a worker had it in its hands
    chosen = {"action": "send_again", "_selected_action": [str(row.pk)]}
    shown = office.post(LIST, chosen, follow=True).content.decode()
    assert "their sending was stopped: 1." in shown
    assert "stay as they are" not in shown


def test_who_may_only_look_sends_nothing_again(client: Client, real_switchboard: Any) -> None:
    from django.contrib.auth.models import Permission

    give_rights()
    reader = make_user("reader@school.example", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_notification"))
    client.force_login(User.objects.get(pk=reader.pk))
    [row] = rows(released())
    dead(row)
    assert "Send again" not in page(client, LIST)
    client.post(LIST, {"action": "send_again", "_selected_action": [str(row.pk)]})
    row.refresh_from_db()
    assert row.state == STATE.DEAD


def test_an_address_is_written_to_again_when_it_is_off_the_list(office: Client) -> None:
    made = released()
    [person] = people_of(made)
    deaf = DeafAddress.objects.create(email=person.email, why="complained", said="spam")
    assert person.email in page(office, DEAF)
    office.post(f"{DEAF}{deaf.pk}/delete/", {"post": "yes"})
    assert not DeafAddress.objects.exists()
    assert outbox.send_due() == {"sent": 1}


def test_who_may_not_see_who_is_affected_sees_a_person(
    client: Client, real_switchboard: Any
) -> None:
    from django.contrib.auth.models import Permission

    give_rights()
    reader = make_user("reader@school.example", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_notification"))
    client.force_login(User.objects.get(pk=reader.pk))
    made = released(2)
    [row, other] = rows(made)
    dead(row)
    person = people_of(made)[0]
    Notification.objects.filter(pk=row.pk).update(error=f"550 <{person.email}> is unknown")
    Notification.objects.filter(pk=other.pk).update(bounce=f"no {person.email} here")
    a_page("head@school.example")
    one = reverse("admin:rollback_notification_change", args=[row.pk])
    two = reverse("admin:rollback_notification_change", args=[other.pk])
    for shown in (page(client, LIST), page(client, one), page(client, two)):
        assert "a person" in shown
        assert person.email not in shown
        assert "Vogel" not in shown
    assert "550 &lt;…&gt; is unknown" in page(client, one)
    assert "no … here" in page(client, two)
    # The staff are no affected people.
    assert "head@school.example" in page(client, LIST)
    for query in (person.email, person.last_name or "Vogel", "head@school.example"):
        assert "a person" not in page(client, LIST, q=query)
    reader.user_permissions.add(Permission.objects.get(codename="view_affectedperson"))
    assert f"550 &lt;{person.email}&gt;" in page(client, one)
    assert person.email in page(client, LIST, q=person.email)
