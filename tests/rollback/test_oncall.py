"""Pages: opened, called, escalated, answered and closed; once, whoever looks."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.db.models.functions import Now

from enrollment.models import User
from rollback import evaluate, incidents, oncall, outbox, runner, tasks, triggers
from rollback.audit import ChangeRefused, actor_of
from rollback.domain import decisions
from rollback.domain.oncall import EVERYBODY
from rollback.management import oncall_words
from rollback.models import (
    DeafAddress,
    Flag,
    Heartbeat,
    Incident,
    IncidentEvent,
    Notification,
    OnCallPolicy,
    OnCallShift,
    Page,
    PageCall,
)
from rollback.oncall import paging, silence, telling
from rollback.oncall.policy import clock
from tests.rollback.oncall_rows import NOW, OFFICE, called, case, channel, shift, somebody, told

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("flag_rows")]
MINUTE = timedelta(minutes=1)


def look(after: timedelta = timedelta()) -> None:
    oncall.look(by="a test", now=NOW + after)


@pytest.fixture
def mira(db: Any) -> User:
    mira = somebody("mira")
    shift(mira)
    return mira


@pytest.fixture
def jon(db: Any) -> User:
    jon = somebody("jon", language="de")
    shift(jon, level=2)
    return jon


def test_an_incident_calls_the_first_then_the_next_then_everybody(
    mira: User, jon: User, admin: User
) -> None:
    incident = case()
    look()
    page = Page.objects.get()
    assert called(page) == [(1, "mira")]
    look(4.9 * MINUTE)
    assert called(page) == [(1, "mira")]
    look(5 * MINUTE)
    look(6 * MINUTE)
    assert called(page) == [(1, "mira"), (2, "jon")]
    look(10 * MINUTE)
    look(500 * MINUTE)
    assert called(page) == [(1, "mira"), (2, "jon"), (EVERYBODY, "")]
    page.refresh_from_db()
    assert (page.level, page.escalates_at) == (EVERYBODY, None)
    everybody = sorted([("page", "mira@school.example"), ("page", "jon@school.example")])
    everybody += [("page", admin.email)]
    assert told()[:2] == [("page", "mira@school.example"), ("page", "jon@school.example")]
    assert sorted(told()[2:]) == sorted(everybody)
    events = incident.events.filter(kind=IncidentEvent.Kind.PAGED).order_by("number")
    assert [event.payload for event in events] == [
        {"page": page.pk, "level": 1, "user": mira.pk, "people": 1},
        {"page": page.pk, "level": 2, "user": jon.pk, "people": 1},
        {"page": page.pk, "level": EVERYBODY, "user": None, "people": 3},
    ]
    assert incidents.check_chain(incident) is None


def test_the_policy_says_how_long_and_how_bad(mira: User, jon: User) -> None:
    OnCallPolicy.objects.create(escalate_minutes=2, page_severity=3)
    case(severity=4)
    case("Slow", severity=3)
    look()
    look(2 * MINUTE)
    [page] = Page.objects.all()
    assert page.incident is not None
    assert page.incident.title == "Slow"
    assert called(page) == [(1, "mira"), (2, "jon")]


@pytest.mark.parametrize("how", ["acknowledge", "decide", "resolve"])
def test_whoever_is_at_it_ends_the_calling(mira: User, jon: User, how: str) -> None:
    incident, actor = case(), actor_of(mira)
    look()
    if how == "acknowledge":
        incidents.acknowledge(incident=incident.pk, actor=actor)
    elif how == "decide":
        incidents.decide(
            incident=incident.pk, actor=actor, field=next(iter(decisions.BY_KEY)), reason="x"
        )
    else:
        incidents.resolve(incident=incident.pk, actor=actor, reason="x")
    look(60 * MINUTE)
    page = Page.objects.get()
    assert called(page) == [(1, "mira")]
    assert page.escalates_at is None
    assert (page.acknowledged_by == mira) is (how != "resolve")
    assert (page.closed_at is not None) is (how == "resolve")


def test_an_incident_that_somebody_has_already_calls_nobody(mira: User) -> None:
    incidents.acknowledge(incident=case().pk, actor=OFFICE)
    look()
    assert not Page.objects.exists()


def test_a_number_that_nobody_has_is_passed_over(jon: User) -> None:
    case()
    look()
    assert called(Page.objects.get()) == [(2, "jon")]


@pytest.mark.parametrize("fields", [{"is_active": False}, {"is_staff": False}, {"email": ""}])
def test_who_cannot_be_called_is_passed_over(mira: User, jon: User, fields: dict[str, Any]) -> None:
    User.objects.filter(pk=mira.pk).update(**fields)
    case()
    look()
    assert called(Page.objects.get()) == [(2, "jon")]


def test_with_nobody_on_call_everybody_who_may_switch_off_is_told_so(admin: User) -> None:
    somebody("idle").groups.clear()  # staff that may do nothing
    office = somebody("office")
    case()
    look()
    page = Page.objects.get()
    assert called(page) == [(EVERYBODY, "")]
    assert page.escalates_at is None
    assert [who for _letter, who in told()] == [admin.email, office.email]
    titles = set(Notification.objects.values_list("values__title", flat=True))
    assert titles == {"Calendar: errors (nobody is on call: everybody is told)"}


def test_with_nobody_at_all_the_page_is_there_and_says_it(db: Any) -> None:
    incident = case()
    look()
    assert called(Page.objects.get()) == [(EVERYBODY, "")]
    event = incident.events.get(kind=IncidentEvent.Kind.PAGED)
    assert event.payload["people"] == 0


def test_the_number_is_whose_it_is_when_it_is_called(mira: User, jon: User) -> None:
    """Whoever has the second number then, and not when the page was opened."""
    night = somebody("night")
    OnCallShift.objects.filter(user=jon).update(ends_at=NOW + MINUTE)
    OnCallShift.objects.create(
        user=night, level=2, starts_at=NOW + MINUTE, ends_at=NOW + 60 * MINUTE, handed_over_at=NOW
    )
    case()
    look()
    look(5 * MINUTE)
    assert called(Page.objects.get()) == [(1, "mira"), (2, "night")]


def test_the_mail_is_in_their_language_and_names_the_way(mira: User, jon: User) -> None:
    incident = case()
    look()
    look(5 * MINUTE)
    first, second = Notification.objects.order_by("pk")
    assert first.urgency == Notification.Urgency.PAGE
    assert "/on-call/acknowledge/" in first.values["acknowledge_link"]
    assert first.values["console_link"].endswith(f"/admin/rollback/incident/{incident.pk}/change/")
    assert first.values["severity"] == "2: a feature is off"
    assert first.values["escalates"]
    assert first.values["acknowledge_link"] != second.values["acknowledge_link"]


@pytest.mark.django_db(transaction=True)
def test_the_mail_goes_out(real_switchboard: Any) -> None:
    mira = somebody("mira")
    shift(mira)
    # A mailbox that was full may be back; whoever is on call is better called in vain than not at all.
    DeafAddress.objects.create(email=mira.email, why="bounced")
    case()
    look()
    assert outbox.send_due(urgency=Notification.Urgency.PAGE) == {"sent": 1}
    [sent] = mail.outbox
    assert sent.subject == "On call: Calendar: errors"
    assert "I am at it" in sent.body
    assert "the next one is called" in sent.body


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", ["", "de", "es"])
def test_every_letter_of_on_call_goes_out_without_a_gap(
    real_switchboard: Any, language: str
) -> None:
    row = shift(somebody("mira", language=language), now=clock(), hours=24 * 20)
    OnCallShift.objects.update(handed_over_at=None)
    case()
    oncall.look(by="a test")
    paging.open_silent(now=clock())
    test = Page.objects.create(kind=Page.Kind.TEST)
    for _call in range(2):
        Page.objects.filter(pk=test.pk).update(escalates_at=Now() - MINUTE)
        oncall.look(by="a test")
    outbox.send_due()
    assert set(Notification.objects.values_list("sending__letter", "state", "error")) == {
        (letter, "sent", "")
        for letter in ("page", "page_silent", "page_test", "test_unanswered", "hand_over")
    }
    assert len(mail.outbox) == 5
    assert row.user.email == mail.outbox[0].to[0]


@pytest.mark.django_db(transaction=True)
def test_twenty_looks_at_once_are_one_call(real_switchboard: Any) -> None:
    shift(somebody("mira"))
    shift(somebody("jon"), level=2)
    channel("https://hooks.example/x")
    case()
    at_once(20)
    [page] = Page.objects.all()
    assert called(page) == [(1, "mira")]
    assert told() == [("page", "mira@school.example"), ("page", "→ generic")]
    at_once(20, after=5 * MINUTE)
    assert called(page) == [(1, "mira"), (2, "jon")]
    incidents.acknowledge(incident=page.incident_id or 0, actor=OFFICE)
    at_once(20, after=6 * MINUTE)
    events = [
        row["event"] for row in Notification.objects.exclude(channel=None).order_by("pk")
        .values_list("values", flat=True)
    ]  # fmt: skip
    assert events == ["trigger", "trigger", "acknowledge"]


def at_once(number: int, *, after: timedelta = timedelta()) -> None:
    barrier = threading.Barrier(number)

    def one() -> None:
        barrier.wait()
        try:
            look(after)
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _number in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    look(after)  # whatever one of them had in its hands when the others passed


@pytest.mark.django_db(transaction=True)
def test_what_somebody_has_in_their_hands_is_not_waited_for(real_switchboard: Any) -> None:
    """Who acknowledges holds the incident: the look passes over it, and over nothing else."""
    from tests.rollback.others import other_session

    shift(somebody("mira"))
    held, other = case(), case("Slow")
    with other_session() as session:
        session.execute("SELECT FROM rollback_incident WHERE id = %s FOR UPDATE", [held.pk])
        look()
        assert [page.incident_id for page in Page.objects.all()] == [other.pk]
    look()
    assert Page.objects.count() == 2
    channel("https://hooks.example/x")
    incidents.acknowledge(incident=held.pk, actor=OFFICE)
    with other_session() as session:
        session.execute("SELECT FROM rollback_incident WHERE id = %s FOR UPDATE", [held.pk])
        look(MINUTE)
        assert not Notification.objects.exclude(channel=None).exists()
    look(MINUTE)
    assert Notification.objects.exclude(channel=None).count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("leg", ["evaluator", "worker"])
def test_both_legs_call(real_switchboard: Any, leg: str) -> None:
    shift(somebody("mira"), now=clock())
    case()
    if leg == "evaluator":
        assert evaluate.tick(by="a test")
    else:
        tasks.call_on_call()
    assert called(Page.objects.get()) == [(1, "mira")]


@pytest.mark.django_db(transaction=True)
def test_a_kill_waits_for_none_of_it(real_switchboard: Any) -> None:
    """With all its tables held by somebody, as a look that hangs would at worst."""
    from tests.rollback.others import other_session

    held = "rollback_page, rollback_pagecall, rollback_oncallshift, rollback_channel"
    with other_session() as session:
        session.execute(
            f"LOCK TABLE {held}, rollback_oncallpolicy, rollback_sending, rollback_notification"
            " IN ACCESS EXCLUSIVE MODE"
        )
        done = runner.roll_back(incident="Wrong times", actor=OFFICE, reason="x")
    assert done.incident.is_open
    assert Flag.objects.filter(everyone=False).count() == 4
    look()
    assert Page.objects.get().incident == done.incident


def test_a_mail_that_has_not_gone_out_by_then_wakes_nobody(mira: User, jon: User) -> None:
    incident = case()
    look()
    incidents.acknowledge(incident=incident.pk, actor=OFFICE)
    other = case("Slow")
    look(MINUTE)
    states = dict(Notification.objects.values_list("sending__incident", "state"))
    assert states == {incident.pk: "not needed", other.pk: "waiting"}


def test_a_call_that_was_given_up_is_not_made_once_somebody_is_at_it(mira: User) -> None:
    incident = case()
    look()
    Notification.objects.update(state="dead", error="550 no such mailbox")
    incidents.acknowledge(incident=incident.pk, actor=OFFICE)
    look(MINUTE)
    row = Notification.objects.get()
    assert (row.state, row.error) == ("not needed", "550 no such mailbox")


def test_a_copy_of_the_school_calls_nobody(mira: User, settings: Any) -> None:
    settings.OUTWARD_REQUESTS = False
    case()
    look()
    assert not paging.open_silent(now=NOW)
    assert not Page.objects.exists()
    assert "Nobody is called." in oncall_words.answer()[0]


def test_one_that_breaks_keeps_no_other_from_being_called(
    mira: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, other = case("Broken", severity=1), case()
    real = telling.call

    def call(page: Page, *args: Any, **facts: Any) -> Any:
        if page.incident_id == broken.pk:
            raise RuntimeError("broken")
        return real(page, *args, **facts)

    monkeypatch.setattr(telling, "call", call)
    look()
    assert [page.incident_id for page in Page.objects.all()] == [other.pk]


# ---------------------------------------------------------------- the weekly test

MONDAY = NOW - timedelta(days=2) + timedelta(hours=6)  # ten o'clock in Berlin


def look_at(moment: Any) -> None:
    oncall.look(by="a test", now=moment)


@pytest.fixture
def watched(db: Any) -> tuple[User, User]:
    mira, jon = somebody("mira"), somebody("jon")
    for level, user in ((1, mira), (2, jon)):
        shift(user, level=level, now=MONDAY, hours=24 * 30)
    return mira, jon


def test_once_a_week_a_test_that_has_to_be_answered(watched: tuple[User, User]) -> None:
    look_at(MONDAY - MINUTE)
    assert not Page.objects.exists()
    for minutes in (0, 1, 100, 1000):
        look_at(MONDAY + minutes * MINUTE)
    [page] = Page.objects.all()
    assert (page.kind, called(page)) == ("test", [(1, "mira")])
    assert told() == [("page_test", "mira@school.example")]
    oncall.acknowledge(page=page.pk, actor=actor_of(watched[0]))
    look_at(MONDAY + timedelta(days=2))
    assert told() == [("page_test", "mira@school.example")]
    page.refresh_from_db()
    assert page.closed_at is not None
    with pytest.raises(ChangeRefused):
        oncall.acknowledge(page=page.pk, actor=actor_of(watched[1]))


def test_a_test_that_nobody_answers_is_told_to_all_of_them(watched: tuple[User, User]) -> None:
    look_at(MONDAY)
    look_at(MONDAY + timedelta(hours=23))
    assert len(told()) == 1
    look_at(MONDAY + timedelta(hours=24))
    look_at(MONDAY + timedelta(hours=48))
    assert told()[1:] == [
        ("test_unanswered", "mira@school.example"),
        ("test_unanswered", "jon@school.example"),
    ]
    look_at(MONDAY + timedelta(days=7))
    old, new = Page.objects.order_by("pk")
    assert old.closed_at is not None
    assert called(new) == [(1, "mira")]


def test_no_test_where_nobody_is_on_call(admin: User) -> None:
    look_at(MONDAY)
    assert not Page.objects.exists()


# ---------------------------------------------------------------- hand-over


def test_whose_shift_begins_is_told_once_who_had_it_and_what_is_open(jon: User) -> None:
    before, mira = somebody("before"), somebody("mira")
    OnCallShift.objects.create(
        user=before, starts_at=NOW - 600 * MINUTE, ends_at=NOW, handed_over_at=NOW
    )
    OnCallShift.objects.create(user=mira, starts_at=NOW, ends_at=NOW + 600 * MINUTE)
    incidents.acknowledge(incident=case().pk, actor=OFFICE)
    look(-MINUTE)
    assert not told()
    look()
    look(MINUTE)
    assert told() == [("hand_over", "mira@school.example")]
    values = Notification.objects.get().values
    assert values["previous"] == "before"
    assert values["open"].endswith(": Calendar: errors")


def test_a_shift_is_handed_over_from_now_on(mira: User, jon: User) -> None:
    from rollback.oncall import roster

    row = OnCallShift.objects.get(user=mira)
    new = roster.hand_over(shift=row.pk, to=jon, now=NOW)
    row.refresh_from_db()
    assert (row.ends_at, new.starts_at, new.level) == (NOW, NOW, 1)
    assert roster.people_now(now=NOW)[1] == jon
    look()
    assert ("hand_over", "jon@school.example") in told()
    idle = somebody("idle", is_active=False)
    with pytest.raises(ChangeRefused, match="cannot be called"):
        roster.hand_over(shift=new.pk, to=idle, now=NOW + MINUTE)
    with pytest.raises(ChangeRefused, match="already"):
        roster.hand_over(shift=new.pk, to=jon, now=NOW + MINUTE)
    with pytest.raises(ChangeRefused, match="not over"):
        roster.hand_over(shift=row.pk, to=jon, now=NOW + MINUTE)
    assert OnCallShift.objects.filter(level=1).count() == 2


# ---------------------------------------------------------------- the watch itself


def beat(ago: timedelta) -> None:
    Heartbeat.objects.update_or_create(name=triggers.HEARTBEAT, defaults={"beat_at": Now() - ago})


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has seen it for long enough."""
    monkeypatch.setattr(silence, "_seen_since", None)
    monkeypatch.setattr(silence, "SEEN", 0.0)


@pytest.mark.usefixtures("seen")
def test_a_silent_watch_calls_once_and_escalates_without_it(db: Any) -> None:
    mira, jon = somebody("mira"), somebody("jon")
    now = clock()
    shift(mira, now=now)
    shift(jon, level=2, now=now)
    beat(timedelta(seconds=110))
    oncall.notice()
    assert not Page.objects.exists()
    beat(timedelta(seconds=130))
    oncall.notice()
    oncall.notice()
    [page] = Page.objects.all()
    assert (page.kind, called(page)) == ("silent", [(1, "mira")])
    Page.objects.update(escalates_at=Now() - MINUTE)
    oncall.notice()
    assert called(page) == [(1, "mira"), (2, "jon")]
    assert told() == [("page_silent", "mira@school.example"), ("page_silent", "jon@school.example")]
    beat(timedelta(seconds=1))
    oncall.look(by="the watch again")
    page.refresh_from_db()
    assert page.closed_at is not None
    beat(timedelta(minutes=3))
    oncall.notice()
    assert Page.objects.filter(closed_at=None).count() == 1


@pytest.mark.usefixtures("seen")
def test_while_the_watch_is_silent_incidents_call_all_the_same(db: Any) -> None:
    shift(somebody("mira"), now=clock())
    case()
    beat(timedelta(minutes=3))
    oncall.notice()
    assert sorted(Page.objects.values_list("kind", flat=True)) == ["incident", "silent"]


def test_silence_at_the_start_calls_nobody(mira: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "_seen_since", None)
    beat(timedelta(hours=9))
    oncall.notice()
    beat(timedelta())
    oncall.notice()
    assert silence._seen_since is None
    assert not Page.objects.exists()


def test_channels_hear_the_end(mira: User) -> None:
    channel("https://hooks.example/x")
    channel("https://hooks.example/y", kind="slack", is_active=False)
    incident = case()
    look()
    incidents.acknowledge(incident=incident.pk, actor=OFFICE)
    look(MINUTE)
    incidents.resolve(incident=incident.pk, actor=OFFICE, reason="x")
    look(2 * MINUTE)
    look(3 * MINUTE)
    rows = Notification.objects.exclude(channel=None).order_by("pk")
    assert [row.values["event"] for row in rows] == ["trigger", "acknowledge", "resolve"]
    assert len({row.values["key"] for row in rows}) == 1
    assert Incident.objects.get().resolved_at is not None
    assert PageCall.objects.count() == 1
