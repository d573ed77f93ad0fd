"""One tick after the other: what is judged, what is done about it, by whom, and what is left alone."""

import math
import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from enrollment.models import Course, Student
from rollback import (
    aftermath,
    audit,
    evaluate,
    incidents,
    metrics,
    plans,
    quiet,
    runner,
    tasks,
    triggers,
)
from rollback.audit import Actor
from rollback.domain.metrics import Metric
from rollback.evaluate import acting, alone, repairs, ticking
from rollback.models import (
    Complaint,
    Draining,
    EnrollmentSession,
    Flag,
    FlagChange,
    Heartbeat,
    Incident,
    IncidentEvent,
    Judgment,
    Plan,
    Trigger,
)
from rollback.public import first
from tests.rollback.flag_rows import changes, seed_flags
from tests.rollback.trigger_rows import (
    CALENDAR,
    FAULTY,
    HEALTHY,
    MASTER,
    database_clock,
    only,
    samples,
    seed_triggers,
)

PERSON = Actor(name="a test")
ERRORS = "errors-scheduling"
TICK = timedelta(seconds=10)


class Clock:
    """The database's, moved on by hand; its samples come with it."""

    def __init__(self) -> None:
        self.now = database_clock()

    def tick(self, **ago: Any) -> bool:
        self.now += timedelta(**ago)
        return evaluate.tick(by="a test")


@pytest.fixture
def clock(flag_rows: None, monkeypatch: pytest.MonkeyPatch) -> Clock:
    seed_triggers()
    for name in (MASTER, CALENDAR):
        runner.set_share(flag=name, percent=Decimal(100), actor=PERSON, reason="a test begins")
    clock = Clock()
    monkeypatch.setattr(ticking, "_database_clock", lambda: clock.now)
    # What follows the evaluation has tests of its own.
    monkeypatch.setattr(ticking, "_on_its_own", lambda *what, by: None)
    return clock


def judgments(name: str = ERRORS) -> list[tuple[str, str]]:
    found = Judgment.objects.filter(trigger_name=name).order_by("pk")
    return [(one.verdict, one.action) for one in found]


def is_killed(name: str) -> bool:
    return bool(Flag.objects.get(name=name).is_killed)


# --- judging and acting -----------------------------------------------------------------------------


def test_a_breach_takes_the_feature_away_and_says_why(clock: Clock) -> None:
    only(ERRORS)
    samples(*HEALTHY, now=clock.now)
    samples(*HEALTHY, now=clock.now, is_on=False)
    assert clock.tick()
    assert judgments() == [("OK", "")]
    samples(*FAULTY, now=clock.now)
    clock.tick()
    assert is_killed(MASTER)
    incident = Incident.objects.get()
    judgment = Judgment.objects.get(incident=incident)
    assert (judgment.verdict, judgment.action) == ("BREACH", "kill")
    assert (incident.kind, incident.severity, incident.trigger_name) == ("errors", 2, ERRORS)
    assert incident.first_bad_at == judgment.first_bad_at is not None
    assert not incident.is_not_the_feature
    assert incident.cause == judgment.words
    change = changes().last()
    assert change is not None
    assert (change.actor_name, change.actor_kind) == (f"trigger {ERRORS}", "automatic")
    assert change.reason == judgment.words
    judged = IncidentEvent.objects.get(kind=IncidentEvent.Kind.JUDGED)
    assert judged.payload["judgment"] == judgment.pk
    beat = Heartbeat.objects.get()
    assert beat.by == "a test"
    assert beat.verdicts[ERRORS]["verdict"] == "BREACH"


def test_those_without_it_fare_as_badly_so_the_incident_says_so(clock: Clock) -> None:
    only(ERRORS)
    samples(*FAULTY, now=clock.now)
    samples(*FAULTY, now=clock.now, is_on=False)
    clock.tick()
    assert Incident.objects.get().is_not_the_feature
    assert is_killed(MASTER)


def test_nothing_is_written_while_nothing_changes(clock: Clock) -> None:
    only(ERRORS)
    samples(*HEALTHY, now=clock.now + 3 * TICK)
    for _ in range(3):
        clock.tick(seconds=10)
    assert judgments() == [("OK", "")]
    since = Heartbeat.objects.get().verdicts[ERRORS]["since"]
    assert since == (clock.now - 2 * TICK).isoformat()


def test_in_shadow_it_is_judged_and_does_nothing(clock: Clock) -> None:
    only(ERRORS)
    Trigger.objects.update(is_shadow=True)
    samples(*FAULTY, now=clock.now)
    clock.tick()
    judgment = Judgment.objects.get()
    assert (judgment.verdict, judgment.action, judgment.is_shadow) == ("BREACH", "", True)
    assert "shadow" in judgment.why_not
    assert not is_killed(MASTER)
    assert not Incident.objects.exists()


def test_an_alert_is_said_once_in_its_pause(clock: Clock) -> None:
    only("api-errors")
    for _ in range(3):
        clock.now += TICK
        samples(*FAULTY, now=clock.now, metric=Metric.API, feature="")
        clock.tick()
    assert judgments("api-errors") == [("BREACH", "alert")]
    assert Judgment.objects.get().incident is None
    clock.now += timedelta(minutes=31)
    samples(*FAULTY, now=clock.now, metric=Metric.API, feature="")
    make_older(timedelta(minutes=31))
    clock.tick()
    assert judgments("api-errors") == [("BREACH", "alert"), ("BREACH", "alert")]


def make_older(by: timedelta) -> None:
    for judgment in Judgment.objects.all():
        Judgment.objects.filter(pk=judgment.pk).update(judged_at=judgment.judged_at - by)


def test_a_case_is_put_before_a_person_once(clock: Clock) -> None:
    only("complaints")
    for number in range(6):
        Complaint.objects.create(kind="broken", text="?", reporter=f"u:{number}")
    clock.tick(seconds=1)
    incident = Incident.objects.get()
    assert (incident.kind, incident.trigger_name) == ("case", "complaints")
    opened = IncidentEvent.objects.get(kind=IncidentEvent.Kind.OPENED)
    assert opened.payload["recommendation"]
    assert not incident.latches.exists()
    assert not is_killed(MASTER)
    Trigger.objects.update(cooldown_seconds=0)
    clock.tick(seconds=10)
    assert Incident.objects.count() == 1


def few_complete(clock: Clock, student: Student, course: Course) -> None:
    only("completion")
    for flow, finished in ((40, True), (60, False)):
        ago = clock.now - timedelta(hours=2)
        EnrollmentSession.objects.bulk_create(
            EnrollmentSession(
                student=student, course=course, is_on=True, began_in="new", flow="new",
                started_at=ago, changed_at=ago, finished_at=ago if finished else None, is_open=False,
            )
            for _ in range(flow)
        )  # fmt: skip


def begun(*flags: str) -> Plan:
    return plans.start(
        direction="down",
        flags=flags,
        steps=[(Decimal(50), 300), (Decimal(0), 0)],
        actor=PERSON,
        reason="careful",
    )


def test_completion_goes_down_step_by_step(clock: Clock, student: Student, course: Course) -> None:
    few_complete(clock, student, course)
    clock.tick()
    plan = Plan.objects.get()
    assert (plan.direction, plan.mode, plan.flags) == ("down", "drain", [MASTER])
    assert [step.percent for step in plan.steps.order_by("number")] == [50, 25, 0]
    assert plan.incident == Incident.objects.get()
    assert plan.incident.latches.get().flag_name == MASTER
    assert Flag.objects.get(name=MASTER).percent == 50
    assert judgments("completion") == [("BREACH", "plan")]
    # It is told once, and the plan is nobody's business but the plan's.
    Trigger.objects.update(cooldown_seconds=0)
    clock.tick(seconds=10)
    assert Plan.objects.count() == 1
    assert Incident.objects.count() == 1


def test_a_plan_of_other_flags_keeps_no_trigger_from_acting(
    clock: Clock, student: Student, course: Course
) -> None:
    other = begun(CALENDAR)
    few_complete(clock, student, course)
    clock.tick()
    assert is_killed(MASTER)
    assert judgments("completion") == [("BREACH", "kill")]
    assert Incident.objects.get().latches.get().flag_name == MASTER
    assert Plan.objects.get() == other


def test_nor_does_one_that_is_paused(clock: Clock, student: Student, course: Course) -> None:
    plans.pause(plan=begun(MASTER).pk, actor=PERSON, reason="let me look")
    few_complete(clock, student, course)
    clock.tick()
    assert is_killed(MASTER)


def test_one_that_takes_them_away_is_left_to_it(
    clock: Clock, student: Student, course: Course
) -> None:
    begun(MASTER, CALENDAR)
    few_complete(clock, student, course)
    clock.tick()
    assert not is_killed(MASTER)
    assert not Incident.objects.exists()
    assert "is at it already" in Judgment.objects.get(trigger_name="completion").why_not


def test_a_plan_never_begins_above_the_share_of_now(clock: Clock) -> None:
    runner.set_share(flag=MASTER, percent=Decimal(40), actor=PERSON, reason="careful")
    assert acting.steps_down([MASTER]) == [(Decimal(25), 300), (Decimal(0), 0)]
    runner.set_share(flag=MASTER, percent=Decimal(5), actor=PERSON, reason="careful")
    assert acting.steps_down([MASTER]) == [(Decimal(0), 0)]


# --- at most one automatic change in half an hour ---------------------------------------------------


def test_what_is_off_is_not_taken_away_again(clock: Clock) -> None:
    only(ERRORS)
    runner.kill(flag=MASTER, actor=PERSON, reason="by hand")
    samples(*FAULTY, now=clock.now)
    clock.tick()
    judgment = Judgment.objects.get()
    assert (judgment.verdict, judgment.action) == ("BREACH", "")
    assert judgment.why_not == "It is off already."
    assert not Incident.objects.exists()


def test_with_its_master_off_it_is_off(clock: Clock) -> None:
    """The next tick still sees the minute before: one rollback is enough."""
    only(ERRORS, "errors-calendar")
    Trigger.objects.filter(name=ERRORS).update(severity=1)  # so it comes first
    samples(*FAULTY, now=clock.now)
    samples(*FAULTY, now=clock.now, feature=CALENDAR)
    clock.tick()
    assert is_killed(MASTER)
    assert not is_killed(CALENDAR)
    assert Judgment.objects.get(trigger_name="errors-calendar").why_not == "It is off already."
    before = FlagChange.objects.count()
    for _ in range(3):
        clock.tick(seconds=10)
    assert FlagChange.objects.count() == before
    assert Incident.objects.count() == 1


def test_a_person_who_brings_it_back_has_half_an_hour(clock: Clock) -> None:
    """G15: at most one automatic change of a flag in thirty minutes, whatever the trigger's own pause."""
    only(ERRORS)
    Trigger.objects.update(cooldown_seconds=0)
    samples(*FAULTY, now=clock.now)
    clock.tick()
    incidents.resolve(incident=Incident.objects.get().pk, actor=PERSON, reason="mended, I hope")
    runner.restore(flag=MASTER, actor=PERSON, reason="try again")
    automatic = FlagChange.objects.filter(actor_kind="automatic")
    assert automatic.count() == 1
    back = clock.now
    for minutes in (8, 15, 29):
        clock.now = back + timedelta(minutes=minutes)
        samples(*FAULTY, now=clock.now)
        clock.tick()
        assert automatic.count() == 1, minutes
        assert not is_killed(MASTER)
    assert "30 minutes" in Heartbeat.objects.get().verdicts[ERRORS]["why_not"]
    clock.now += timedelta(minutes=31)
    samples(*FAULTY, now=clock.now)
    clock.tick()
    assert is_killed(MASTER)
    assert automatic.count() == 2


def test_nothing_automatic_ever_raises(clock: Clock) -> None:
    before = {flag.name: flag.percent for flag in Flag.objects.all()}
    samples(*FAULTY, now=clock.now)
    for _ in range(3):
        clock.tick(seconds=10)
    for flag in Flag.objects.all():
        assert flag.percent <= before[flag.name]
    assert not Judgment.objects.filter(why_not__contains="Raising").exists()


# --- after a repair ---------------------------------------------------------------------------------


def half_left(student: Student, course: Course, ago: timedelta, *, now: Any) -> None:
    at = now - ago
    EnrollmentSession.objects.bulk_create(
        EnrollmentSession(
            student=student, course=course, is_on=True, began_in="new", flow="new",
            started_at=at, changed_at=at, finished_at=at if number % 5 < 2 else None, is_open=False,
        )
        for number in range(100)
    )  # fmt: skip


def test_what_was_bad_before_the_repair_takes_nothing_away_again(
    clock: Clock, student: Student, course: Course
) -> None:
    """A window of a day still holds all of it, and the pauses are long over."""
    only("completion")
    half_left(student, course, timedelta(hours=2), now=clock.now)
    clock.tick()
    assert judgments("completion") == [("BREACH", "plan")]
    incidents.resolve(incident=Incident.objects.get().pk, actor=PERSON, reason="mended")
    Trigger.objects.update(cooldown_seconds=0)
    clock.tick(hours=2)
    assert judgments("completion") == [("BREACH", "plan"), ("UNKNOWN", "")]
    # And if it is as bad afterwards, that is news.
    repaired = Incident.objects.get().resolved_at
    half_left(student, course, timedelta(minutes=-1), now=repaired)
    assert metrics_since("completion") == repaired
    clock.tick(hours=1)
    found = Judgment.objects.filter(trigger_name="completion").latest("pk")
    assert (found.verdict, found.evidence["since"]) == ("BREACH", repaired.isoformat())


def metrics_since(name: str) -> Any:
    return repairs.last(Trigger.objects.get(name=name))


def test_a_repair_is_a_person_who_raises_it_after_an_automatic_change(clock: Clock) -> None:
    only(ERRORS)
    assert metrics_since(ERRORS) is None
    samples(*FAULTY, now=clock.now)
    clock.tick()
    assert metrics_since(ERRORS) is None
    Incident.objects.update(trigger_name="")
    Judgment.objects.update(incident=None)
    incidents.resolve(incident=Incident.objects.get().pk, actor=PERSON, reason="mended")
    runner.restore(flag=MASTER, percent=Decimal(1), actor=PERSON, reason="a few")
    first = FlagChange.objects.latest("pk")
    runner.set_share(flag=MASTER, percent=Decimal(25), actor=PERSON, reason="more")
    assert metrics_since(ERRORS) == first.changed_at
    Trigger.objects.filter(name=ERRORS).update(action="alert")
    assert metrics_since(ERRORS) is None, "one that is only told about is told about as before"


# --- a kill and a plan ------------------------------------------------------------------------------


def test_a_kill_overtakes_the_plan_of_the_same_flags(
    clock: Clock, student: Student, course: Course
) -> None:
    only("completion", ERRORS)
    half_left(student, course, timedelta(hours=2), now=clock.now)
    clock.tick()
    assert (Plan.objects.get().state, is_killed(MASTER)) == ("running", False)
    samples(*FAULTY, now=clock.now)
    clock.tick(seconds=1)
    assert is_killed(MASTER)
    assert Plan.objects.get().state == "aborted"
    incident = Incident.objects.get()
    kinds = list(incident.events.order_by("number").values_list("kind", flat=True))
    assert kinds[-3:] == ["plan", "killed", "judged"]
    assert Judgment.objects.get(trigger_name=ERRORS, action="kill").incident == incident


def test_a_plan_with_further_flags_goes_on_with_those(clock: Clock) -> None:
    only(ERRORS)
    automatic = Actor(name="trigger x", automatic=True)
    plan = plans.start(
        direction="down", mode="kill", flags=[MASTER, CALENDAR],
        steps=[(Decimal(50), 300), (Decimal(0), 0)], actor=automatic, reason="few finish",
    )  # fmt: skip
    samples(*FAULTY, now=clock.now)
    clock.tick()
    plan.refresh_from_db()
    assert (is_killed(MASTER), plan.state) == (True, "running")


def test_a_kill_is_held_back_by_a_kill_of_the_last_half_hour(clock: Clock) -> None:
    runner.kill(flag=MASTER, actor=Actor(name="trigger x", automatic=True), reason="slow")
    runner.restore(flag=MASTER, actor=PERSON, reason="try again")
    now = database_clock()
    with pytest.raises(acting.NotNow, match="30 minutes"):
        acting._may_be_taken([MASTER], now, is_kill=True)
    later = now + timedelta(minutes=31)
    assert acting._may_be_taken([MASTER], later, is_kill=True) == [MASTER]


def test_who_keeps_it_beyond_its_share_has_it(clock: Clock, student: Student) -> None:
    runner.set_share(flag=MASTER, percent=Decimal(0), actor=PERSON, reason="down")
    assert not acting._is_on(MASTER)
    with audit.told(actor=PERSON, reason="a step"):
        until = database_clock() + timedelta(minutes=5)
        Draining.objects.create(flag_name=MASTER, user=student.user, until=until)
    assert acting._is_on(MASTER)
    only(ERRORS)
    samples(*FAULTY, now=clock.now)
    clock.tick()
    assert is_killed(MASTER)


def test_a_flag_that_is_gone_keeps_no_other_one_on(clock: Clock) -> None:
    only(ERRORS)
    Trigger.objects.update(flags=["GONE", MASTER])
    samples(*FAULTY, now=clock.now)
    clock.tick()
    assert is_killed(MASTER)
    held = Incident.objects.get().latches.values_list("flag_name", flat=True)
    assert set(held) == {"GONE", MASTER}


# --- one malformed trigger stops no other -----------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"metric": "no such metric"},
        {"method": "average"},
        {"threshold": math.nan},
        {"window_seconds": 2_000_000_000},
    ],
)
def test_a_malformed_trigger_is_unknown_and_stops_no_other(clock: Clock, wrong: Any) -> None:
    only("errors-calendar", ERRORS)
    Trigger.objects.filter(name="errors-calendar").update(**wrong, severity=1)
    samples(*FAULTY, now=clock.now)
    clock.tick()
    assert judgments("errors-calendar") == [("UNKNOWN", "")]
    assert judgments() == [("BREACH", "kill")]
    assert is_killed(MASTER)


@pytest.mark.parametrize(
    "verdicts",
    [
        ["not", "a", "mapping"],
        {ERRORS: "OK", "errors-calendar": None},
        {ERRORS: {"verdict": "BREACH"}},
        {ERRORS: {"verdict": "BREACH", "since": 7}},
        {ERRORS: {"verdict": "BREACH", "since": "2026-99-99T00:00"}},
        {ERRORS: {"verdict": ["BREACH"], "since": None}},
    ],
)
def test_whatever_stands_in_the_heartbeat_it_is_judged_and_read(
    clock: Clock, verdicts: Any
) -> None:
    only(ERRORS)
    samples(*FAULTY, now=clock.now)
    Heartbeat.objects.create(name=triggers.HEARTBEAT, by="x", verdicts=verdicts)
    assert all(one.since == "" for one in triggers.standings().values())
    assert isinstance(quiet.why_not(flags=[CALENDAR], seconds=0, now=clock.now), str)
    clock.tick()
    standing = triggers.standings()[ERRORS]
    assert (standing.verdict, standing.since) == ("BREACH", clock.now.isoformat())


def test_a_metric_that_breaks_the_transaction_stops_no_other(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    only("errors-calendar", ERRORS)
    Trigger.objects.filter(name="errors-calendar").update(severity=1)
    real = metrics.evidence

    def broken(*, feature: str, **rest: Any) -> Any:
        if feature == CALENDAR:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        return real(feature=feature, **rest)

    monkeypatch.setattr(metrics, "evidence", broken)
    samples(*FAULTY, now=clock.now)
    clock.tick()
    sick = Judgment.objects.get(trigger_name="errors-calendar")
    assert sick.verdict == "UNKNOWN"
    assert "division by zero" in sick.words
    assert judgments() == [("BREACH", "kill")]


def test_an_action_that_is_refused_is_said_and_stops_no_other(clock: Clock) -> None:
    only("errors-calendar", ERRORS)
    Trigger.objects.filter(name="errors-calendar").update(flags=["NO_SUCH_FLAG"], severity=1)
    samples(*FAULTY, now=clock.now)
    samples(*FAULTY, now=clock.now, feature=CALENDAR)
    clock.tick()
    refused = Judgment.objects.get(trigger_name="errors-calendar")
    assert refused.action == ""
    assert "NO_SUCH_FLAG" in refused.why_not
    assert Incident.objects.count() == 1  # nothing is left of the other's
    assert judgments() == [("BREACH", "kill")]


def test_at_little_traffic_verdicts_that_take_turns_are_not_written_each_time(clock: Clock) -> None:
    only(ERRORS)
    for number in range(6):
        clock.now += TICK
        samples((100, 2 if number % 2 else 1, 0), now=clock.now)
        clock.tick()
    assert len(judgments()) == 1
    make_older(timedelta(minutes=11))
    samples((100, 1 if Judgment.objects.get().verdict == "OK" else 2, 0), now=clock.now)
    clock.tick()
    assert len(judgments()) == 2


# --- one at a time ----------------------------------------------------------------------------------


@pytest.fixture
def committed(transactional_db: Any) -> Iterator[None]:
    seed_flags()
    seed_triggers()
    yield
    for lock in (ticking._following, ticking._speaking):
        assert lock.acquire(timeout=60)  # what follows a take-over is over
        lock.release()


def in_another_session(do: Any) -> Any:
    answers: list[Any] = []

    def run() -> None:
        try:
            answers.append(do())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    return answers[0]


def test_two_at_once_and_one_evaluates(committed: None) -> None:
    with alone.alone() as lease:
        assert lease is not None
        assert not in_another_session(lambda: evaluate.tick(by="another"))
        assert not Heartbeat.objects.filter(by="another").exists()
    assert in_another_session(lambda: evaluate.tick(by="another"))
    assert Heartbeat.objects.get().by == "another"


def test_it_is_no_session_that_holds_it(committed: None) -> None:
    """Behind a pooler each transaction may be another session's."""
    lease = alone.Lease()
    assert in_another_session(lease.take)
    assert not evaluate.tick(by="another")
    lease.hold()
    in_another_session(lease.leave)
    assert evaluate.tick(by="another")


def test_who_was_frozen_and_overtaken_does_nothing_when_it_wakes_up(
    committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(ERRORS)
    runner.set_share(flag=MASTER, percent=Decimal(100), actor=PERSON, reason="a test begins")
    samples(*FAULTY, now=database_clock())
    real: Any = vars(ticking)["judged"]

    def frozen(*row: Any, **rest: Any) -> Any:
        """Half a minute passes in the middle of it, and another one takes over."""
        found = real(*row, **rest)
        Heartbeat.objects.update(lease_until=database_clock() - TICK)
        monkeypatch.setattr(ticking, "judged", real)
        assert in_another_session(lambda: evaluate.tick(by="another"))
        incidents.resolve(incident=Incident.objects.get().pk, actor=PERSON, reason="mended")
        return found

    monkeypatch.setattr(ticking, "judged", frozen)
    monkeypatch.setattr(ticking, "_on_its_own", lambda *what, by: None)
    assert not evaluate.tick(by="the frozen one")
    assert Heartbeat.objects.get().by == "another"
    assert judgments() == [("BREACH", "kill")]
    assert Incident.objects.count() == 1


def test_a_forgotten_begin_on_the_heartbeat_is_ended(
    committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As is who was frozen in the middle of acting. Not one who works: only after half a minute."""
    assert evaluate.tick(by="the first")
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("UPDATE rollback_heartbeat SET by = 'somebody'")
        assert not evaluate.tick(by="too early")
        monkeypatch.setattr(alone, "HUNG_SECONDS", 0)
        monkeypatch.setattr(alone.Lease, "hold", lambda lease: None)  # a lease of no length
        assert evaluate.tick(by="the next")
    finally:
        other.close()
    assert Heartbeat.objects.get().by == "the next"


def test_a_forgotten_begin_on_the_flags_keeps_nothing_on(committed: None) -> None:
    only(ERRORS)
    runner.set_share(flag=MASTER, percent=Decimal(100), actor=PERSON, reason="a test begins")
    samples(*FAULTY, now=database_clock())
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT id FROM rollback_switchboard FOR UPDATE")
        with alone.alone() as lease:
            assert lease is not None
            ticking._evaluate(lease, now=database_clock())
    finally:
        other.close()
    assert is_killed(MASTER)


def test_a_web_process_takes_over_when_nobody_has_evaluated_for_half_a_minute(
    committed: None,
) -> None:
    evaluate.take_over()  # nobody ever has
    earlier = Heartbeat.objects.get()
    evaluate.take_over()
    assert Heartbeat.objects.get().beat_at == earlier.beat_at
    stale = earlier.beat_at - timedelta(seconds=31)
    Heartbeat.objects.update(beat_at=stale, by="a worker that died")
    evaluate.take_over()
    assert Heartbeat.objects.get().beat_at > earlier.beat_at
    assert Heartbeat.objects.get().by != "a worker that died"


def test_what_follows_a_take_over_keeps_no_samples_from_being_written(
    committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, seen = threading.Event(), []

    def long(*, by: str) -> None:
        seen.append(threading.current_thread().name)
        assert go.wait(30)

    monkeypatch.setattr(aftermath, "look", long)
    try:
        for _ in range(2):
            evaluate.take_over()
            Heartbeat.objects.update(beat_at=database_clock() - timedelta(seconds=31))
        assert evaluate.tick(by="the worker's turn")  # nor does this one wait
        assert seen in ([], ["follow-up"])
    finally:
        go.set()
    assert ticking._following.acquire(timeout=20)
    ticking._following.release()
    assert seen == ["follow-up"]


def test_the_first_word_waits_for_no_verification(
    committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread of the process is in the middle of what follows."""
    said: list[str] = []
    monkeypatch.setattr(first, "look", lambda *, by: said.append(by))
    monkeypatch.setattr(aftermath, "look", lambda *, by: None)
    assert ticking._following.acquire(timeout=20)
    try:
        assert evaluate.tick(by="the worker's turn")
        assert said == ["the worker's turn"]
        tasks.call_on_call()
        assert len(said) == 2
        Heartbeat.objects.update(beat_at=database_clock() - timedelta(seconds=31))
        evaluate.take_over()
        assert ticking._speaking.acquire(timeout=20)
        ticking._speaking.release()
        assert len(said) == 3
    finally:
        ticking._following.release()


def test_taking_over_without_a_database_raises_nothing(
    committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate.take_over()
    with connection.cursor() as cursor, pytest.raises(Exception, match=r"terminat|closed"):
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    evaluate.take_over()  # on a lost connection: said, not raised
    evaluate.take_over()  # and on a new one
    assert Heartbeat.objects.exists()


def test_what_follows_breaks_alone(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    seen: list[str] = []

    def broken(*, by: str) -> None:
        seen.append("plans")
        raise ZeroDivisionError

    monkeypatch.setattr(plans, "advance_due", broken)
    monkeypatch.setattr(aftermath, "look", lambda *, by: seen.append(by))
    with transaction.atomic():
        assert evaluate.tick(by="a test")
    assert seen == ["plans", "a test"]


def test_old_judgments_go_and_those_of_incidents_stay(clock: Clock) -> None:
    only(ERRORS)
    clock.tick()
    samples(*FAULTY, now=clock.now)
    clock.tick()
    make_older(timedelta(days=61))
    assert evaluate.delete_old(now=clock.now) == 1
    assert judgments() == [("BREACH", "kill")]
