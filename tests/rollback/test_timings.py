"""How long a feature's pages take: measured at the door and in the browsers, read by the watch."""

import random
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from environ import Env

from config import environment
from enrollment.api import throttling
from enrollment.models import Student, User
from rollback import live, timings
from rollback.domain.timings import BOUNDS, CLASSES, class_of, percentile
from rollback.models import Flag, TimingMinute
from rollback.tasks import delete_old_timings
from rollback.timings import BROWSER, SERVER
from tests.conftest import Switches

CALENDAR = "ENABLE_CALENDAR_DISPLAY"


@pytest.fixture(autouse=True)
def new_minute() -> None:
    throttling.counts.clear()


def test_the_classes_hold_every_time_and_end_where_decisions_are_made() -> None:
    for milliseconds in (0, 0.3, 1, 1.01, 42, 500, 501, 2_000, 60_000, 10**9):
        number = class_of(milliseconds)
        assert number == CLASSES - 1 or milliseconds <= BOUNDS[number] * 1.000001
        assert number == 0 or milliseconds > BOUNDS[number - 1]
    assert [round(BOUNDS[class_of(one)]) for one in (500, 1_990)] == [501, 1_995]


def test_percentiles_are_within_a_tenth_of_the_real_ones() -> None:
    randomly = random.Random(5)
    values = sorted(randomly.lognormvariate(5, 1) for _ in range(5_000))
    counts = [0] * CLASSES
    for value in values:
        counts[class_of(value)] += 1
    for percent in (1, 50, 95, 99):
        real = values[len(values) * percent // 100]
        assert percentile(counts, percent) == pytest.approx(real, rel=0.1)
    assert percentile([0] * CLASSES, 95) is None


def read(kind: str) -> Any:
    now = timezone.now()
    window: dict[str, datetime] = {
        "since": now - timedelta(minutes=5),
        "until": now + timedelta(minutes=1),
    }
    timings.write()
    found = timings.timings(feature=CALENDAR, kind=kind, **window)
    assert timings.all_timings(**window).get((CALENDAR, kind), found) == found
    return found


@pytest.mark.django_db
def test_the_door_measures_what_it_lets_in(
    client: Client, student: Student, switches: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(student.user)
    page = reverse("calendar:month")
    client.get(page)
    client.get(reverse("enrollment:my_courses"))
    found = read(SERVER)
    assert (found.count, found.errors) == (1, 0)
    assert 0 < found.p50 < 60_000
    switches.share(0, CALENDAR)
    client.get(page)
    switches.share(100)
    monkeypatch.setattr("scheduling.views.calendar.render", None)
    client.raise_request_exception = False
    assert client.get(page).status_code == 500
    found = read(SERVER)
    assert (found.count, found.errors) == (2, 1), (
        "added to what was there; who was off is not in it"
    )


@pytest.mark.django_db
def test_what_cannot_be_written_costs_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    timings.record(feature=CALENDAR, kind=SERVER, milliseconds=5)
    with monkeypatch.context() as patched:
        patched.setattr(timings, "ADD", "SELECT 1 / 0 -- %s %s %s %s %s")
        try:
            timings.write()
        except DatabaseError:
            pytest.fail("a measure that cannot be written is dropped")


@pytest.mark.django_db
def test_a_browser_tells_milliseconds_and_nothing_else(client: Client) -> None:
    url = reverse("live:timings")
    told = client.post(url, {"feature": "calendar", "ms": ["120", "999999"]})
    assert told.status_code == 204
    found = read(BROWSER)
    assert found.count == 2
    assert found.p95 <= 60_000 * 1.06, "clipped"
    nonsense: list[dict[str, Any]] = [
        {},
        {"feature": "calendar"},
        {"feature": "nothing", "ms": "1"},
        {"feature": CALENDAR, "ms": "1"},
        {"feature": "calendar", "ms": "-1"},
        {"feature": "calendar", "ms": "1e3"},
        {"feature": "calendar", "ms": "٣"},
        {"feature": "calendar", "ms": "9" * 400},
        {"feature": "calendar", "ms": ["1"] * 6},
    ]
    assert {client.post(url, data).status_code for data in nonsense} == {400}
    assert client.get(url).status_code == 405
    assert read(BROWSER).count == 2
    stored = {field.name for field in TimingMinute._meta.get_fields()}
    assert stored == {"id", "feature", "kind", "minute", "counts", "errors"}


@pytest.mark.django_db
def test_a_browser_needs_the_page_and_may_not_flood(client: Client) -> None:
    url = reverse("live:timings")
    data = {"feature": "calendar", "ms": "100"}
    assert Client(enforce_csrf_checks=True).post(url, data).status_code == 403
    answers = [client.post(url, data).status_code for _ in range(live.MOST_A_MINUTE + 5)]
    # A minute may end in between.
    assert 429 in answers or answers.count(204) > live.MOST_A_MINUTE
    assert client.post(url, data, REMOTE_ADDR="10.0.0.9").status_code == 204


@pytest.mark.django_db
def test_old_minutes_go_at_night() -> None:
    now = timezone.now().replace(second=0, microsecond=0)
    for age in (timedelta(days=31), timedelta(days=29)):
        TimingMinute.objects.create(
            feature=CALENDAR, kind=SERVER, minute=now - age, counts=[0] * CLASSES
        )
    assert delete_old_timings() == 1
    assert TimingMinute.objects.count() == 1


def test_the_switchboards_page_shows_todays(client: Client, admin: User, flag_rows: None) -> None:
    timings.record(feature=CALENDAR, kind=SERVER, milliseconds=100)
    timings.record(feature=CALENDAR, kind=BROWSER, milliseconds=400)
    timings.write()
    client.force_login(admin)
    page = client.get(reverse("admin:rollback_flag_changelist")).content.decode()
    assert re.search(r"\b\d\d ms, 4\d\d ms in browsers", page)


@pytest.mark.django_db
def test_the_switch_needs_no_measured_times(client: Client, admin: User, flag_rows: None) -> None:
    """Archived, say: the page shows none, and the kill page is there."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE rollback_timingminute RENAME TO gone")
    client.force_login(admin)
    assert client.get(reverse("admin:rollback_flag_changelist")).status_code == 200
    flag = Flag.objects.get(name="ENABLE_CALENDAR_DISPLAY")
    assert client.get(reverse("admin:rollback_flag_kill", args=[flag.pk])).status_code == 200


@pytest.mark.django_db
def test_a_page_without_a_socket_asks_what_is_on(
    client: Client, student: Student, switches: Switches, django_assert_num_queries: Any
) -> None:
    url = reverse("live:features")
    with django_assert_num_queries(0):
        asked = client.get(url)
    assert asked.json()["on"] == ["scheduling", "calendar", "availability", "holidays"]
    client.force_login(student.user)
    with django_assert_num_queries(2):  # the session and its user
        asked = client.get(url)
    again = client.get(url, headers={"If-None-Match": asked["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    switches.kill(CALENDAR)
    changed = client.get(url, headers={"If-None-Match": asked["ETag"]})
    assert changed.status_code == 200
    assert "calendar" not in changed.json()["on"]


@pytest.mark.django_db
def test_the_door_answers_scripts_in_their_own_way(
    client: Client, student: Student, switches: Switches
) -> None:
    client.force_login(student.user)
    switches.kill(CALENDAR)
    page = reverse("calendar:month")
    for _ in range(3):
        looked = client.get(page, headers={"HX-Request": "true", "X-Refresh": "true"})
        assert (looked.status_code, looked["HX-Redirect"]) == (204, reverse("enrollment:home"))
    home = client.get(reverse("enrollment:my_courses"))
    assert "switched off" not in home.content.decode(), "nobody had pressed anything"
    pressed = client.get(page, headers={"HX-Request": "true"})
    assert (pressed.status_code, pressed["HX-Redirect"]) == (204, reverse("enrollment:home"))
    home = client.get(reverse("enrollment:my_courses"))
    assert "switched off" in home.content.decode()


@pytest.mark.parametrize("value", ["-1", "101", "half"])
def test_a_percentage_that_is_none_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER_TIMINGS_PERCENT", value)
    with pytest.raises(ImproperlyConfigured, match="0 to 100"):
        environment.percent(Env(), "BROWSER_TIMINGS_PERCENT", 20)
