"""What may not go out again: of a stopped sending, of a page that was answered, of a restored backup."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db.models import F
from django.db.models.functions import Now
from structlog.testing import capture_logs

from rollback import incidents, outbox, sendings
from rollback.console import event_words
from rollback.domain.letters import BY_KEY
from rollback.models import Incident, IncidentEvent, Notification, Page, Sending
from rollback.oncall import paging
from rollback.outbox import Recipient
from tests.rollback.oncall_rows import NOW, case, shift, somebody
from tests.rollback.outbox_rows import OFFICE, STATE, now_due, page, people_of, released, rows

pytestmark = pytest.mark.django_db(transaction=True)


def give_up(sending: Sending) -> list[int]:
    sending.notifications.update(state=STATE.DEAD, tries=12, error="550 spam")
    return [row.pk for row in rows(sending)]


def again(numbers: list[int]) -> outbox.Resent:
    return outbox.resend(notifications=numbers, to_people=True, actor=OFFICE)


def states(sending: Sending) -> set[str]:
    return {row.state for row in rows(sending)}


def said(*words: str) -> str:
    out = StringIO()
    call_command("rollback", *words, stdout=out)
    return out.getvalue()


# ---------------------------------------------------------------- sent again


def test_what_was_stopped_stays_so() -> None:
    made = released(2)
    one, other = give_up(made)
    outbox.stop(sending=made.pk, actor=OFFICE)
    assert states(made) == {STATE.STOPPED}
    Notification.objects.filter(pk=one).update(state=STATE.DEAD)  # it was in a worker's hands
    assert again([one, other]) == outbox.Resent(stopped=1)
    assert "1 left out: their sending was stopped." in said("outbox", "resend", "--all")
    assert outbox.send_due() == {}


def test_the_timeline_says_for_how_many_and_who() -> None:
    made = released(2)
    one, _other = give_up(made)
    assert again([one]) == outbox.Resent(waiting=1)
    told = IncidentEvent.objects.filter(kind=IncidentEvent.Kind.MAILED).order_by("number").last()
    assert told is not None
    assert (told.payload["what"], told.payload["sending"], told.payload["people"]) == (
        "again",
        made.pk,
        1,
    )
    assert told.actor_name == OFFICE.name
    assert any("tried again, 1 person" in line for line in event_words.details(told, {}))
    assert again([one]) == outbox.Resent()
    assert told == IncidentEvent.objects.filter(kind=told.kind).order_by("number").last()


def test_what_is_paused_waits_for_its_sending() -> None:
    made = released()
    numbers = give_up(made)
    outbox.pause(sending=made.pk, actor=OFFICE)
    assert again(numbers) == outbox.Resent(held=1)
    assert outbox.send_due() == {}
    outbox.resume(sending=made.pk, actor=OFFICE)
    assert outbox.send_due() == {"sent": 1}


def test_what_was_done_is_going_again_and_can_be_stopped() -> None:
    made = released()
    numbers = give_up(made)
    outbox.send_due()
    made.refresh_from_db()
    assert made.state == Sending.State.DONE
    assert again(numbers) == outbox.Resent(waiting=1)
    made.refresh_from_db()
    assert (made.state, made.ended_at) == (Sending.State.GOING, None)
    outbox.stop(sending=made.pk, actor=OFFICE)
    assert outbox.send_due() == {}


def test_nothing_of_a_sending_that_does_not_go_is_claimed() -> None:
    """Whoever wrote it so: a row alone lets nothing out."""
    made = released()
    for state in (Sending.State.HELD, Sending.State.PAUSED, Sending.State.STOPPED):
        Sending.objects.filter(pk=made.pk).update(state=state)
        assert outbox.send_due() == {}
    assert states(made) == {STATE.WAITING}


@pytest.mark.parametrize("how", [incidents.acknowledge, incidents.resolve])
def test_nobody_is_called_for_what_was_answered(
    real_switchboard: Any, how: Callable[..., Any]
) -> None:
    shift(somebody("mira"))
    incident = case()
    paging.look(by="a test", now=NOW)
    call = Sending.objects.get(letter="page")
    numbers = give_up(call)
    reason = {"reason": "x"} if how == incidents.resolve else {}
    how(incident=incident.pk, actor=OFFICE, **reason)
    assert again(numbers) == outbox.Resent(over=1)
    # Nor where it was answered after it was asked for.
    call.notifications.update(state=STATE.WAITING, tries=0)
    assert outbox.send_due() == {"not needed": 1}
    assert not mail.outbox


# ---------------------------------------------------------------- too late


def test_that_it_is_off_is_not_said_after_it_is_over_and_no_all_clear_is_owed(
    real_switchboard: Any,
) -> None:
    made = released(2)
    reached = rows(made)[0]
    Notification.objects.filter(pk=reached.pk).update(state=STATE.SENT, sent_at=Now())
    sendings.resolve(incident=Incident.objects.get().pk, actor=OFFICE, reason="x")
    assert outbox.send_due() == {"not needed": 1}
    incident = Incident.objects.get()
    sendings.prepare_due(incident)
    clear = Sending.objects.get(letter="all_clear")
    assert people_of(clear) == [reached.user]


def test_what_somebody_writes_after_the_end_is_meant() -> None:
    made = released()
    incidents.resolve(incident=Incident.objects.get().pk, actor=OFFICE, reason="x")
    Sending.objects.filter(pk=made.pk).update(prepared_at=Now())
    assert outbox.send_due() == {"sent": 1}


def test_a_day_later_nobody_is_called() -> None:
    made = page("call@school.example")
    Sending.objects.update(prepared_at=F("prepared_at") - timedelta(hours=25))
    assert outbox.send_due() == {"not needed": 1}
    assert "too late" in rows(made)[0].error


# ---------------------------------------------------------------- a restored backup


def test_a_copy_of_the_school_sends_nothing_and_says_so(settings: Any) -> None:
    settings.OUTWARD_REQUESTS = False
    made = released()
    with capture_logs() as lines:
        assert outbox.send_due() == {}
    assert [one["event"] for one in lines] == ["outbox.nothing_goes_out"]
    assert said("send") == "Nothing goes out from here: OUTWARD_REQUESTS is false.\n"
    assert {(row.state, row.tries) for row in rows(made)} == {(STATE.WAITING, 0)}


def test_hold_lets_nothing_out_and_calls_nobody_until_a_person_wants_it(
    real_switchboard: Any,
) -> None:
    shift(somebody("mira"))
    made = released(2)
    opened = case()
    paging.look(by="a test", now=NOW)
    lines = said("outbox", "hold", "--reason", "restored from Tuesday")
    assert "2 held back, of 1 sendings" in lines
    assert "2 on-call pages closed, 2 of their calls" in lines
    for minutes in (0, 10, 20):
        paging.look(by="a test", now=NOW + timedelta(minutes=minutes))
        now_due()
        assert outbox.send_due() == {}
    assert [one.calls.count() for one in Page.objects.all()] == [1, 1]
    notes = IncidentEvent.objects.filter(kind=IncidentEvent.Kind.NOTE)
    assert {one.incident_id for one in notes} == {made.incident_id, opened.pk}
    assert all("restored from Tuesday" in one.payload["text"] for one in notes)
    made.refresh_from_db()
    assert made.state == Sending.State.PAUSED
    outbox.resume(sending=made.pk, actor=OFFICE)
    assert outbox.send_due() == {"sent": 2}
    assert incidents.check_chain(opened) is None


def test_what_is_held_of_the_staffs_goes_on_or_is_stopped_from_the_terminal() -> None:
    values = {one.name: one.sample for one in BY_KEY["hand_over"].variables}
    told = [Recipient(email="staff@school.example", language="en", values=values)]
    one, other = (
        outbox.tell(letter="hand_over", recipients=told, actor=OFFICE) for _number in range(2)
    )
    said("outbox", "hold", "--reason", "restored")
    assert "paused" in said("outbox")
    said("incident", "resume", str(one.pk))
    said("incident", "stop", str(other.pk), "--people", "1")
    assert outbox.send_due() == {"sent": 1}
    assert states(other) == {STATE.STOPPED}


def test_hold_needs_a_reason() -> None:
    released()
    with pytest.raises(CommandError, match="reason"):
        said("outbox", "hold", "--reason", " ")
    assert outbox.send_due() == {"sent": 1}
