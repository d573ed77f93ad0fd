"""The timeline: written with each step, chained, only added to, and in the states of the table."""

import re
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase

from enrollment.domain.drawing import states_page
from enrollment.domain.states import check_step
from enrollment.models import User
from rollback import incidents, runner
from rollback.audit import ChangeRefused
from rollback.domain import decisions
from rollback.domain.charts import CHARTS
from rollback.domain.decisions import Harm
from rollback.domain.incidents import INCIDENT_STEPS, IncidentState
from rollback.domain.plans import PLAN_STEPS
from rollback.domain.public import PUBLIC_STEPS
from rollback.models import Flag, FlagChange, Incident, IncidentEvent
from rollback.runner import Actor, actor_of
from tests.conftest import make_user
from tests.rollback.flag_rows import seed_flags

CALENDAR = "ENABLE_CALENDAR_DISPLAY"
API = "ENABLE_AVAILABILITY_API"
PERSON = Actor(name="a person")
MACHINE = Actor(name="trigger", automatic=True)
FIRST_BAD = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("flag_rows")


def kinds(incident: Incident) -> list[str]:
    return list(incident.events.values_list("kind", flat=True))


def roll_back(**more: Any) -> Incident:
    told: dict[str, Any] = {
        "flags": [CALENDAR],
        "incident": "Errors",
        "actor": MACHINE,
        "reason": "4 %",
    } | more
    return runner.roll_back(**told).incident


def case(**more: Any) -> Incident | None:
    told: dict[str, Any] = {
        "title": "Complaints",
        "flags": [CALENDAR],
        "actor": MACHINE,
        "cause": "6 in an hour",
    }
    return incidents.open_case(**(told | more))


def test_a_rollback_writes_what_began_and_what_was_switched_off() -> None:
    runner.set_share(flag=CALENDAR, percent=Decimal(50), actor=PERSON, reason="x")
    incident = roll_back(
        kind="errors",
        severity=1,
        trigger="errors-of-the-api",
        first_bad_at=FIRST_BAD,
        is_not_the_feature=True,
    )
    assert (incident.severity, incident.trigger_name) == (1, "errors-of-the-api")
    assert (incident.first_bad_at, incident.is_not_the_feature) == (FIRST_BAD, True)
    opened, killed = incident.events.all()
    assert (opened.kind, killed.kind) == ("opened", "killed")
    assert opened.payload["first_bad_at"] == FIRST_BAD.isoformat()
    assert opened.payload["flags"] == killed.payload["flags"] == [CALENDAR]
    assert opened.payload["before"][CALENDAR]["share"] == "50.00"
    assert set(opened.payload["before"]) == set(Flag.objects.values_list("name", flat=True))
    change = FlagChange.objects.get(action="kill")
    assert killed.payload["changes"] == [change.pk]
    assert killed.payload["before"] == opened.payload["before"]
    assert killed.payload["before"][CALENDAR] == change.before


def test_a_rollback_that_fails_leaves_neither_incident_nor_line() -> None:
    with pytest.raises(ChangeRefused, match="There is no flag"):
        roll_back(flags=[CALENDAR, "ENABLE_NOTHING"])
    assert not Incident.objects.exists()
    assert not IncidentEvent.objects.exists()
    assert not Flag.objects.get(name=CALENDAR).is_killed


def test_a_case_takes_nothing_away_and_is_opened_once_for_its_trigger() -> None:
    advice = decisions.recommend(0.1, Harm.BOOKINGS)
    opened = case(trigger="complaints", recommendation=advice, first_bad_at=FIRST_BAD)
    assert opened is not None
    assert (opened.kind, opened.severity) == ("case", 4)
    assert opened.events.get().payload["recommendation"]["phases"] == [3, 2]
    assert not incidents.latches()
    assert not Flag.objects.get(name=CALENDAR).is_killed
    assert case(trigger="complaints") is None
    assert case(trigger="payments", recommendation="in words") is not None
    assert case() is not None
    assert case() is not None  # by hand, as many as there are
    incidents.resolve(incident=opened.pk, actor=PERSON, reason="answered")
    assert case(trigger="complaints") is not None


def test_a_decision_is_a_persons_with_a_reason_and_makes_it_theirs(staff: User) -> None:
    opened = case(recommendation=decisions.recommend(0.001, Harm.NONE))
    assert opened is not None
    chosen = decisions.recommend(0.5, Harm.LOST)
    for actor, field, reason, complaint in (
        (MACHINE, chosen.key, "x", "needs a person"),
        (PERSON, "few-nothing", "x", "no such field"),
        (PERSON, chosen.key, "  ", "needs a reason"),
    ):
        with pytest.raises(ChangeRefused, match=complaint):
            incidents.decide(incident=opened.pk, actor=actor, field=field, reason=reason)
    assert kinds(opened) == ["opened"]
    incidents.decide(
        incident=opened.pk, actor=actor_of(staff), field=chosen.key, reason="rows are missing"
    )
    opened.refresh_from_db()
    assert (opened.severity, opened.acknowledged_by) == (1, staff)
    assert kinds(opened) == ["opened", "acknowledged", "decided"]
    decided = opened.events.get(kind="decided").payload
    assert (decided["field"], decided["phases"], decided["before"]) == ("many-lost", [3, 2, 1], 4)


def test_a_case_may_take_away_later_with_the_same_incident() -> None:
    opened = case()
    assert opened is not None
    done = runner.take_away(incident=opened.pk, flags=[API], actor=PERSON, reason="decided so")
    assert done.incident == opened
    assert kinds(opened) == ["opened", "killed"]
    assert incidents.latches() == {API: opened}
    incidents.resolve(incident=opened.pk, actor=PERSON, reason="mended")
    with pytest.raises(ChangeRefused, match="resolved already"):
        runner.take_away(incident=opened.pk, flags=[CALENDAR], actor=PERSON, reason="again")
    assert not Flag.objects.get(name=CALENDAR).is_killed
    with pytest.raises(ChangeRefused, match="no incident 0"):
        runner.take_away(incident=0, flags=[CALENDAR], actor=PERSON, reason="again")


def test_only_the_first_acknowledges_and_only_people(staff: User) -> None:
    incident = roll_back()
    with pytest.raises(ChangeRefused, match="needs a person"):
        incidents.acknowledge(incident=incident.pk, actor=MACHINE)
    incidents.acknowledge(incident=incident.pk, actor=actor_of(staff))
    incident.refresh_from_db()
    assert incident.acknowledged_at == incident.events.get(kind="acknowledged").at
    with pytest.raises(ChangeRefused, match="acknowledged already"):
        incidents.acknowledge(incident=incident.pk, actor=PERSON)


def test_a_review_needs_the_end_a_cause_lessons_and_a_person() -> None:
    incident = roll_back()
    told: dict[str, Any] = {
        "incident": incident.pk,
        "actor": PERSON,
        "root_cause": "a",
        "lessons": "b",
    }
    with pytest.raises(ChangeRefused, match="is open"):
        incidents.review(**told)
    incidents.resolve(incident=incident.pk, actor=PERSON, reason="mended")
    for wrong, complaint in (
        ({"root_cause": " "}, "root cause"),
        ({"lessons": " "}, "root cause"),
        ({"actor": MACHINE}, "needs a person"),
    ):
        with pytest.raises(ChangeRefused, match=complaint):
            incidents.review(**(told | wrong))
    marta = make_user("marta@school.example", "staff")
    actions = [("Test the clocks", marta, date(2026, 4, 1)), ("Look again", None, None)]
    found = incidents.review(**told, actions=actions)
    assert (found.root_cause, found.lessons, found.state) == ("a", "b", IncidentState.REVIEWED)
    assert [action.text for action in found.actions.all()] == ["Test the clocks", "Look again"]
    incidents.review(**(told | {"lessons": "c"}))
    assert kinds(incident)[-2:] == ["reviewed", "reviewed"]
    assert found.actions.count() == 2


def test_notes_stay_possible_afterwards_and_need_words() -> None:
    incident = roll_back()
    incidents.resolve(incident=incident.pk, actor=PERSON, reason="mended")
    with pytest.raises(ChangeRefused, match="needs words"):
        incidents.note(incident=incident.pk, actor=PERSON, text=" ")
    incidents.note(incident=incident.pk, actor=PERSON, text=" Seen again on a phone. ")
    assert incident.events.get(kind="note").payload == {"text": "Seen again on a phone."}
    assert kinds(incident) == ["opened", "killed", "resolved", "note"]


# ---------------------------------------------------------------- it stays as it was written


@pytest.fixture
def told(flag_rows: None) -> Incident:
    incident = roll_back()
    for text in ("one", "two", "three"):
        incidents.note(incident=incident.pk, actor=PERSON, text=text)
    other = roll_back(incident="Another")
    incidents.note(incident=other.pk, actor=PERSON, text="elsewhere")
    return incident


def test_the_chain_holds_and_a_forgotten_name_breaks_nothing(told: Incident, staff: User) -> None:
    incidents.acknowledge(incident=told.pk, actor=actor_of(staff))
    assert incidents.check_chain(told) is None
    told.events.filter(actor=staff).update(actor_name=f"person {staff.pk}")
    assert incidents.check_chain(told) is None
    with pytest.raises(IntegrityError, match="only added to"), transaction.atomic():
        told.events.filter(actor=staff).update(actor_name="somebody else")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE rollback_incidentevent SET payload = '{}'",
        "UPDATE rollback_incidentevent SET at = at - interval '1 hour'",
        "UPDATE rollback_incidentevent SET actor_name = 'somebody'",
        "DELETE FROM rollback_incidentevent",
        "TRUNCATE rollback_incidentevent",
    ],
)
def test_the_applications_role_may_write_and_yet_changes_nothing(
    told: Incident, statement: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET rollback.may_forget = 'off'")
        cursor.execute("CREATE ROLE application")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO application")
        cursor.execute("SET ROLE application")
        try:
            with pytest.raises(IntegrityError), transaction.atomic():
                cursor.execute(statement)
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute("SET rollback.may_forget = 'on'")
    assert incidents.check_chain(told) is None


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ('UPDATE rollback_incidentevent SET payload = \'{"text": "x"}\' WHERE number = 4', 4),
        ("UPDATE rollback_incidentevent SET at = at - interval '1 second' WHERE number = 3", 3),
        ("UPDATE rollback_incidentevent SET kind = 'note' WHERE number = 1", 1),
        ("DELETE FROM rollback_incidentevent WHERE number = 2", 3),
        ("UPDATE rollback_incidentevent SET hash = repeat('0', 64) WHERE number = 5", 5),
    ],
)
def test_what_a_superuser_changed_is_found(told: Incident, statement: str, broken: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(f"{statement.replace('WHERE', 'WHERE incident_id = %s AND')}", [told.pk])
        assert cursor.rowcount == 1
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert incidents.check_chain(told) == broken
    other = Incident.objects.get(title="Another")
    assert incidents.check_chain(other) is None


class StatesTest(HypothesisTestCase):
    """Whatever is done in whatever order: a state changes along an arrow of the table."""

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.sampled_from(["acknowledge", "resolve", "review", "note", "decide"])))
    def test_states_follow_the_table(self, asked: list[str]) -> None:
        seed_flags()
        incident = roll_back()
        for step in asked:
            before = incident.state
            more: dict[str, Any] = {
                "note": {"text": "x"},
                "resolve": {"reason": "x"},
                "review": {"root_cause": "x", "lessons": "x"},
                "decide": {"field": "few-none", "reason": "x"},
            }.get(step, {})
            with suppress(ChangeRefused):
                getattr(incidents, step)(incident=incident.pk, actor=PERSON, **more)
            incident.refresh_from_db()
            check_step(INCIDENT_STEPS, before=before, after=incident.state)
        assert incidents.check_chain(incident) is None


@pytest.mark.parametrize(
    "steps", [INCIDENT_STEPS, PLAN_STEPS, PUBLIC_STEPS], ids=["incident", "plan", "public"]
)
def test_the_tables_are_drawn(steps: dict[str, frozenset[str]]) -> None:
    drawn = next(chart for chart in CHARTS if chart.steps is steps)
    section = states_page().split(f"## {drawn.title}\n")[1].split("\n## ")[0]
    arrows = set(re.findall(r"^    (\w+) --> (\w+)$", section, re.MULTILINE))
    assert arrows == {(before, after) for before, afters in steps.items() for after in afters}
