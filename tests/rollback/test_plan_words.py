"""Plans from the terminal, and what a person's copy and deletion do with them."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from rollback import audit, plans, runner
from rollback.models import (
    Draining,
    Flag,
    Heartbeat,
    Incident,
    Latch,
    Plan,
    PlanStep,
    Switchboard,
    Verification,
)
from rollback.personal import engine
from rollback.runner import Actor
from tests.conftest import make_user

MASTER = "ENABLE_TEACHER_SCHEDULING"
CALENDAR = "ENABLE_CALENDAR_DISPLAY"
ACTOR = Actor(name="a test")


@pytest.fixture(autouse=True)
def all_on(flag_rows: None) -> None:
    for name in (MASTER, CALENDAR):
        runner.set_share(flag=name, percent=Decimal(100), actor=ACTOR, reason="a test begins")


def say(*words: str) -> str:
    said = StringIO()
    call_command("rollback", *words, stdout=said)
    return said.getvalue()


def refused(*words: str) -> str:
    with pytest.raises(CommandError) as refusal:
        call_command("rollback", *words, stdout=StringIO())
    return str(refusal.value)


def share(name: str) -> float:
    return float(Flag.objects.get(name=name).percent)


def test_down_takes_the_first_step_and_says_whom_it_concerned_and_when_the_next_is_due() -> None:
    make_user("ada@school.example")
    said = say("plan", "down", MASTER, "--steps", "0.01:60,0", "--reason", "too slow")
    plan = Plan.objects.get()
    assert f"{plan.pk}  RUNNING  down, step 1 of 2  [{MASTER}]" in said
    assert "1 user, 0 with drafts (0 enrolling now), 0 teachers, 0 held times, 1 mail" in said
    assert "due at" in said
    assert "rollback run" in said
    assert (plan.mode, share(MASTER), share(CALENDAR)) == ("drain", 0.01, 100)


def test_without_a_flag_all_of_them_and_with_an_incident_they_are_latched() -> None:
    said = say("plan", "down", "--steps", "0", "--reason", "too slow", "--incident", "Slow")
    incident = Incident.objects.get()
    assert f"Incident {incident.pk} is open" in said
    assert Latch.objects.filter(incident=incident).count() == 4
    assert Plan.objects.get().incident == incident
    Heartbeat.objects.create(name="triggers", by="a test")
    Verification.objects.create(by_name="a test", ended_at=timezone.now(), passed=True)
    assert f"incident {incident.pk}" in refused("plan", "up", "--reason", "mended")


def test_a_start_that_is_refused_opens_no_incident() -> None:
    say("plan", "down", "--reason", "too slow")
    plan = Plan.objects.get()
    text = refused("plan", "down", "--reason", "again", "--incident", "Slow")
    assert f"Plan {plan.pk} is at it already" in text
    assert not Incident.objects.exists()
    assert not Latch.objects.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("plan", "down", "--steps", "50;25", "--reason", "x"), "“50;25” is no step"),
        (("plan", "down", "--steps", "25,50", "--reason", "x"), "smaller"),
        (("plan", "down", "ENABLE_NOTHING", "--reason", "x"), "There is no flag"),
        (("plan", "down", "--reason", " "), "reason"),
        (("plan", "down", "--patience", "-1", "--reason", "x"), "between 0 seconds and 7 days"),
        (("plan", "down", "--patience", "99999999999", "--reason", "x"), "Patience is between"),
        (("plan", "up", "--reason", "x"), "Nobody is evaluating"),
        (("plan", "show", "0"), "There is no plan 0"),
        (("plan", "pause", "0", "--reason", "x"), "There is no plan 0"),
        (("blast", "--to", "120"), "between 0 and 100"),
        (("blast", "--to", "half"), "is no step"),
        (("blast", "ENABLE_NOTHING", "--to", "5"), "There is no flag"),
    ],
)
def test_what_cannot_be_says_what_to_do(words: tuple[str, ...], says: str) -> None:
    assert says in refused(*words)


def test_listed_shown_paused_resumed_finished() -> None:
    assert say("plan", "list") == "There has been no plan.\n"
    say("plan", "down", "--reason", "too slow")
    number = str(Plan.objects.get().pk)
    assert "PAUSED" in say("plan", "pause", number, "--reason", "let me look")
    assert "let me look" in say("plan", "show", number)
    assert "RUNNING" in say("plan", "resume", number, "--reason", "looked")
    assert "done" in say("plan", "finish", number, "--reason", "enough")
    assert share(MASTER) == 0
    assert "nothing to change" in say("plan", "show", number)
    assert f"{number}  done  down, step 3 of 3" in say("plan", "list")


def test_aborted() -> None:
    say("plan", "down", "--reason", "too slow")
    assert "aborted" in say("plan", "abort", str(Plan.objects.get().pk), "--reason", "no need")
    assert share(MASTER) == 50


def test_run_once_takes_what_is_due() -> None:
    plan = plans.start(
        direction="down",
        flags=[MASTER],
        steps=[(Decimal(50), 0), (Decimal(25), 0), (Decimal(0), 600)],
        actor=ACTOR,
        reason="too slow",
    )
    missing = refused("run", "--once", "--plan", str(plan.pk + 1))
    assert missing == f"There is no plan {plan.pk + 1}. See manage.py rollback plan list."
    assert say("run", "--once") == "2 steps taken.\n"
    assert say("run", "--once") == ""


def test_blast_changes_nothing() -> None:
    make_user("ada@school.example")
    version = Switchboard.objects.get().version
    assert say("blast", "--to", "0") == (
        "Down to 0 %: 1 user, 0 with drafts (0 enrolling now), 0 teachers, 0 held times, 1 mail\n"
    )
    assert Switchboard.objects.get().version == version


def test_blast_says_which_way_it_goes() -> None:
    make_user("ada@school.example")
    for name in Flag.objects.values_list("name", flat=True):
        runner.set_share(flag=name, percent=Decimal(0), actor=ACTOR, reason="a test")
    assert say("blast", "--to", "0") == ("At 0 % nothing changes: nobody gets or loses anything.\n")
    assert say("blast", "--to", "100").startswith("Up to 100 %: 1 user, ")
    runner.set_share(flag=MASTER, percent=Decimal(100), actor=ACTOR, reason="a test")
    mixed = say("blast", MASTER, CALENDAR, "--to", "50").splitlines()
    assert [line.partition(":")[0] for line in mixed] == [
        f"Down to 50 % ({MASTER})",
        f"Up to 50 % ({CALENDAR})",
    ]
    runner.kill(flag=MASTER, actor=ACTOR, reason="a test")
    assert say("blast", MASTER, "--to", "100").startswith("Up to 100 %: 1 user, ")


class TestPersonal:
    @pytest.fixture
    def person(self, settings: Any) -> Any:
        user = make_user("ada@school.example")
        other = make_user("bert@school.example")
        plan = plans.start(
            direction="down",
            flags=[MASTER],
            steps=[(Decimal(0), 0)],
            actor=runner.actor_of(user),
            reason="too slow",
        )
        assert plan.steps.get().people == [user.pk, other.pk]
        with audit.told(actor=ACTOR, reason="a test"):
            Draining.objects.create(
                flag_name=MASTER, user=user, until=timezone.now() + timedelta(minutes=5)
            )
        return user

    def test_the_copy(self, person: Any) -> None:
        copy = engine.export_plans(user=person)
        assert copy["plans"][0]["reason"] == "too slow"
        assert copy["features_changed_for_you"][0]["percent"] == 0
        assert copy["features_kept_longer"][0]["flag_name"] == MASTER

    def test_erased_the_numbers_stay_and_the_person_does_not(self, person: Any) -> None:
        assert engine.concerns_plans(user=person)
        engine.erase_plans(user=person, now=timezone.now())
        step = PlanStep.objects.get()
        assert (person.pk in step.people, len(step.people), step.blast["users"]) == (False, 1, 2)
        assert Plan.objects.get().actor_name == f"person {person.pk}"
        assert not Draining.objects.exists()

    def test_whom_no_plan_concerns(self, db: Any) -> None:
        user = make_user("cleo@school.example")
        version = Switchboard.objects.get().version
        assert not engine.concerns_plans(user=user)
        engine.erase_plans(user=user, now=timezone.now())
        assert Switchboard.objects.get().version == version
