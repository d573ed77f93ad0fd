"""After a rollback: off everywhere, verified, written down; by whoever ticks, and once."""

import threading
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from config.roles import give_permissions
from enrollment.models import Course, Enrollment
from rollback import (
    affected,
    aftermath,
    audit,
    incidents,
    plans,
    runner,
    switchboard,
    verification,
)
from rollback.models import Baseline, Draining, Flag, Incident, Verification
from rollback.runner import Actor
from tests.conftest import make_student
from tests.enrollment.crowd import at_once
from tests.rollback.flag_rows import seed_flags

MASTER, CALENDAR = "ENABLE_TEACHER_SCHEDULING", "ENABLE_CALENDAR_DISPLAY"
WATCH = Actor(name="the watch", automatic=True)
QUICK = tuple(probe for probe in verification.PROBES if probe.name in {"rows", "switchboard"})
AFTERMATH = {"contained", "verified", "not verified"}


@pytest.fixture(autouse=True)
def enrolled(transactional_db: Any) -> Enrollment:
    give_permissions()
    seed_flags()
    course = Course.objects.create(title="Violin", slug="violin")
    return Enrollment.objects.create(student=make_student(), course=course)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "PROBES", QUICK)


def rolled_back(*flags: str) -> Incident:
    return runner.roll_back(
        flags=flags, incident="Too slow", actor=WATCH, reason="above 2 s"
    ).incident


def look(incident: Incident) -> list[str]:
    """:returns: the kinds of what follows a rollback, as far as they are in the timeline."""
    aftermath.look(by="the tick")
    incident.refresh_from_db()
    kinds = incident.events.order_by("number").values_list("kind", flat=True)
    return [kind for kind in kinds if kind in AFTERMATH]


def other_process(*, version: int, seen: str = "clock_timestamp()") -> None:
    """Another process, by its own last word."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM rollback_process WHERE host = 'elsewhere'")
        cursor.execute(
            f"""INSERT INTO rollback_process (uuid, kind, host, pid, started_at, version, reached_at, seen_at)
                VALUES (%s, 'web', 'elsewhere', 7, now() - interval '1 hour', %s, {seen}, {seen})""",
            [uuid4(), version],
        )


def version() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version FROM rollback_switchboard")
        return int(cursor.fetchone()[0])


def test_from_the_rollback_to_verified(real_switchboard: switchboard.Switchboard) -> None:
    """All probes, this process's own word that it runs it, and the recovery time."""
    call_command("rollback", "baseline", verbosity=0)
    switchboard.is_on(CALENDAR, None)
    incident = rolled_back()
    bad_since = incident.opened_at - timedelta(minutes=6)
    Incident.objects.filter(pk=incident.pk).update(first_bad_at=bad_since)
    assert look(incident) == ["contained", "verified"]
    contained, verified = incident.events.filter(kind__in=AFTERMATH).order_by("number")
    assert contained.payload["processes"] == 1
    assert contained.actor_name == verified.actor_name == "the tick"
    assert incident.opened_at < incident.contained_at < incident.verified_at  # type: ignore[operator]
    run = incident.verifications.get()
    assert verified.payload["verification"] == run.pk
    assert {one["probe"] for one in verified.payload["probes"]} == {
        probe.name for probe in verification.PROBES
    }
    took = incident.verified_at - bad_since  # type: ignore[operator]
    assert verified.payload["recovery_seconds"] == pytest.approx(took.total_seconds(), abs=0.1)
    assert incident.state == "verified"
    assert aftermath.look(by="the next tick") == 0
    assert Verification.objects.count() == 1


@pytest.mark.usefixtures("quick")
def test_not_before_every_process_that_lives_runs_it() -> None:
    incident = rolled_back(MASTER)
    other_process(version=version() - 1)
    assert look(incident) == []
    assert incident.contained_at is None
    assert not Verification.objects.exists()
    other_process(version=version())
    assert look(incident) == ["contained", "verified"]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("how", ["at once", "in steps"])
def test_what_is_taken_away_later_is_contained_and_verified_as_well(how: str) -> None:
    Flag.objects.update(percent=100)
    incident = rolled_back(CALENDAR)
    assert look(incident) == ["contained", "verified"]
    other_process(version=version())
    if how == "at once":
        runner.take_away(incident=incident.pk, flags=[MASTER], actor=WATCH, reason="this too")
    else:
        steps = [(Decimal(0), 0)]
        plans.start(
            direction="down",
            flags=[MASTER],
            steps=steps,
            incident=incident,
            actor=WATCH,
            reason="x",
        )
    assert look(incident) == ["contained", "verified"], "not while another process still has it"
    assert (incident.contained_at, incident.verified_at) == (None, None)
    other_process(version=version())
    assert look(incident) == ["contained", "verified"] * 2
    assert incident.verified_at is not None
    # What was held already changes nothing.
    runner.take_away(incident=incident.pk, flags=[MASTER], actor=WATCH, reason="again")
    assert look(incident) == ["contained", "verified"] * 2


@pytest.mark.usefixtures("quick")
def test_a_silent_process_has_switched_off_by_itself() -> None:
    incident = rolled_back(MASTER)
    other_process(version=version() - 1, seen="clock_timestamp() - interval '6 seconds'")
    assert look(incident) == ["contained", "verified"]
    assert incident.events.get(kind="contained").payload["silent"] == 1


@pytest.mark.usefixtures("quick")
def test_in_steps_it_is_contained_with_the_last_one(enrolled: Enrollment) -> None:
    incident = incidents.open_with_latches(
        title="In steps", flags=[CALENDAR], actor=WATCH, cause="x"
    )
    flag = Flag.objects.get(name=CALENDAR)
    with audit.told(actor=WATCH, reason="a step"):
        Draining.objects.create(
            flag_name=CALENDAR,
            user=enrolled.student.user,
            until=timezone.now() + timedelta(hours=1),
        )
    assert (flag.percent, flag.is_killed) == (0, False)
    assert look(incident) == [], "who is being drained still has it"
    Draining.objects.all().delete()
    assert look(incident) == ["contained", "verified"]


@pytest.mark.usefixtures("quick")
def test_while_it_fails_it_is_asked_again_every_two_minutes(enrolled: Enrollment) -> None:
    incident = rolled_back(MASTER)
    with transaction.atomic():
        Baseline.objects.create(name="counts", facts=_with_one_more(enrolled))
    assert look(incident) == ["contained", "not verified"]
    assert incident.verified_at is None
    failed = incident.events.get(kind="not verified").payload
    assert failed["recovery_seconds"] is None
    assert [one["probe"] for one in failed["probes"] if not one["passed"]] == ["rows"]
    look(incident)
    assert Verification.objects.count() == 1, "not with every tick"
    _two_minutes_later()
    assert look(incident) == ["contained", "not verified"], "said once, until it is another"
    assert Verification.objects.count() == 2
    Baseline.objects.filter(name="counts").delete()
    _two_minutes_later()
    assert look(incident) == ["contained", "not verified", "verified"]
    assert incident.verified_at is not None


def _with_one_more(enrolled: Enrollment) -> Any:
    """As if there had been one more enrollment before, which is lost now."""
    lost = f"{{[{enrolled.pk},{enrolled.pk + 2})}}"
    return {"enrollment_enrollment": {"rows": 2, "ids": lost, "filled": {}, "blocks": {}}}


def _two_minutes_later() -> None:
    earlier = timezone.now() - timedelta(minutes=2, seconds=1)
    Verification.objects.update(started_at=earlier, ended_at=earlier)


@pytest.mark.usefixtures("quick")
def test_a_case_took_nothing_away_and_waits_for_nothing() -> None:
    Incident.objects.create(title="To be decided", kind="case", opened_by_name="x")
    assert aftermath.look(by="the tick") == 0
    assert not Verification.objects.exists()


@pytest.mark.usefixtures("quick")
def test_many_ticks_at_once_contain_and_verify_once() -> None:
    incident = rolled_back(MASTER)
    answers = at_once(*[lambda: aftermath.look(by="the tick")] * 5)
    assert [answer for answer in answers if isinstance(answer, BaseException)] == []
    assert look(incident) == ["contained", "verified"]
    assert Verification.objects.count() == 1


def test_one_incident_that_breaks_stops_no_other(
    quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = rolled_back(MASTER), rolled_back(CALENDAR)
    contain = aftermath.contain

    def breaks(incident: Incident, *, by: str) -> bool:
        if incident.pk == first.pk:
            raise ValueError("broken")
        return contain(incident, by=by)

    monkeypatch.setattr(aftermath, "contain", breaks)
    assert look(second) == ["contained", "verified"]


@pytest.mark.usefixtures("quick")
def test_by_hand_and_before_it_is_contained_nothing_is_verified() -> None:
    incident = rolled_back(MASTER)
    verification.verify(incident=incident, by="a person")
    incident.refresh_from_db()
    assert incident.verified_at is None
    assert look(incident) == ["contained", "verified"], "at once, and not two minutes later"
    assert incident.verifications.count() == 2


@pytest.mark.usefixtures("quick")
def test_by_hand_it_stands_in_the_timeline_as_well() -> None:
    incident = rolled_back(MASTER)
    Incident.objects.filter(pk=incident.pk).update(contained_at=timezone.now())
    call_command("rollback", "verify", "--incident", str(incident.pk), stdout=StringIO())
    event = incident.events.get(kind="verified")
    assert event.actor_name.startswith("command line")
    assert aftermath.look(by="the tick") == 0


@pytest.mark.usefixtures("quick")
def test_rows_that_cannot_be_read_keep_nobody_from_verifying() -> None:
    incident = rolled_back(MASTER)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE enrollment_message RENAME TO lost")
        try:
            assert look(incident)[0] == "contained"
        finally:
            cursor.execute("ALTER TABLE lost RENAME TO enrollment_message")
    assert not Baseline.objects.exists()
    assert Verification.objects.count() == 1


def test_a_forgotten_update_at_some_terminal_holds_nobody_up(quick: None) -> None:
    """Whoever looks waits a second or so for each thing, says that it did not work, and goes on."""
    incident = rolled_back(MASTER)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("UPDATE rollback_incident SET cause = 'a forgotten one'")
        looking = threading.Thread(target=_look_in_another_session)
        looking.start()
        looking.join(20)
        assert not looking.is_alive()
        incident.refresh_from_db()
        assert incident.contained_at is None
    finally:
        other.close()
    assert look(incident) == ["contained", "verified"]


def _look_in_another_session() -> None:
    try:
        aftermath.look(by="the tick")
    finally:
        connection.close()


def test_figures_are_counted_without_the_row_of_the_incident(
    quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = rolled_back(MASTER)
    real, free = affected.figures, []

    def counting(row: Incident) -> Any:
        other = connection.copy()
        try:
            with other.cursor() as cursor:
                cursor.execute("SET lock_timeout = '100ms'")
                cursor.execute("SELECT id FROM rollback_incident FOR UPDATE")
                free.append(len(cursor.fetchall()))
        finally:
            other.close()
        return real(row)

    monkeypatch.setattr(affected, "figures", counting)
    affected.count(incident)
    assert free == [1]
