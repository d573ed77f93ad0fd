"""The decision matrix on the console: marked for each open incident, in words, and from there to deciding."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.roles import give_permissions
from enrollment.models import User
from rollback import incidents, runner
from rollback.console import deciding, readings
from rollback.domain.decisions import BY_KEY, Harm, recommend
from rollback.models import Incident
from rollback.runner import Actor

CALENDAR = "ENABLE_CALENDAR_DISPLAY"
PERSON = Actor(name="a person")
ROOM = "/admin/rollback/flag/room/"

pytestmark = pytest.mark.usefixtures("flag_rows")


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    give_permissions()
    client.force_login(staff)
    return client


def case(title: str = "Complaints", recommendation: Any = None) -> Incident:
    found = incidents.open_case(
        title=title, flags=[CALENDAR], actor=PERSON, cause="x", recommendation=recommendation
    )
    assert found is not None
    return found


def marks() -> dict[str, list[str]]:
    """By the cell's words."""
    shown = deciding.matrix(readings.read_all())
    assert shown is not None
    cells = [cell for row in shown["rows"] for cell in row["cells"]]
    return {cell["words"]: cell["marks"] for cell in cells if cell["marks"]}


def test_while_nothing_is_open_there_is_no_matrix(office: Client) -> None:
    assert deciding.matrix(readings.read_all()) is None
    assert "room-matrix" not in office.get(ROOM).content.decode()


def test_what_is_recommended_and_what_was_decided_say_so_in_words() -> None:
    advice = recommend(0.1, Harm.BOOKINGS)
    first, second = case(recommendation=advice), case(recommendation=advice)
    [(words, said)] = marks().items()
    assert words.startswith(advice.words)
    assert said == [
        f"Recommended: incident {first.pk}",
        f"Recommended: incident {second.pk}",
    ]
    incidents.decide(incident=first.pk, actor=PERSON, field=advice.key, reason="so be it")
    incidents.decide(incident=second.pk, actor=PERSON, field="many-leak", reason="worse")
    found = marks()
    assert found[words] == [
        f"Decided, as recommended: incident {first.pk}",
        f"Recommended: incident {second.pk}",
    ]
    [other] = [said for cell, said in found.items() if cell != words]
    assert other == [f"Decided: incident {second.pk}"]


def test_without_a_recommendation_it_is_by_how_many_had_the_feature(staff: User) -> None:
    opened = runner.roll_back(
        flags=[CALENDAR], incident="Slow", actor=PERSON, reason="slow"
    ).incident
    assert not marks()  # not counted yet
    Incident.objects.filter(pk=opened.pk).update(impact={"people": {"all": 1, "exposed": 1}})
    [(words, said)] = marks().items()
    assert words.startswith(BY_KEY["many-none"].words)
    assert said == [f"Recommended: incident {opened.pk}"]


def test_what_is_recommended_in_words_alone_stands_above(office: Client) -> None:
    one = case(recommendation="Look at the imports.")
    page = office.get(ROOM).content.decode()
    assert f"Incident {one.pk}, recommended: Look at the imports." in page


def test_from_the_console_one_decides_and_reads_what_to_do(office: Client, staff: User) -> None:
    one = case(recommendation=recommend(0.1, Harm.BOOKINGS))
    page = office.get(ROOM).content.decode()
    assert f'href="/admin/rollback/incident/{one.pk}/decide/"' in page
    assert f"Recommended: incident {one.pk}" in page
    for name in ("phase-3", "phase-2", "phase-1", "calendar"):
        assert f'href="/admin/rollback/flag/runbook/{name}/"' in page
    incident_page = office.get(f"/admin/rollback/incident/{one.pk}/change/").content.decode()
    assert "/admin/rollback/flag/runbook/phase-2/" in incident_page
    assert "/admin/rollback/flag/runbook/calendar/" in incident_page
    assert (
        "/admin/rollback/flag/runbook/phase-1/"
        in office.get("/admin/rollback/phaserun/now/").content.decode()
    )
    assert (
        "/admin/rollback/flag/runbook/calendar/"
        in office.get("/admin/rollback/flag/").content.decode()
    )


def test_whoever_may_not_see_incidents_sees_no_matrix(client: Client, staff: User) -> None:
    from django.contrib.auth.models import Permission

    case()
    staff.groups.clear()
    rights = Permission.objects.filter(codename__in=("view_flag", "change_flag"))
    staff.user_permissions.set(rights)
    client.force_login(staff)
    assert "room-matrix" not in client.get(ROOM).content.decode()


def test_reading_it_costs_as_many_queries_however_many_are_open() -> None:
    decided(1)
    with CaptureQueriesContext(connection) as first:
        deciding.matrix(readings.read_all())
    decided(5)
    with CaptureQueriesContext(connection) as second:
        deciding.matrix(readings.read_all())
    assert len(second) == len(first)


def decided(count: int) -> None:
    for number in range(count):
        one = case(title=str(number), recommendation=recommend(0.1, Harm.BOOKINGS))
        incidents.decide(incident=one.pk, actor=PERSON, field="few-none", reason="x")
