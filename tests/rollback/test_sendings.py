"""From the kill to the all-clear: what is prepared when, to whom, once, and never too early."""

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from enrollment.models import Course, Student, User
from rollback import affected, aftermath, incidents, outbox, runner, sendings
from rollback.audit import Actor, ChangeRefused
from rollback.limits import limited
from rollback.models import (
    AffectedPerson,
    EnrollmentDraft,
    Flag,
    Incident,
    IncidentEvent,
    Notification,
    OnCallPolicy,
    Plan,
    Sending,
)
from rollback.outbox import preparing
from tests.conftest import make_student
from tests.enrollment.crowd import at_once, no_deadlock
from tests.rollback.flag_rows import seed_flags

PERSON = Actor(name="a person")
MASTER, CALENDAR, API = (
    "ENABLE_TEACHER_SCHEDULING",
    "ENABLE_CALENDAR_DISPLAY",
    "ENABLE_AVAILABILITY_API",
)
State = Sending.State
__all__ = ["no_deadlock"]


@pytest.fixture(autouse=True)
def school(transactional_db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seed_flags()
    for flag in (MASTER, CALENDAR, API):
        runner.set_share(flag=flag, percent=Decimal(100), actor=PERSON, reason="x")
    # Its own subject, and its own tests.
    monkeypatch.setattr(aftermath, "_look_at", lambda incident, *, by: None)


@pytest.fixture
def enrolling(course: Course) -> Callable[[str], Student]:
    def make(name: str) -> Student:
        student = make_student(f"{name}@school.example")
        now = timezone.now() - timedelta(hours=1)
        EnrollmentDraft.objects.create(
            student=student, course=course, answers={"note": "mine"}, saved_at=now, started_at=now
        )
        return student

    return make


def roll_back(*flags: str, kind: str = "errors") -> Incident:
    done = runner.roll_back(
        flags=flags or (CALENDAR,), incident="Errors", actor=PERSON, reason="4 %", kind=kind
    )
    return done.incident


def look() -> None:
    """As if it were a minute since the last."""
    aftermath._looked.clear()
    aftermath.look(by="the tick")


def told(sending: Sending) -> list[str]:
    found = sending.notifications.order_by("user__email")
    return [email.split("@")[0] for email in found.values_list("user__email", flat=True)]


def prepared(incident: Incident) -> list[tuple[str, int, str, list[str]]]:
    found = Sending.objects.filter(incident=incident).order_by("pk")
    return [(one.letter, one.number, one.state, told(one)) for one in found]


def send(incident: Incident, letter: str, number: int = 1) -> Sending:
    found = Sending.objects.get(incident=incident, letter=letter, number=number)
    outbox.release(sending=found.pk, actor=PERSON)
    outbox.send_due()
    return found


def bring_back(*flags: str) -> None:
    for flag in flags:
        runner.restore(flag=flag, percent=Decimal(100), actor=PERSON, reason="x")


def test_from_the_kill_to_the_all_clear(enrolling: Callable[[str], Student]) -> None:
    """Held until a person releases it, each once; only who was told hears that it is over."""
    enrolling("ada")
    make_student("other@school.example")
    incident = roll_back()
    assert prepared(incident) == []  # a kill waits for nothing
    for _again in range(3):
        look()
    assert prepared(incident) == [("enrollment", 1, "held", ["ada"])]
    assert mail.outbox == []
    send(incident, "enrollment")
    assert [one.subject for one in mail.outbox] == ["Your enrollment has been saved"]
    enrolling("later")
    look()
    sendings.resolve(incident=incident.pk, actor=PERSON, reason="mended")
    assert prepared(incident)[1:] == [("all_clear", 1, "held", ["ada"])]
    look()
    assert len(prepared(incident)) == 2  # off still, so nothing is said to be back
    bring_back(CALENDAR)
    for _again in range(3):
        look()
    assert prepared(incident)[2:] == [("restored", 1, "held", ["ada"])]
    send(incident, "all_clear")
    send(incident, "restored")
    assert len(mail.outbox) == 3
    look()
    assert [state for _letter, _number, state, _told in prepared(incident)] == ["done"] * 3
    said = incident.events.filter(kind=IncidentEvent.Kind.MAILED).order_by("number")
    assert [(one.payload["letter"], one.payload["what"]) for one in said] == [
        ("enrollment", "prepared"),
        ("enrollment", "released"),
        ("enrollment", "done"),
        ("all_clear", "prepared"),
        ("restored", "prepared"),
        ("all_clear", "released"),
        ("all_clear", "done"),
        ("restored", "released"),
        ("restored", "done"),
    ]
    assert incidents.check_chain(incident) is None


def test_too_slow_is_told_to_all_of_them_as_the_doors_say_it(
    enrolling: Callable[[str], Student],
) -> None:
    enrolling("ada")
    make_student("other@school.example")
    slow = roll_back(CALENDAR, kind="slow")
    look()
    assert prepared(slow) == [("simplified", 1, "held", ["ada", "marta", "other"])]
    # No door says it of this feature.
    other = roll_back(API, kind="slow")
    look()
    assert [letter for letter, *_rest in prepared(other)] == ["enrollment"]


def test_of_a_case_nobody_is_told_by_itself(enrolling: Callable[[str], Student]) -> None:
    enrolling("ada")
    case = incidents.open_case(title="Odd", flags=[CALENDAR], actor=PERSON, cause="x")
    assert case is not None
    look()
    sendings.resolve(incident=case.pk, actor=PERSON, reason="nothing")
    look()
    assert AffectedPerson.objects.filter(incident=case, reasons__contains=["draft"]).count() == 1
    assert prepared(case) == []


def test_whoever_got_nothing_gets_no_all_clear(enrolling: Callable[[str], Student]) -> None:
    """Never released, stopped, or given up: none of them has reached anybody."""
    ada, bob = enrolling("ada"), enrolling("bob")
    incident = roll_back()
    look()
    sending = Sending.objects.get()
    outbox.release(sending=sending.pk, actor=PERSON)
    Notification.objects.filter(user=ada.user).update(state=Notification.State.DEAD)
    Notification.objects.filter(user=bob.user).update(state=Notification.State.STOPPED)
    sendings.resolve(incident=incident.pk, actor=PERSON, reason="mended")
    bring_back(CALENDAR)
    look()
    assert [letter for letter, *_rest in prepared(incident)] == ["enrollment"]
    # It was tried again, and has reached her late.
    Notification.objects.filter(user=ada.user).update(state=Notification.State.SENT)
    look()
    assert [one[0::3] for one in prepared(incident)][1:] == [
        ("all_clear", ["ada"]),
        ("restored", ["ada"]),
    ]


def test_not_over_before_they_know_that_it_began(enrolling: Callable[[str], Student]) -> None:
    """An all-clear must not overtake; who was late comes later, with a number of their own."""
    ada, bob = enrolling("ada"), enrolling("bob")
    incident = roll_back()
    look()
    outbox.release(sending=Sending.objects.get().pk, actor=PERSON)
    sendings.resolve(incident=incident.pk, actor=PERSON, reason="mended")
    rows = Notification.objects.filter(sending__letter="enrollment")
    rows.filter(user=ada.user).update(state="sent", tries=1)
    look()
    assert len(prepared(incident)) == 1  # one has not been tried at all yet
    rows.filter(user=bob.user).update(tries=1, next_at=timezone.now() + timedelta(hours=1))
    look()
    assert prepared(incident)[1:] == [("all_clear", 1, "held", ["ada"])]
    rows.filter(user=bob.user).update(state="sent")
    look()
    assert prepared(incident)[2:] == [("all_clear", 2, "held", ["bob"])]


def test_who_is_concerned_since_is_told_and_nobody_twice(
    enrolling: Callable[[str], Student],
) -> None:
    enrolling("ada")
    incident = roll_back()
    look()
    enrolling("bob")  # who had begun in time
    runner.take_away(incident=incident.pk, flags=[API], actor=PERSON, reason="as well")
    look()
    look()
    assert prepared(incident) == [
        ("enrollment", 1, "held", ["ada"]),
        ("enrollment", 2, "held", ["bob"]),
    ]


def test_a_plan_that_brings_it_back_is_waited_for(enrolling: Callable[[str], Student]) -> None:
    enrolling("ada")
    incident = roll_back()
    look()
    send(incident, "enrollment")
    sendings.resolve(incident=incident.pk, actor=PERSON, reason="mended")
    plan = Plan.objects.create(
        direction="up", flags=[CALENDAR], actor_name="x", reason="x", state="running"
    )
    runner.restore(flag=CALENDAR, percent=Decimal(5), actor=PERSON, reason="x")
    look()
    assert [letter for letter, *_rest in prepared(incident)] == ["enrollment", "all_clear"]
    Plan.objects.filter(pk=plan.pk).update(state="done", ended_at=timezone.now())
    runner.kill(flag=MASTER, actor=PERSON, reason="another thing")
    look()
    assert len(prepared(incident)) == 2  # on, but nobody has it: its master is off
    runner.restore(flag=MASTER, percent=None, actor=PERSON, reason="x")
    look()
    assert prepared(incident)[2:] == [("restored", 1, "held", ["ada"])]


def test_what_the_policy_lists_goes_out_by_itself(enrolling: Callable[[str], Student]) -> None:
    """But an all-clear of which no verification knows waits for a person all the same."""
    OnCallPolicy.objects.update_or_create(pk=1, defaults={"by_itself": ["enrollment", "all_clear"]})
    enrolling("ada")
    unverified, verified = roll_back(CALENDAR), roll_back(API)
    Incident.objects.filter(pk=verified.pk).update(verified_at=timezone.now())
    look()
    assert outbox.send_due() == {"sent": 2}
    for incident in (unverified, verified):
        sendings.resolve(incident=incident.pk, actor=PERSON, reason="mended")
    assert prepared(unverified)[1][:3] == ("all_clear", 1, State.HELD)
    assert prepared(verified)[1][:3] == ("all_clear", 1, State.GOING)
    assert Sending.objects.get(incident=verified, letter="all_clear").released_by is None


@pytest.mark.parametrize("wrong", [["enrolment"], ["page"], "enrollment", {"a": 1}, [1]])
def test_a_policy_lists_letters_that_there_are(wrong: Any) -> None:
    OnCallPolicy(by_itself=["enrollment", "restored"]).clean()
    with pytest.raises(ValidationError, match="Not a letter that goes out by itself") as refused:
        OnCallPolicy(by_itself=wrong).clean()
    assert set(refused.value.message_dict) == {"by_itself"}


def test_many_at_once_prepare_one_and_release_it_once(
    enrolling: Callable[[str], Student], no_deadlock: None
) -> None:
    enrolling("ada")
    incident = roll_back()
    assert at_once(*[look] * 20) == [None] * 20
    [(letter, number, _state, people)] = prepared(incident)
    assert (letter, number, people) == ("enrollment", 1, ["ada"])
    sending = Sending.objects.get()
    answers = at_once(*[lambda: outbox.release(sending=sending.pk, actor=PERSON, people=1)] * 20)
    assert sum(isinstance(one, Sending) for one in answers) == 1
    assert sum(isinstance(one, ChangeRefused) for one in answers) == 19
    assert outbox.send_due() == {"sent": 1}
    resolved = at_once(
        *[lambda: sendings.resolve(incident=incident.pk, actor=PERSON, reason="x")] * 20
    )
    assert sum(isinstance(one, Incident) for one in resolved) == 1
    at_once(*[look] * 20)
    assert [one[:2] for one in prepared(incident)] == [("enrollment", 1), ("all_clear", 1)]
    assert incidents.check_chain(incident) is None


def test_killed_between_counting_and_preparing(
    enrolling: Callable[[str], Student], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whom it concerns is known by then; the next look prepares the letter."""
    enrolling("ada")
    incident = roll_back()
    child = os.fork()
    if not child:  # its session is its own
        connection.connect()
        setattr(sendings, "prepare_alone", lambda incident: os.kill(os.getpid(), signal.SIGKILL))  # noqa: B010
        look()
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    people = AffectedPerson.objects.filter(incident=incident, reasons__contains=["draft"])
    assert people.count() == 1
    assert not Sending.objects.exists()
    look()
    assert prepared(incident) == [("enrollment", 1, "held", ["ada"])]


def test_a_letter_that_cannot_be_prepared_costs_no_people_and_comes_with_the_next_look(
    enrolling: Callable[[str], Student], monkeypatch: pytest.MonkeyPatch
) -> None:
    enrolling("ada")
    incident = roll_back()

    def breaks(**asked: Any) -> Sending:
        raise ValueError("a letter that breaks")

    monkeypatch.setattr(outbox, "prepare", breaks)
    look()
    people = AffectedPerson.objects.filter(incident=incident, reasons__contains=["draft"])
    assert people.count() == 1
    assert prepared(incident) == []
    monkeypatch.undo()
    monkeypatch.setattr(aftermath, "_look_at", lambda incident, *, by: None)
    look()
    assert len(prepared(incident)) == 1


def _take_away(incident: Incident) -> None:
    with limited(lock="3s"):  # one that would wait raises
        runner.take_away(incident=incident.pk, flags=[API], actor=PERSON, reason="as well")


@pytest.mark.parametrize("by_itself", [[], ["enrollment"]])
def test_a_kill_waits_for_no_letters(
    course: Course, monkeypatch: pytest.MonkeyPatch, by_itself: list[str]
) -> None:
    """For an incident of thousands, whose letters are all inserted and not committed: nothing of them holds
    the incident before its line is written, and nothing is left for COMMIT after it."""
    OnCallPolicy.objects.update_or_create(pk=1, defaults={"by_itself": by_itself})
    crowd(course, 3000)
    incident = roll_back()
    say = preparing.say
    seen: list[Any] = []

    def held_open(sending: Sending, **said: Any) -> None:
        if not seen:
            seen.append(sending.notifications.count())
            [done] = at_once(lambda: _take_away(incident))
            seen.append(done)
        with CaptureQueriesContext(connection) as asked:
            say(sending, **said)
        assert not any("rollback_notification" in one["sql"] for one in asked)

    monkeypatch.setattr(preparing, "say", held_open)
    look()
    people, done = seen
    assert people == 3000
    assert not isinstance(done, BaseException), done
    assert Flag.objects.get(name=API).is_killed
    [(letter, number, state, told_people)] = prepared(incident)
    assert (letter, number, len(told_people)) == ("enrollment", 1, 3000)
    assert state == ("going" if by_itself else "held")
    assert set(Notification.objects.values_list("state", flat=True)) == {
        "waiting" if by_itself else "held"
    }
    assert incidents.check_chain(incident) is None


def test_nobody_is_asked_again_while_nothing_has_happened(
    enrolling: Callable[[str], Student],
) -> None:
    """What reads all that was written to its people is asked when something has happened."""

    def asked(*, later: float = 0) -> int:
        for pk, (opened_at, mark, at) in aftermath._looked.items():
            aftermath._looked[pk] = opened_at, mark, at - later
        with CaptureQueriesContext(connection) as queries:
            aftermath.look(by="the tick")
        return sum("WITH written AS" in one["sql"] for one in queries)

    ada = enrolling("ada")
    incident = roll_back()
    assert asked() == 1
    assert asked() == 1  # it has written lines itself
    assert [asked(later=3600), asked()] == [0, 0]
    send(incident, "enrollment")
    assert [asked(), asked(later=3600)] == [1, 0]
    sendings.resolve(incident=incident.pk, actor=PERSON, reason="mended")
    assert [asked(), asked(), asked(later=61)] == [1, 0, 1]  # it may come back at any time
    send(incident, "all_clear")
    bring_back(CALENDAR)
    asked(later=61)
    send(incident, "restored")
    assert asked() == 1
    # All is prepared, and nothing waits.
    assert [asked(later=3600), asked(later=3600)] == [0, 0]
    # But who was given up, and is tried again, may have to hear of it.
    row = Notification.objects.get(user=ada.user, sending__letter="restored")
    for state in ("dead", "waiting", "sent"):
        Notification.objects.filter(pk=row.pk).update(state=state)
        assert [asked(later=61), asked()] == [1, 0]
    assert asked(later=61) == 0


def test_who_is_being_erased_does_not_hold_up_the_resolving(
    enrolling: Callable[[str], Student],
) -> None:
    """The all-clear comes with the next look then."""
    ada = enrolling("ada")
    incident = roll_back()
    look()
    send(incident, "enrollment")

    def resolve() -> list[str]:
        sendings.resolve(incident=incident.pk, actor=PERSON, reason="mended")
        return [letter for letter, *_rest in prepared(incident)]

    with transaction.atomic():
        User.objects.select_for_update().get(pk=ada.user_id)
        assert at_once(resolve) == [["enrollment"]]
    look()
    assert [letter for letter, *_rest in prepared(incident)] == ["enrollment", "all_clear"]


def crowd(course: Course, people: int) -> None:
    """In the middle of enrolling, all of them."""
    users = User.objects.bulk_create(
        [User(email=f"{people}-{number}@school.example") for number in range(people)]
    )
    students = Student.objects.bulk_create([Student(user=user, zone="UTC") for user in users])
    now = timezone.now() - timedelta(hours=1)
    EnrollmentDraft.objects.bulk_create(
        EnrollmentDraft(student=one, course=course, saved_at=now, started_at=now)
        for one in students
    )


def test_as_many_queries_for_a_thousand_as_for_ten(course: Course) -> None:
    def queries(people: int) -> int:
        Flag.objects.filter(name=CALENDAR).update(everyone=None)
        crowd(course, people)
        incident = incidents.open_with_latches(title="x", flags=[CALENDAR], actor=PERSON, cause="x")
        affected.freeze(incident)
        with CaptureQueriesContext(connection) as asked:
            sendings.prepare_due(incident)
        assert Notification.objects.filter(sending__incident=incident).count() >= people
        return len(asked)

    assert queries(10) == queries(1000)


# ---------------------------------------------------------------- by hand


def test_a_further_update_by_hand_says_what_is_new(enrolling: Callable[[str], Student]) -> None:
    enrolling("ada")
    incident = roll_back()
    look()
    first = send(incident, "enrollment")
    second = sendings.write(
        incident=incident,
        letter="enrollment",
        actor=PERSON,
        reasons=["draft"],
        seen=first.pk,
        news={"en": "We have found the cause."},
        next_news_at=timezone.now() + timedelta(minutes=20),
    )
    assert (second.number, second.state, told(second)) == (2, State.HELD, ["ada"])
    send(incident, "enrollment", 2)
    assert "We have found the cause." in mail.outbox[-1].body


def test_by_hand_nothing_is_prepared_that_is_not_true(
    enrolling: Callable[[str], Student],
) -> None:
    enrolling("ada")
    incident = roll_back()
    look()

    def write(letter: str, reasons: list[str] = ["draft"], seen: int = 10**9) -> Sending:  # noqa: B006
        incident.refresh_from_db()
        return sendings.write(
            incident=incident, letter=letter, actor=PERSON, reasons=reasons, seen=seen
        )

    for letter in ("all_clear", "restored"):
        with pytest.raises(ChangeRefused, match="is open: resolve it first"):
            write(letter)
    with pytest.raises(ChangeRefused, match="is no letter to the affected people"):
        write("page")
    with pytest.raises(ChangeRefused, match="nobody to be told for these reasons"):
        write("enrollment", ["teacher"])
    with pytest.raises(ChangeRefused, match="has prepared “Enrollment affected” meanwhile"):
        write("enrollment", seen=0)
    sendings.resolve(incident=incident.pk, actor=PERSON, reason="mended")
    with pytest.raises(ChangeRefused, match="Nobody of them has got an earlier letter"):
        write("all_clear")
    with pytest.raises(ChangeRefused, match="Not everything that was taken away is back"):
        write("restored")
    assert [letter for letter, *_rest in prepared(incident)] == ["enrollment"]
