"""Plans: started once, stepped when it is time, held back where it has to be; every refusal."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from rollback import incidents, plans, quiet, runner, verification
from rollback.domain.plans import DOWN, UP, Step, next_due, parsed
from rollback.domain.triggers import NONE_AT_ALL, TOO_FEW
from rollback.domain.verification import Found, ProbeFailed
from rollback.models import (
    Flag,
    FlagChange,
    Heartbeat,
    Incident,
    IncidentEvent,
    Judgment,
    Latch,
    Plan,
    Trigger,
    Verification,
)
from rollback.runner import Actor, ChangeRefused
from tests.conftest import make_user
from tests.rollback.flag_rows import changes

MASTER = "ENABLE_TEACHER_SCHEDULING"
CALENDAR = "ENABLE_CALENDAR_DISPLAY"
AVAILABILITY = "ENABLE_AVAILABILITY_API"
ACTOR = Actor(name="a test")
MACHINE = Actor(name="trigger errors", automatic=True)
RUNNER = "a runner"
AT_ONCE = ((Decimal(50), 0), (Decimal(25), 0), (Decimal(0), 0))


@pytest.fixture
def all_on(flag_rows: None) -> None:
    for name in (MASTER, CALENDAR, AVAILABILITY):
        runner.set_share(flag=name, percent=Decimal(100), actor=ACTOR, reason="a test begins")


def down(**options: Any) -> Plan:
    usual: dict[str, Any] = {"steps": DOWN, "actor": ACTOR, "reason": "too slow", "flags": [MASTER]}
    return plans.start(direction="down", **{**usual, **options})


def up(**options: Any) -> Plan:
    usual: dict[str, Any] = {"steps": UP, "actor": ACTOR, "reason": "mended", "flags": [MASTER]}
    return plans.start(direction="up", **{**usual, **options})


def share(flag: str = MASTER) -> float:
    return float(Flag.objects.get(name=flag).percent)


def later(plan: Plan, seconds: float) -> None:
    """As if its last step had been taken so long before."""
    for step in plan.steps.exclude(done_at=None):
        assert step.done_at is not None
        plan.steps.filter(pk=step.pk).update(done_at=step.done_at - timedelta(seconds=seconds))


def state(plan: Plan) -> str:
    plan.refresh_from_db()
    return plan.state


def all_is_well(**verdicts: str) -> None:
    facts = {name.replace("_", "-"): {"verdict": verdict} for name, verdict in verdicts.items()}
    Heartbeat.objects.update_or_create(
        name="engine", defaults={"beat_at": timezone.now(), "by": "a test", "verdicts": facts}
    )
    verified()


def verified(*, seconds_ago: float = 0, passed: bool = True) -> Verification:
    at = timezone.now() - timedelta(seconds=seconds_ago)
    made: Verification = Verification.objects.create(
        by_name="a test", started_at=at, ended_at=at, passed=passed
    )
    return made


def says(**facts: Any) -> None:
    """The trigger of the tests came to this, with the latest evaluation."""
    usual = {"verdict": "UNKNOWN", "words": "so it is", "total": 3, "rate": None}
    Heartbeat.objects.update(verdicts={"errors-test": usual | facts})


def trigger(name: str = "errors-test", **fields: Any) -> Trigger:
    usual: dict[str, Any] = {"flags": [MASTER], "metric": "requests", "method": "sustained share"}
    usual |= {"threshold": 0.02, "window_seconds": 60, "action": "kill", "title": name}
    made: Trigger = Trigger.objects.create(name=name, **{**usual, **fields})
    return made


def judged(verdict: str, *, seconds_ago: float, name: str = "errors-test") -> None:
    one = Judgment.objects.create(
        trigger_name=name, version=1, verdict=verdict, words="-", evidence={}
    )
    at = timezone.now() - timedelta(seconds=seconds_ago)
    Judgment.objects.filter(pk=one.pk).update(judged_at=at)


class TestDown:
    def test_the_first_step_is_taken_at_once_and_the_next_when_its_time_has_come(
        self, all_on: None
    ) -> None:
        plan = down()
        assert (share(), state(plan)) == (50, "running")
        assert plans.advance_due(by=RUNNER) == 0
        later(plan, 299)
        assert plans.advance_due(by=RUNNER) == 0
        assert share() == 50
        later(plan, 2)
        assert plans.advance_due(by=RUNNER) == 1
        assert share() == 25
        later(plan, 301)
        assert plans.advance_due(by=RUNNER) == 1
        assert (share(), state(plan)) == (0, "done")
        assert plan.ended_at is not None
        assert plans.advance_due(by=RUNNER) == 0

    def test_steps_above_the_present_share_are_passed_by(self, all_on: None) -> None:
        runner.set_share(flag=MASTER, percent=Decimal(30), actor=ACTOR, reason="by hand")
        plan = down()
        assert share() == 25
        assert [step.blast.get("skipped", False) for step in plan.steps.all()] == [
            True,
            False,
            False,
        ]
        assert plans.advance_due(by=RUNNER) == 0, "the wait counts from the step that did something"

    def test_who_lowered_it_meanwhile_is_not_undone(self, all_on: None) -> None:
        plan = down()
        runner.set_share(flag=MASTER, percent=Decimal(5), actor=ACTOR, reason="by hand")
        later(plan, 301)
        assert plans.advance_due(by=RUNNER) == 1
        assert (share(), state(plan)) == (0, "done")

    def test_several_flags_go_together_and_a_killed_one_stays_killed(self, all_on: None) -> None:
        runner.kill(flag=AVAILABILITY, actor=ACTOR, reason="broken")
        plan = down(flags=[MASTER, CALENDAR, AVAILABILITY], steps=AT_ONCE)
        assert plans.advance_due(by=RUNNER) == 2
        assert (share(), share(CALENDAR), share(AVAILABILITY)) == (0, 0, 100)
        assert Flag.objects.get(name=AVAILABILITY).is_killed
        assert state(plan) == "done"

    def test_killed_in_the_middle_it_has_nothing_left_to_do(self, all_on: None) -> None:
        plan = down()
        runner.kill(actor=ACTOR, reason="worse than thought")
        later(plan, 301)
        assert plans.advance_due(by=RUNNER) == 0
        assert state(plan) == "done"

    def test_each_step_has_its_audit_its_people_and_its_line_in_the_incident(
        self, all_on: None
    ) -> None:
        people = [make_user(f"p{number}@school.example") for number in range(40)]
        incident = opened()
        before = changes().count()
        plan = down(steps=AT_ONCE, incident=incident)
        plans.advance_due(by=RUNNER)
        made = list(changes()[before:])
        assert [change.action for change in made] == [f"plan {plan.pk}"] * 3
        assert [change.actor_kind for change in made] == ["person"] * 3
        assert all("too slow" in change.reason for change in made)
        frozen = [set(step.people) for step in plan.steps.all()]
        assert set.union(*frozen) == {user.pk for user in people}
        assert sum(map(len, frozen)) == len(people), "each of them loses it once"
        assert [step.blast["users"] for step in plan.steps.all()] == list(map(len, frozen))
        told = incident.events.filter(kind=IncidentEvent.Kind.STEPPED)
        assert [event.payload["percent"] for event in told] == ["50.00", "25.00", "0.00"]
        assert not any("people" in event.payload["blast"] for event in told)
        story = incident.events.filter(kind=IncidentEvent.Kind.PLAN)
        assert [event.payload["what"] for event in story] == ["started", "done"]

    def test_an_incident_holds_the_flags_at_zero(self, all_on: None) -> None:
        incident = opened()
        down(steps=AT_ONCE, incident=incident, flags=[MASTER, CALENDAR])
        plans.advance_due(by=RUNNER)
        assert set(Latch.objects.values_list("flag_name", flat=True)) == {MASTER, CALENDAR}
        with pytest.raises(ChangeRefused, match=f"incident {incident.pk}"):
            runner.set_share(flag=CALENDAR, percent=Decimal(10), actor=ACTOR, reason="too early")

    def test_automatically_all_steps_of_a_plan_are_one_decision(self, all_on: None) -> None:
        plan = down(steps=AT_ONCE, actor=MACHINE)
        assert plans.advance_due(by=RUNNER) == 2
        assert state(plan) == "done"
        kinds = FlagChange.objects.filter(action=f"plan {plan.pk}").values_list("actor_kind")
        assert {kind for (kind,) in kinds} == {"automatic"}

    def test_the_next_automatic_decision_waits_half_an_hour(self, all_on: None) -> None:
        runner.set_share(flag=MASTER, percent=Decimal(90), actor=MACHINE, reason="too slow")
        with pytest.raises(ChangeRefused, match="30 minutes"):
            down(actor=MACHINE)
        assert not Plan.objects.exists()
        assert share() == 90

    def test_it_aborts_a_way_up(self, all_on: None) -> None:
        runner.set_share(flag=MASTER, percent=Decimal(0), actor=ACTOR, reason="a test")
        all_is_well()
        rising = up()
        assert share() == 10
        falling = down(steps=((Decimal(0), 0),))
        assert state(rising) == "aborted"
        assert "too slow" in rising.note
        assert (share(), state(falling)) == (0, "done")


class TestRefused:
    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"steps": ()}, "needs a step"),
            ({"steps": ((Decimal(25), 0), (Decimal(50), 0))}, "smaller"),
            ({"steps": ((Decimal(25), 0), (Decimal(25), 0))}, "smaller"),
            ({"steps": ((Decimal(101), 0),)}, "between 0 and 100"),
            ({"steps": ((Decimal("NaN"), 0),)}, "between 0 and 100"),
            ({"steps": ((Decimal("0.001"), 0),)}, "two decimals"),
            ({"steps": ((Decimal(50), -1),)}, "between 0 seconds and 7 days"),
            ({"steps": ((Decimal(50), 10**9),)}, "between 0 seconds and 7 days"),
            ({"flags": ["ENABLE_NOTHING"]}, "There is no flag ENABLE_NOTHING"),
            ({"reason": "  "}, "reason"),
            ({"flags": ["ENABLE_HOLIDAY_MANAGEMENT"]}, "Nothing to change"),
        ],
    )
    def test_down(self, all_on: None, options: dict[str, Any], says: str) -> None:
        with pytest.raises(ChangeRefused, match=says):
            down(**options)
        assert not Plan.objects.exists()
        assert share() == 100

    def test_a_second_one_is_told_the_number_of_the_first(self, all_on: None) -> None:
        first = down()
        with pytest.raises(plans.PlanRuns, match=f"Plan {first.pk}") as refused:
            down(flags=[CALENDAR])
        assert refused.value.number == first.pk
        with pytest.raises(plans.PlanRuns):
            up()

    def test_under_an_incident_that_is_resolved(self, all_on: None) -> None:
        incident = opened()
        incidents.resolve(incident=incident.pk, actor=ACTOR, reason="mended")
        incident.refresh_from_db()
        with pytest.raises(ChangeRefused, match="resolved already"):
            down(incident=incident)

    @pytest.mark.parametrize("decide", [plans.pause, plans.resume, plans.abort, plans.finish])
    def test_decisions_about_no_plan_by_no_person_or_without_a_reason(
        self, all_on: None, decide: Any
    ) -> None:
        plan = down()
        with pytest.raises(ChangeRefused, match="There is no plan 0"):
            decide(plan=0, actor=ACTOR, reason="so")
        with pytest.raises(ChangeRefused, match="by a person"):
            decide(plan=plan.pk, actor=MACHINE, reason="so")
        with pytest.raises(ChangeRefused, match="reason"):
            decide(plan=plan.pk, actor=ACTOR, reason=" ")
        plans.abort(plan=plan.pk, actor=ACTOR, reason="so")
        with pytest.raises(ChangeRefused, match="is aborted"):
            decide(plan=plan.pk, actor=ACTOR, reason="so")


class TestDecisions:
    def test_paused_it_waits_and_resumed_it_goes_on(self, all_on: None) -> None:
        plan = down()
        plans.pause(plan=plan.pk, actor=ACTOR, reason="let me look")
        later(plan, 1000)
        assert plans.advance_due(by=RUNNER) == 0
        assert (share(), state(plan)) == (50, "paused")
        assert "let me look" in plan.note
        plans.resume(plan=plan.pk, actor=ACTOR, reason="looked")
        assert plans.advance_due(by=RUNNER) == 1
        assert (share(), state(plan)) == (25, "running")

    def test_aborted_it_stays_where_it_is(self, all_on: None) -> None:
        plan = down()
        plans.abort(plan=plan.pk, actor=ACTOR, reason="false alarm")
        later(plan, 1000)
        assert plans.advance_due(by=RUNNER) == 0
        assert (share(), state(plan)) == (50, "aborted")

    def test_finished_it_is_at_its_last_share_in_one_step(self, all_on: None) -> None:
        plan = down()
        before = changes().count()
        plans.finish(plan=plan.pk, actor=ACTOR, reason="enough")
        assert (share(), state(plan)) == (0, "done")
        assert changes().count() == before + 1
        assert not plan.steps.filter(done_at=None).exists()

    def test_of_one_that_is_paused_too(self, all_on: None) -> None:
        plan = down()
        plans.pause(plan=plan.pk, actor=ACTOR, reason="let me look")
        plans.finish(plan=plan.pk, actor=ACTOR, reason="enough")
        assert (share(), state(plan)) == (0, "done")


class TestUp:
    @pytest.fixture(autouse=True)
    def killed(self, all_on: None) -> None:
        runner.kill(flag=MASTER, actor=ACTOR, reason="broken")
        all_is_well()

    def test_it_comes_back_from_a_kill_small_and_rises_while_all_is_quiet(self) -> None:
        plan = up()
        assert (share(), Flag.objects.get(name=MASTER).is_killed) == (10, False)
        for wanted in (25, 50, 100):
            assert plans.advance_due(by=RUNNER) == 0
            later(plan, 601)
            assert plans.advance_due(by=RUNNER) == 1
            assert share() == wanted
        assert state(plan) == "done"

    def test_never_begun_by_a_machine(self) -> None:
        with pytest.raises(ChangeRefused, match="needs a person"):
            up(actor=MACHINE)
        assert Flag.objects.get(name=MASTER).is_killed

    def test_never_under_a_latch_and_it_says_whose(self) -> None:
        incident = runner.roll_back(
            flags=[MASTER], incident="Errors", actor=ACTOR, reason="errors"
        ).incident
        with pytest.raises(ChangeRefused, match=f"incident {incident.pk}"):
            up()
        assert not Plan.objects.exists()
        incidents.resolve(incident=incident.pk, actor=ACTOR, reason="mended")
        up()
        assert share() == 10

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"steps": ((Decimal(50), 0), (Decimal(25), 0))}, "larger"),
            ({"steps": ()}, "needs a step"),
        ],
    )
    def test_refused(self, options: dict[str, Any], says: str) -> None:
        with pytest.raises(ChangeRefused, match=says):
            up(**options)

    def test_not_begun_while_a_trigger_is_in_breach(self) -> None:
        trigger()
        all_is_well(errors_test="BREACH")
        with pytest.raises(ChangeRefused, match="errors-test"):
            up()
        assert Flag.objects.get(name=MASTER).is_killed

    @pytest.mark.parametrize(
        "fields",
        [{"flags": [CALENDAR]}, {"is_shadow": True}, {"is_enabled": False}],
        ids=["another flag's", "in shadow", "not evaluated"],
    )
    def test_a_trigger_that_does_not_count(self, fields: dict[str, Any]) -> None:
        trigger(**fields)
        all_is_well(errors_test="BREACH")
        up()
        assert share() == 10

    def test_for_a_child_its_masters_triggers_count_too(self) -> None:
        trigger()
        all_is_well(errors_test="BREACH")
        runner.set_share(flag=CALENDAR, percent=Decimal(0), actor=ACTOR, reason="a test")
        with pytest.raises(ChangeRefused, match="errors-test"):
            up(flags=[CALENDAR])

    @pytest.mark.parametrize("seconds_ago", [None, 91])
    def test_not_while_nobody_evaluates(self, seconds_ago: int | None) -> None:
        if seconds_ago is None:
            Heartbeat.objects.all().delete()
        else:
            at = timezone.now() - timedelta(seconds=seconds_ago)
            Heartbeat.objects.update(beat_at=at)
        with pytest.raises(ChangeRefused, match="Nobody is evaluating"):
            up()

    def test_not_after_a_verification_that_failed(self) -> None:
        ended: dict[str, Any] = {"by_name": "a test", "ended_at": timezone.now()}
        Verification.objects.create(**ended, passed=False)
        with pytest.raises(ChangeRefused, match="verification"):
            up()
        Verification.objects.create(**ended, passed=True)
        Verification.objects.create(by_name="a test")  # one that is still running
        up()
        assert share() == 10

    @pytest.mark.parametrize(
        "facts",
        [
            {"template": "Could not be judged: %(why)s"},
            {"template": "There is no metric “%(name)s”."},
            {"template": TOO_FEW, "rate": 0.5},
            {"template": "%(bad)s of %(total)s", "rate": 0.03},
            {},
        ],
        ids=["trouble", "malformed", "few, and bad", "not yet certain", "no reason given"],
    )
    def test_what_could_not_be_judged_or_is_about_to_be_a_breach_is_not_quiet(
        self, facts: dict[str, Any]
    ) -> None:
        trigger()
        says(**facts)
        with pytest.raises(ChangeRefused, match="errors-test: so it is"):
            up()
        assert Flag.objects.get(name=MASTER).is_killed

    @pytest.mark.parametrize("template", [TOO_FEW, NONE_AT_ALL])
    def test_want_of_traffic_is_no_reason_to_wait(self, template: str) -> None:
        trigger()
        says(template=template)
        up()
        assert share() == 10

    def test_without_a_verification_of_late_it_does_not_begin(self) -> None:
        Verification.objects.all().delete()
        verified(seconds_ago=1801)
        with pytest.raises(ChangeRefused, match="No verification has passed in the last 1800 s"):
            up()
        Verification.objects.create(by_name="a test")
        with pytest.raises(ChangeRefused, match="is going on"):
            up()
        verified(seconds_ago=1700)
        up()
        assert share() == 10

    def test_nor_go_on_with_one_that_is_older_than_the_step(self) -> None:
        plan = up()
        later(plan, 601)
        Verification.objects.all().delete()
        verified(seconds_ago=601)
        assert plans.advance_due(by=RUNNER) == 0
        assert (share(), state(plan)) == (10, "running")
        assert "No verification has passed in the last 600 s" in plan.note
        verified(seconds_ago=500)
        assert plans.advance_due(by=RUNNER) == 1
        assert (share(), state(plan), plan.note) == (25, "running", "")

    def test_a_breach_holds_the_next_step_back_until_it_was_quiet_for_its_dwell(self) -> None:
        trigger()
        plan = up()
        later(plan, 601)
        all_is_well(errors_test="BREACH")
        assert plans.advance_due(by=RUNNER) == 0
        assert (share(), state(plan)) == (10, "running")
        assert "errors-test" in plan.note
        all_is_well(errors_test="OK")
        judged("BREACH", seconds_ago=1000)
        judged("OK", seconds_ago=500)  # so it was loud when the 600 seconds began
        assert plans.advance_due(by=RUNNER) == 0
        Judgment.objects.all().delete()
        judged("BREACH", seconds_ago=500)
        judged("OK", seconds_ago=400)
        assert plans.advance_due(by=RUNNER) == 0
        Judgment.objects.all().delete()
        judged("BREACH", seconds_ago=900)
        judged("OK", seconds_ago=700)
        assert plans.advance_due(by=RUNNER) == 1
        assert (share(), state(plan)) == (25, "running")
        assert plan.note == ""

    def test_who_lowered_it_meanwhile_has_the_last_word(self) -> None:
        plan = up()
        person = Actor(name="Ada")
        runner.set_share(flag=MASTER, percent=Decimal(5), actor=person, reason="complaints")
        later(plan, 601)
        assert plans.advance_due(by=RUNNER) == 0
        assert (share(), state(plan)) == (5, "aborted")
        assert "Ada" in plan.note
        assert "complaints" in plan.note

    def test_so_has_who_killed_and_restored_it(self) -> None:
        plan = up(steps=((Decimal(50), 600), (Decimal(100), 0)))
        runner.kill(flag=MASTER, actor=ACTOR, reason="errors again")
        restored = {"percent": Decimal(10), "actor": Actor(name="Ada"), "reason": "carefully"}
        runner.restore(flag=MASTER, **restored)  # type: ignore[arg-type]
        with pytest.raises(ChangeRefused, match="Ada"):
            plans.finish(plan=plan.pk, actor=ACTOR, reason="go on")
        later(plan, 601)
        assert plans.advance_due(by=RUNNER) == 0
        assert (share(), state(plan)) == (10, "aborted")

    def test_so_has_who_lowered_it_past_the_audit(self) -> None:
        plan = up()
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            Flag.objects.filter(name=MASTER).update(percent=5)
            cursor.execute("SET session_replication_role = DEFAULT")
        later(plan, 601)
        assert plans.advance_due(by=RUNNER) == 0
        assert (share(), state(plan)) == (5, "aborted")
        assert "below the plan's last share" in plan.note

    def test_a_flag_that_was_above_and_was_lowered_stays_there(self) -> None:
        plan = up(flags=[MASTER, CALENDAR])
        runner.set_share(flag=CALENDAR, percent=Decimal(20), actor=ACTOR, reason="slow")
        later(plan, 601)
        assert plans.advance_due(by=RUNNER) == 0
        assert (share(CALENDAR), state(plan)) == (20, "aborted")

    def test_a_kill_ends_it_and_no_machine_undoes_the_kill(self) -> None:
        plan = up()
        runner.kill(flag=MASTER, actor=MACHINE, reason="errors again")
        later(plan, 601)
        assert plans.advance_due(by=RUNNER) == 0
        assert state(plan) == "aborted"
        assert "trigger errors (errors again)" in plan.note
        assert Flag.objects.get(name=MASTER).is_killed

    def test_a_latch_that_came_meanwhile_ends_it(self) -> None:
        plan = up()
        opened(flags=[MASTER])
        later(plan, 601)
        assert plans.advance_due(by=RUNNER) == 0
        assert (share(), state(plan)) == (10, "aborted")
        assert "latched" in plan.note

    def test_finished_by_a_person_it_does_not_wait(self) -> None:
        plan = up()
        plans.finish(plan=plan.pk, actor=ACTOR, reason="all is well")
        assert (share(), state(plan)) == (100, "done")

    def test_but_not_while_it_is_loud(self) -> None:
        plan = up()
        trigger()
        all_is_well(errors_test="BREACH")
        with pytest.raises(ChangeRefused, match="errors-test"):
            plans.finish(plan=plan.pk, actor=ACTOR, reason="all is well")
        assert (share(), state(plan)) == (10, "running")


class TestLease:
    def test_while_it_is_somebody_elses_nobody_else_acts(self, all_on: None) -> None:
        plan = down(steps=AT_ONCE)
        lease(plan, owner="another runner", seconds=30)
        assert plans.advance_due(by=RUNNER) == 0
        assert share() == 50
        assert plans.advance_due(by="another runner") == 2

    def test_when_it_is_over_whoever_comes_takes_over(self, all_on: None) -> None:
        plan = down(steps=AT_ONCE)
        lease(plan, owner="one that died", seconds=-0.01)
        assert plans.advance_due(by=RUNNER) == 2
        assert (share(), state(plan), plan.lease_owner) == (0, "done", "")

    def test_only_one_plans_steps(self, all_on: None) -> None:
        plan = down(steps=AT_ONCE)
        assert plans.advance_due(by=RUNNER, only=plan.pk + 1) == 0
        assert plans.advance_due(by=RUNNER, only=plan.pk) == 2


def lease(plan: Plan, *, owner: str, seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE rollback_plan SET lease_owner = %s, "
            "lease_until = clock_timestamp() + make_interval(secs => %s) WHERE id = %s",
            [owner, seconds, plan.pk],
        )


def opened(flags: Any = ()) -> Incident:
    return incidents.open_with_latches(title="Slow", flags=flags, actor=ACTOR, cause="slow")


@pytest.fixture
def probes(real_switchboard: Any, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What the only probe finds, one run after the other; it passes when there is nothing left."""
    finds: list[bool] = []

    def check(incident: Incident | None) -> Found:
        if finds and not finds.pop(0):
            raise ProbeFailed("broken")
        return Found(words="well")

    probe = verification.Probe(name="one", title="One", limit_ms=5_000, check=check)
    monkeypatch.setattr(verification, "PROBES", (probe,))
    all_is_well()
    Verification.objects.all().delete()
    return finds


def test_whoever_takes_a_step_up_verifies_first(probes: list[bool]) -> None:
    plan = up(steps=((Decimal(10), 600), (Decimal(25), 600), (Decimal(100), 0)))
    assert share() == 10
    assert list(Verification.objects.values_list("by_name", "passed")) == [("a test", True)]
    assert plans.advance_due(by=RUNNER) == 0
    assert Verification.objects.count() == 1, "nothing is due, so nothing is asked"
    later(plan, 601)
    old = timezone.now() - timedelta(seconds=601)
    Verification.objects.update(started_at=old, ended_at=old)
    probes.append(False)
    assert plans.advance_due(by=RUNNER) == 0
    assert (share(), state(plan)) == (10, "running")
    failed = Verification.objects.get(passed=False)
    assert (failed.by_name, plan.note) == (RUNNER, f"The last verification ({failed.pk}) failed.")
    assert plans.advance_due(by=RUNNER) == 0
    assert Verification.objects.count() == 2, "not again at once"
    Verification.objects.filter(pk=failed.pk).update(ended_at=timezone.now() - quiet.AGAIN)
    assert plans.advance_due(by=RUNNER) == 1
    assert (share(), state(plan)) == (25, "running")
    plans.finish(plan=plan.pk, actor=ACTOR, reason="enough")
    assert (share(), state(plan)) == (100, "done")


def test_while_it_is_loud_nothing_is_verified_for_it(probes: list[bool]) -> None:
    trigger()
    says(verdict="BREACH")
    with pytest.raises(ChangeRefused, match="errors-test"):
        up()
    assert not Verification.objects.exists()


def test_of_twenty_that_start_at_once_one_acts(real_switchboard: Any) -> None:
    runner.set_share(flag=MASTER, percent=Decimal(100), actor=ACTOR, reason="a test begins")
    gate = Barrier(20)

    def begin(number: int) -> tuple[str, int]:
        gate.wait()
        try:
            return "acted", down(reason=f"starter {number}").pk
        except plans.PlanRuns as runs:
            return "told", runs.number
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        told = list(pool.map(begin, range(20)))
    (plan,) = Plan.objects.all()
    assert sorted(word for word, _ in told) == ["acted", *["told"] * 19]
    assert {number for _, number in told} == {plan.pk}
    assert (share(), changes().filter(action=f"plan {plan.pk}").count()) == (50, 1)


def test_of_eight_runners_at_once_each_step_is_one_ones(real_switchboard: Any) -> None:
    runner.set_share(flag=MASTER, percent=Decimal(100), actor=ACTOR, reason="a test begins")
    steps = [(Decimal(percent), 0) for percent in range(90, -1, -10)]
    plan = down(steps=steps)
    gate = Barrier(8)

    def run(number: int) -> int:
        gate.wait()
        try:
            return sum(plans.advance_due(by=f"runner {number}") for _ in range(5))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        taken = sum(pool.map(run, range(8)))
    taken += plans.advance_due(by=RUNNER)
    assert taken == 9
    assert (share(), state(plan)) == (0, "done")
    made = changes().filter(action=f"plan {plan.pk}")
    assert [change.after["share"] for change in made] == [f"{p}.00" for p, _ in steps]


class TestPure:
    def test_steps_as_typed(self) -> None:
        assert parsed("50:300, 25 % :300,0") == list(DOWN)
        assert parsed("12.5:60") == [(Decimal("12.5"), 60)]

    @pytest.mark.parametrize("text", ["", "x", "50:x", "50;25", "50:1.5", ",", "50,,25"])
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - whoever asked has the sentence
            parsed(text)

    def test_due_after_the_last_that_did_something(self) -> None:
        now = timezone.now()
        first = Step(number=1, percent=Decimal(50), dwell_seconds=999, done_at=now, skipped=True)
        second = Step(number=2, percent=Decimal(25), dwell_seconds=60)
        due = next_due([first, second])
        assert due is not None
        assert due.is_due(now)
        taken = Step(number=2, percent=Decimal(25), dwell_seconds=60, done_at=now)
        third = Step(number=3, percent=Decimal(0), dwell_seconds=0)
        due = next_due([first, taken, third])
        assert due is not None
        assert due.step == third
        assert not due.is_due(now + timedelta(seconds=59))
        assert due.is_due(now + timedelta(seconds=60))
        assert next_due([first, taken]) is None
