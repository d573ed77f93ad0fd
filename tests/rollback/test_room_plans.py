"""What is done at the console: taking an incident on, and plans from the first look to the last step."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from enrollment.models import User
from rollback import audit, blast, incidents, plans
from rollback.console import engine, readings
from rollback.models import Flag, Incident, Plan
from tests.conftest import make_user
from tests.rollback import console_rows as rows
from tests.rollback.console_rows import CALENDAR, MASTER

pytestmark = pytest.mark.usefixtures("flag_rows")

ROOM = "/admin/rollback/flag/room/"
START = "/admin/rollback/flag/room/start/"
DOWN = {
    "direction": "down",
    "flags": [CALENDAR],
    "mode": "kill",
    "steps": "50, 25, 0",
    "minutes": "5",
    "reason": "Too slow since noon.",
}


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    """Of the office: may see, step down and kill, not raise."""
    rows.triggers()
    rows.all_on()
    rows.beat()
    client.force_login(staff)
    return client


def act(plan: Plan, step: str) -> str:
    return reverse("admin:rollback_flag_plan", args=[plan.pk, step])


def test_an_incident_is_taken_on_with_one_click(office: Client, staff: User) -> None:
    incident = rows.open_incident()
    page = reverse("admin:rollback_flag_acknowledge", args=[incident.pk])
    assert page in office.get(ROOM).content.decode()
    assert office.get(page).status_code == 405
    assert office.post(page)["Location"] == ROOM
    incident.refresh_from_db()
    assert incident.acknowledged_by == staff
    text = office.get(ROOM).content.decode()
    assert f"{staff.email} has it, since " in text
    assert page not in text
    assert office.post(reverse("admin:rollback_flag_acknowledge", args=[0])).status_code == 404


def test_a_plan_is_looked_at_and_then_started(office: Client, staff: User) -> None:
    first = office.get(START).content.decode()
    assert 'name="start"' not in first
    looked = office.post(START, DOWN).content.decode()
    assert "Concerns 1 user, 0 with a draft" in looked
    assert 'name="start"' in looked
    assert "Too slow since noon." in looked
    assert not Plan.objects.exists()
    assert office.post(START, {**DOWN, "start": "1"})["Location"] == ROOM
    plan = Plan.objects.get()
    assert (plan.actor, plan.flags, plan.mode) == (staff, [CALENDAR], "kill")
    steps = list(plan.steps.values_list("percent", "dwell_seconds"))
    assert steps == [(Decimal(50), 300), (Decimal(25), 300), (Decimal(0), 0)]


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"steps": ""}, "This field is required."),
        ({"steps": "half"}, "“half” is no share"),
        ({"steps": "50, 120"}, "“120” is no share"),
        ({"steps": "50, 0.001"}, "“0.001” is no share"),
        ({"steps": "nan"}, "“nan” is no share"),
        ({"steps": "25, 50"}, "Each share must be below the one before: 50, 25."),
        ({"steps": "50, 50"}, "Each share must be below the one before: 50."),
        ({"steps": ", ;"}, "Give one to 10 shares"),
        ({"minutes": "-1"}, "greater than or equal to 0"),
        ({"flags": []}, "This field is required."),
        ({"flags": ["ENABLE_NOTHING"]}, "Select a valid choice"),
        ({"reason": " "}, "This field is required."),
        ({"direction": "sideways"}, "Select a valid choice"),
    ],
)
def test_bad_input_is_told_and_nothing_typed_is_lost(
    office: Client, changed: dict[str, Any], complaint: str
) -> None:
    typed = {**DOWN, **changed, "start": "1"}
    page = office.post(START, typed)
    html = page.content.decode()
    assert page.status_code == 422
    assert complaint in html
    assert f'value="{typed["steps"]}"' in html or not typed["steps"]
    assert typed["reason"] in html
    assert not Plan.objects.exists()


def test_shares_are_written_as_people_write_them(office: Client) -> None:
    office.post(START, {**DOWN, "steps": "50 % → 25%; 12.5 0", "start": "1"})
    shares = Plan.objects.get().steps.values_list("percent", flat=True)
    assert list(shares) == [Decimal(50), Decimal(25), Decimal("12.5"), Decimal(0)]


def test_a_second_plan_is_told_the_number_of_the_first(office: Client) -> None:
    office.post(START, {**DOWN, "start": "1"})
    page = office.post(START, {**DOWN, "start": "1"})
    assert page.status_code == 422
    assert str(Plan.objects.get().pk) in page.content.decode()


def test_a_plan_up_is_for_who_may_raise(office: Client, admin: User) -> None:
    Flag.objects.filter(name__in=[MASTER, CALENDAR]).update(percent=10)
    up = {**DOWN, "direction": "up", "steps": "25, 100", "start": "1"}
    page = office.post(START, up)
    assert page.status_code == 422
    assert "Raising is for administrators" in page.content.decode()
    assert not Plan.objects.exists()
    office.force_login(admin)
    rows.verified()
    offered = office.get(f"{START}?direction=up&flags={CALENDAR}").content.decode()
    assert "5, 25, 50, 100" in offered
    assert office.post(START, up).status_code == 302
    plan = Plan.objects.get()
    assert plan.direction == "up"
    # It may be stopped by everybody, and let go on only by who may raise.
    office.force_login(User.objects.get(email="staff@school.example"))
    assert office.post(act(plan, "pause"), {"reason": "errors"}).status_code == 302
    assert office.post(act(plan, "resume"), {"reason": "x"}).status_code == 403
    assert office.post(act(plan, "finish"), {"reason": "x"}).status_code == 403
    assert office.post(act(plan, "abort"), {"reason": "errors"}).status_code == 302


def test_a_plan_is_paused_resumed_and_finished_with_reasons(office: Client) -> None:
    office.post(START, {**DOWN, "start": "1"})
    plan = Plan.objects.get()
    for step, state in (("pause", "paused"), ("resume", "running"), ("finish", "done")):
        page = act(plan, step)
        assert office.get(page).status_code == 200
        assert office.post(page, {"reason": " "}).status_code == 422
        assert office.post(page, {"reason": f"to {step}"})["Location"] == ROOM
        plan.refresh_from_db()
        assert plan.state == state
    assert Flag.objects.get(name=CALENDAR).percent == 0
    refused = office.post(act(plan, "abort"), {"reason": "too late"})
    assert refused.status_code == 422
    assert "too late" in refused.content.decode()


@pytest.mark.parametrize("step", ["delete", "start", "__init__"])
def test_there_are_four_steps_and_no_others(office: Client, step: str) -> None:
    plan = rows.plan(steps=[("0", 0, None)])
    assert office.post(f"{ROOM}plan/{plan.pk}/{step}/", {"reason": "x"}).status_code == 404
    assert office.get(f"{ROOM}plan/999999/pause/").status_code == 404


def test_a_plan_of_a_latched_flag_belongs_to_its_incident(office: Client) -> None:
    with audit.told(actor=rows.SOMEBODY, reason="Slow."):
        incident = incidents.open_with_latches(
            title="Slow.", flags=[CALENDAR, MASTER], actor=rows.SOMEBODY, cause="Slow."
        )
    assert "belongs to no incident" not in office.post(START, DOWN).content.decode()
    office.post(START, {**DOWN, "start": "1"})
    assert Plan.objects.get().incident == incident
    assert Incident.objects.count() == 1


def test_a_plan_of_more_than_an_incident_holds_latches_nothing(office: Client) -> None:
    incident = rows.open_incident()
    held = f"Calendar is held by incident {incident.pk} and stays off until that is resolved."
    assert held in office.get(START).content.decode()
    asked = {**DOWN, "flags": [CALENDAR, MASTER]}
    looked = office.post(START, asked).content.decode()
    assert looked.count(held) == 2
    assert "The plan belongs to no incident" in looked
    office.post(START, {**asked, "start": "1"})
    assert Plan.objects.get().incident is None
    assert set(incidents.latches()) == {CALENDAR}


def test_the_console_does_not_count_everybody_each_time_it_is_asked(
    monkeypatch: pytest.MonkeyPatch, office: Client
) -> None:
    at = 1000.0
    monkeypatch.setattr(engine, "monotonic", lambda: at)
    asked: dict[str, Any] = {"flags": [CALENDAR], "percent": Decimal(0), "now": timezone.now()}
    first = engine.kept_blast_words(**asked)
    make_user("one-more@school.example")
    assert engine.kept_blast_words(**asked) == first
    # Where somebody is about to act, it is counted.
    assert engine.blast_words(**asked) != first
    assert engine.kept_blast_words(**{**asked, "flags": [MASTER]}) != first
    at += engine.KEPT + 0.1
    assert engine.kept_blast_words(**asked) == engine.blast_words(**asked)
    assert len(engine._kept) == 1


def test_nobody_waits_for_a_slow_count(monkeypatch: pytest.MonkeyPatch, office: Client) -> None:
    def slow(**asked: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(20)")

    monkeypatch.setattr(engine, "PATIENCE", "100ms")
    monkeypatch.setattr(blast, "blast", slow)
    words = engine.blast_words(flags=[CALENDAR], percent=Decimal(0), now=timezone.now())
    assert words == "Whom it concerns cannot be read now."


def test_nobody_waits_for_a_slow_part(monkeypatch: pytest.MonkeyPatch, office: Client) -> None:
    def slow(now: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(20)")

    monkeypatch.setattr(readings, "PATIENCE", "500ms")
    monkeypatch.setitem(readings.PARTS, "traffic", slow)
    found = readings.read_all()
    assert found.unread == ["traffic"]
    assert found.flags is not None


def test_what_comes_next_names_whom_it_concerns(office: Client) -> None:
    office.post(START, {**DOWN, "start": "1"})
    plan = Plan.objects.get()
    plans.advance_due(by="a test")
    office.post(act(plan, "pause"), {"reason": "look first"})
    text = office.get(ROOM).content.decode()
    assert f"Plan {plan.pk} is paused" in text
    assert "Concerns " in text
