"""What is counted at the doors: of which feature, for whom it is on or off, and what is bad."""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from celery import shared_task
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from enrollment.api import throttling
from enrollment.models import Course, Student, Teacher
from rollback import live, metrics, registry, switchboard, triggers, watch
from rollback.domain.metrics import Metric, Verdict
from rollback.domain.triggers import Evidence, Rule, judge, look_back
from rollback.doors import gate, measuring, sockets
from rollback.models import Trigger
from tests.conftest import Switches, make_student
from tests.rollback.trigger_rows import samples, seed_triggers

pytestmark = pytest.mark.django_db
MASTER = "ENABLE_TEACHER_SCHEDULING"
CALENDAR = "ENABLE_CALENDAR_DISPLAY"
AVAILABILITY = "ENABLE_AVAILABILITY_API"
HOLIDAYS = "ENABLE_HOLIDAY_MANAGEMENT"


def counted(metric: str = Metric.REQUESTS) -> dict[tuple[str, bool], tuple[int, int]]:
    """(feature, on) -> (total, bad); the ground floor's as ""."""
    with watch.ring._taken() as counts:
        total: Counter[tuple[str, bool]] = Counter()
        bad: Counter[tuple[str, bool]] = Counter()
        for (_second, told, feature, on), cell in counts.items():
            if told == metric:
                total[feature, on] += cell[0]
                bad[feature, on] += cell[1]
    return {key: (total[key], bad[key]) for key in total}


@pytest.fixture
def as_student(client: Client, student: Student, course: Course) -> Client:
    client.force_login(student.user)
    client.raise_request_exception = False
    return client


def breaks(*_args: Any, **_named: Any) -> Any:
    raise ValueError


MONTH = "/calendar/"
OF_THE_DATABASE = {Metric.QUERIES_100_MS, Metric.CONNECTIONS}


def test_a_page_counts_for_its_feature_and_only_5xx_are_bad(
    as_student: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_student.get(MONTH)
    as_student.get("/calendar/9999/99/")
    as_student.post("/calendar/subscribe/9/revoke/")
    assert counted()[CALENDAR, True] == (3, 0), "4xx are no errors"
    monkeypatch.setattr("scheduling.views.calendar.render", breaks)
    assert as_student.get(MONTH).status_code == 500
    unavailable = HttpResponse(status=503)
    monkeypatch.setattr("scheduling.views.calendar.render", lambda *_a, **_n: unavailable)
    as_student.get(MONTH)
    assert counted()[CALENDAR, True] == (2, 2), "nor is every 503 the door's"


def test_whom_the_door_turns_away_is_in_nobodys_numbers(
    as_student: Client, switches: Switches
) -> None:
    switches.kill()
    as_student.get(MONTH)
    slots = reverse("availability-api:all_slots")
    assert as_student.get(slots).status_code == 503
    with watch.ring._taken() as counts:
        assert {metric for _second, metric, _feature, _on in counts} <= OF_THE_DATABASE


def test_the_control_group_are_those_without_it_on_the_page_instead(
    as_student: Client, switches: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = reverse("enrollment:enroll", args=["violin"])
    lessons = reverse("enrollment:my_courses")
    for page in (form, lessons):
        as_student.get(page)
    assert {on for _feature, on in counted()} == {True}, "who has it is no control"
    switches.share(0)
    for page in (form, lessons):
        as_student.get(page)
    found = counted()
    assert found[MASTER, False] == (1, 0)
    assert found[CALENDAR, False] == (2, 0)
    assert found["", True] == (2, 0)
    assert (HOLIDAYS, False) not in found
    assert counted(Metric.CALENDAR_2_S) == {}, "taken with the other"
    monkeypatch.setattr("enrollment.views.courses.render", breaks)
    assert as_student.get(form).status_code == 500
    found = counted()
    assert found[MASTER, False] == found[CALENDAR, False] == found["", True] == (1, 1)


def test_at_half_a_share_each_counts_on_their_own_side(
    client: Client, course: Course, switches: Switches
) -> None:
    switches.share(50)
    students = [make_student(f"s{n}@school.example") for n in range(12)]
    having = sum(switchboard.is_on(CALENDAR, student.user) for student in students)
    assert 0 < having < 12
    for student in students:
        client.force_login(student.user)
        client.get(MONTH)
        client.get(reverse("enrollment:my_courses"))
    found = counted()
    assert found[CALENDAR, True] == (having, 0)
    assert found[CALENDAR, False] == (12 - having, 0)


def test_who_is_not_known_yet_is_not_asked_for(
    as_student: Client,
    switches: Switches,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: Any,
) -> None:
    """A lost database, say: the page broke before, and counting it must not wait for the database."""
    switches.share(0)
    monkeypatch.setattr("django.contrib.auth.middleware.get_user", breaks)
    with django_assert_num_queries(0):
        assert as_student.get(reverse("enrollment:my_courses")).status_code == 500
    assert counted() == {("", True): (1, 1)}


def test_the_api_as_a_whole(as_student: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    as_student.get(reverse("availability-api:teachers"))
    as_student.get(reverse("api-schema"))
    as_student.get(reverse("availability-api:all_slots"), {"from": "nonsense"})
    assert counted(Metric.API) == {("", True): (3, 0)}
    monkeypatch.setattr("scheduling.api.reading.Teachers.get", breaks)
    assert as_student.get(reverse("availability-api:teachers")).status_code == 500
    assert counted(Metric.API) == {("", True): (1, 1)}


@pytest.mark.parametrize("page", ["/healthz", "/readyz", "/metrics", "/live/features/"])
def test_machines_that_look_whether_we_live_are_not_counted(client: Client, page: str) -> None:
    client.get(page)
    assert counted() == {}


def test_loads_are_pages_that_a_person_goes_to(
    as_student: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_student.get(MONTH)
    for headers in ({"HX-Request": "true"}, {measuring.REFRESH: "true"}):
        as_student.get(MONTH, headers=headers)
    as_student.post(MONTH)
    as_student.get("/calendar/feed/nobody.ics")
    assert counted(Metric.CALENDAR_2_S) == {(CALENDAR, True): (1, 0)}
    ticks = iter(range(100))
    clock = SimpleNamespace(perf_counter=lambda: next(ticks) * 0.7)
    monkeypatch.setattr("rollback.doors.middleware.time", clock)
    as_student.get(MONTH)
    assert counted(Metric.CALENDAR_500_MS) == {(CALENDAR, True): (1, 1)}
    as_student.get(MONTH)
    assert counted(Metric.CALENDAR_2_S) == {(CALENDAR, True): (1, 0)}


def test_loads_of_those_without_it_are_the_plain_lists(
    as_student: Client, switches: Switches
) -> None:
    switches.share(0)
    as_student.get(reverse("enrollment:my_courses"))
    assert counted(Metric.CALENDAR_500_MS) == {(CALENDAR, False): (1, 0)}


def test_a_browser_tells_whole_loads_and_one_person_is_one(
    as_student: Client, switches: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(time=lambda: 1_000_000_200.0)
    monkeypatch.setattr(live, "time", clock)
    url = reverse("live:timings")
    told = {"feature": "calendar", "ms": ["2500", "10"], "load": "2500"}
    assert as_student.post(url, {"feature": "calendar", "ms": "2500"}).status_code == 204
    assert counted(Metric.BROWSER_2_S) == {}, "a part of a page"
    assert as_student.post(url, told | {"load": "-1"}).status_code == 400
    assert as_student.post(url, told | {"feature": "holidays"}).status_code == 204
    assert counted(Metric.BROWSER_2_S) == {}
    for minute in range(5):
        clock.time = lambda: 1_000_000_200.0 + minute * 59  # noqa: B023  asked at once
        throttling.counts.clear()  # another process: what it does not know, the shared count does
        for load in ("999999", "10"):
            assert as_student.post(url, told | {"load": load}).status_code == 204
    with watch.ring._taken() as told_of:
        found = {metric: cell for (_second, metric, flag, _on), cell in told_of.items() if flag}
    assert found[Metric.BROWSER_2_S] == found[Metric.BROWSER_500_MS] == [1, 1]
    assert Metric.CALENDAR_2_S not in found, "the server's own"
    clock.time = lambda: 1_000_000_500.0
    assert as_student.post(url, told | {"load": "700"}).status_code == 204
    assert counted(Metric.BROWSER_2_S) == {(CALENDAR, True): (1, 0)}, "the next five minutes"
    clock.time = lambda: 1_000_000_800.0
    assert Client().post(url, told).status_code == 204
    switches.kill(CALENDAR)
    assert as_student.post(url, told).status_code == 204
    assert counted(Metric.BROWSER_2_S) == {}, "nobody else can have seen the page"


def test_slow_browsers_are_seen_beside_a_fast_server_and_two_people_alone_are_not() -> None:
    """Every fifth page asks its browser; each person is one load in ONE_LOAD_IN."""
    now = datetime(2026, 3, 2, 9, 0, 4, tzinfo=UTC)
    seed_triggers()
    row = Trigger.objects.get(name="calendar-slow-browsers")
    assert (row.action, row.kind, row.flags) == ("kill", "slow", [CALENDAR])
    rule = triggers.rule_of(row)
    reach = look_back(window_seconds=rule.window_seconds, held_seconds=rule.held_seconds)
    samples((reach // 10, 5, 0), now=now, metric=Metric.CALENDAR_2_S, feature=CALENDAR)
    samples((reach // 10, 1, 1), now=now, metric=Metric.BROWSER_2_S, feature=CALENDAR)
    assert judge(rule, evidence_of(rule, now)).verdict == Verdict.BREACH
    # As much as two can say, at whichever instants of the windows it hurts most.
    most = 2 * (reach // live.ONE_LOAD_IN + 2)
    gap = reach // 10 // most
    for parts in [
        ((gap - 1, 0, 0), (1, 1, 1)) * most,
        ((reach // 10 - 6, 0, 0), (1, most, most), (5, 0, 0)),
    ]:
        samples(*parts, now=now, metric=Metric.BROWSER_2_S, feature=CALENDAR)
        assert judge(rule, evidence_of(rule, now)).verdict == Verdict.UNKNOWN


def evidence_of(rule: Rule, now: datetime) -> Evidence:
    return metrics.evidence(
        metric=rule.metric,
        feature=CALENDAR,
        window_seconds=rule.window_seconds,
        held_seconds=rule.held_seconds,
        now=now,
    )


def test_a_feature_that_is_used_counts_once_for_each_page(
    as_student: Client, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the gate, as often as the page asks."""
    uses = 0

    def used_more(_request: Any, *_args: Any, **_named: Any) -> HttpResponse:
        nonlocal uses
        for function in (int, breaks if uses else int, int):
            gate.call(HOLIDAYS, function, instead=None)
        uses += 1
        return HttpResponse()

    monkeypatch.setattr("enrollment.views.courses.render", used_more)
    page = reverse("enrollment:catalog")
    as_student.get(page)
    assert counted()[HOLIDAYS, True] == (1, 0)
    assert as_student.get(page).status_code == 200
    found = counted()
    assert found[HOLIDAYS, True] == (1, 1)
    assert found["", True] == (1, 0), "the page itself is well"


def test_a_broken_use_by_nobodys_page_counts_at_once(switches: Switches) -> None:
    assert gate.call(HOLIDAYS, breaks, instead="instead") == "instead"
    assert counted() == {(HOLIDAYS, True): (1, 1)}
    switches.kill(HOLIDAYS)
    assert gate.call(HOLIDAYS, breaks, instead="instead", even_off=True) == "instead"
    assert counted() == {}, "it cannot be switched off more than that"


@shared_task(name="scheduling.tasks.for_the_watch")
def task(*, fails: bool = False) -> None:
    gate.call(HOLIDAYS, int, instead=None)
    gate.call(MASTER, breaks if fails is None else int, instead=None)
    if fails:
        raise ValueError


def test_a_task_is_a_request_of_its_feature() -> None:
    from config.celery import app

    run = app.tasks["scheduling.tasks.for_the_watch"].apply
    run()
    assert counted() == {(MASTER, True): (1, 0), (HOLIDAYS, True): (1, 0)}
    run(kwargs={"fails": True})
    run(kwargs={"fails": None})
    assert counted() == {(MASTER, True): (2, 2), (HOLIDAYS, True): (2, 0)}


def test_a_socket_is_one_too() -> None:
    async def ended(error: Exception | None) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
        with suppress(ValueError, OSError):
            await sockets._counted(future, flag=CALENDAR)

    async def all_of_them() -> None:
        for error in (None, ValueError(), ConnectionResetError()):
            await ended(error)

    asyncio.run(all_of_them())
    assert counted() == {(CALENDAR, True): (2, 1)}, "whoever is gone is no error"


def test_counting_that_is_broken_breaks_no_page(
    as_student: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "by_ground_page", breaks)
    monkeypatch.setattr(measuring, "count_load", breaks)
    assert as_student.get(MONTH).status_code == 200
    assert as_student.get(reverse("enrollment:my_courses")).status_code == 200


def test_the_ground_pages_that_stand_for_features_are_never_gated() -> None:
    for page in registry.by_ground_page():
        assert page.split(":")[0] not in registry.by_namespace()
