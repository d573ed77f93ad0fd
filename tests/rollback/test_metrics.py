"""What the triggers are shown of each metric, and the lines of the console."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from enrollment.models import Conflict, Course, Student
from holidays.queries import inconsistencies
from rollback import metrics, registry, rollup
from rollback.domain.metrics import Metric
from rollback.domain.triggers import Evidence
from rollback.models import Complaint, EnrollmentSession, LocalTrip, Process, Sample
from tests.conftest import make_student

pytestmark = pytest.mark.django_db
NOW = datetime(2030, 6, 15, 12, 0, 5, tzinfo=UTC)
MASTER = "ENABLE_TEACHER_SCHEDULING"
CALENDAR = "ENABLE_CALENDAR_DISPLAY"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SAMPLED = (
    Metric.REQUESTS,
    Metric.API,
    Metric.CALENDAR_500_MS,
    Metric.CALENDAR_2_S,
    Metric.BROWSER_500_MS,
    Metric.BROWSER_2_S,
    Metric.QUERIES_100_MS,
    Metric.CONNECTIONS,
)


def evidence(
    metric: str, feature: str = "", *, window: timedelta = DAY, held: timedelta = timedelta(0)
) -> Evidence:
    with CaptureQueriesContext(connection) as asked:
        found = metrics.evidence(
            metric=metric,
            feature=feature,
            window_seconds=int(window.total_seconds()),
            held_seconds=int(held.total_seconds()),
            now=NOW,
        )
    assert len(asked.captured_queries) == 1
    assert found.now == NOW
    return found


def summed(slots: Sequence[Any]) -> tuple[int, int]:
    return sum(slot.total for slot in slots), sum(slot.bad for slot in slots)


def line(metric: str, feature: str = "", *, points: int = 6, since: timedelta = HOUR) -> list[Any]:
    found = metrics.series(metric, feature, since=NOW - since, until=NOW, points=points)
    assert [at for at, _total, _bad in found] == [
        NOW - since + since / points * place for place in range(points)
    ]
    return [(total, bad) for _at, total, bad in found]


def sample(metric: str, age: timedelta, *, feature: str = CALENDAR, **fields: Any) -> None:
    values = {"is_on": True, "seconds": 10, "total": 10, "bad": 1}
    at = NOW.replace(second=0) - age
    Sample.objects.create(metric=metric, feature=feature, begins_at=at, **values | fields)


@pytest.mark.parametrize("metric", SAMPLED)
def test_slots_with_the_feature_and_without(metric: Metric) -> None:
    sample(metric, MINUTE)
    sample(metric, 2 * MINUTE, bad=3)
    sample(metric, MINUTE, is_on=False, total=7)
    sample(metric, MINUTE, feature=MASTER)
    sample("something else", MINUTE)
    found = evidence(metric, CALENDAR, window=5 * MINUTE)
    assert [(slot.total, slot.bad, slot.seconds) for slot in found.slots] == [
        (10, 3, 10),
        (10, 1, 10),
    ]
    assert found.slots[1].begins_at == NOW.replace(second=0) - MINUTE
    assert summed(found.control) == (7, 1)
    assert line(metric, CALENDAR) == [(0, 0)] * 5 + [(20, 4)]


def test_as_far_back_as_is_judged() -> None:
    for minutes in (1, 5, 6, 30, 31, 90):
        sample(Metric.REQUESTS, minutes * MINUTE)
    assert summed(evidence("requests", CALENDAR, window=5 * MINUTE).slots) == (20, 2)
    held = evidence("requests", CALENDAR, window=MINUTE, held=5 * MINUTE)
    assert summed(held.slots) == (50, 5)


def test_what_has_been_rolled_up_is_still_there() -> None:
    for number in range(30):
        sample(Metric.REQUESTS, 3 * DAY + number * MINUTE / 6)
    wide = {"window": 4 * DAY}
    before = summed(evidence("requests", CALENDAR, **wide).slots)
    rollup.roll_up(now=NOW)
    found = evidence("requests", CALENDAR, **wide).slots
    assert {slot.seconds for slot in found} == {60}
    assert summed(found) == before == (300, 30)
    assert sum(total for total, _bad in line("requests", CALENDAR, since=4 * DAY)) == 300


@pytest.fixture
def session(course: Course) -> Any:
    number = 0

    def make(
        started: timedelta, changed: timedelta, *, finished: bool = False, **fields: Any
    ) -> None:
        nonlocal number
        number += 1
        values = {"is_on": True, "began_in": "new", "flow": "new", "is_open": False} | fields
        EnrollmentSession.objects.create(
            student=make_student(f"s{number}@school.example"),
            course=course,
            started_at=NOW - started,
            changed_at=NOW - changed,
            finished_at=NOW - changed if finished else None,
            **values,
        )

    return make


def test_completion_is_of_those_that_began_long_enough_ago(session: Any) -> None:
    session(40 * MINUTE, 35 * MINUTE, finished=True)
    session(50 * MINUTE, 45 * MINUTE)
    session(20 * MINUTE, 10 * MINUTE, finished=True)  # too new: of its time only those are known
    session(90 * MINUTE, MINUTE, is_open=True)  # still typing
    session(90 * MINUTE, 31 * MINUTE, is_open=True)  # left, and beat has not been here
    session(25 * HOUR, 24 * HOUR)
    session(2 * HOUR, HOUR, is_on=False)
    found = evidence(Metric.COMPLETION, MASTER)
    assert summed(found.slots) == (3, 2)
    assert summed(found.control) == (1, 1)
    everybody = evidence(Metric.COMPLETION)
    assert summed(everybody.slots) == (4, 3)
    assert not everybody.control, "there is nobody else"
    assert line(Metric.COMPLETION, MASTER, points=4, since=2 * HOUR) == [
        (0, 0),
        (1, 1),
        (2, 1),
        (0, 0),  # who began then may still finish
    ]


def test_abandoned_are_of_those_that_were_last_touched_long_enough_ago(session: Any) -> None:
    session(40 * MINUTE, 35 * MINUTE, finished=True)
    session(20 * MINUTE, 10 * MINUTE, finished=True)
    session(50 * MINUTE, 45 * MINUTE)
    session(90 * MINUTE, 31 * MINUTE, is_open=True)
    session(90 * MINUTE, MINUTE, is_open=True)
    session(25 * HOUR, 23 * HOUR)
    session(25 * HOUR, 23 * HOUR, is_on=False, finished=True)
    found = evidence(Metric.ABANDONED, MASTER)
    assert summed(found.slots) == (4, 3)
    assert summed(found.control) == (1, 0)


def test_complaints_are_counted_by_people() -> None:
    def complain(who: str, age: timedelta, **fields: Any) -> None:
        values = {"kind": "broken", "text": "It does not work."} | fields
        Complaint.objects.create(reporter=who, reported_at=NOW - age, **values)

    for who, age in (("u:1", 1), ("u:1", 20), ("u:2", 2), ("a:f", 59), ("u:3", 61)):
        complain(who, age * MINUTE)
    complain("u:9", 3 * MINUTE, kind="payment", features=[CALENDAR])
    found = evidence(Metric.COMPLAINTS, window=HOUR)
    assert (found.number, found.first_at) == (4.0, NOW - 59 * MINUTE)
    assert evidence(Metric.COMPLAINTS, CALENDAR, window=HOUR).number == 1.0
    assert evidence(Metric.COMPLAINTS, MASTER, window=HOUR).number == 0.0
    assert evidence(Metric.PAYMENTS, window=HOUR).number == 1.0
    assert line(Metric.COMPLAINTS)[0] == (1, 1)
    assert line(Metric.COMPLAINTS)[-1] == (3, 3)
    assert line(Metric.PAYMENTS) == [(0, 0)] * 5 + [(1, 1)]


def test_conflicts_that_are_open_and_whose_they_are() -> None:
    def conflict(kind: str, found: timedelta, ended: timedelta | None = None) -> None:
        Conflict.objects.create(
            kind=kind,
            key=uuid4().hex,
            found_at=NOW - found,
            status="open" if ended is None else "resolved",
            resolved_at=None if ended is None else NOW - ended,
        )

    conflict("time_off", 2 * DAY)
    conflict("holiday", 35 * MINUTE)
    conflict("time_off", 2 * DAY, 25 * MINUTE)
    conflict(inconsistencies.CONTRADICTORY, 15 * MINUTE)
    found = evidence(Metric.CONFLICTS)
    assert (found.number, found.first_at) == (2.0, NOW - 2 * DAY), (
        "however long ago they were found"
    )
    assert evidence(Metric.HOLIDAYS).number == 1.0
    assert [total for total, _bad in line(Metric.CONFLICTS)] == [2, 2, 3, 2, 2, 2]
    assert [total for total, _bad in line(Metric.HOLIDAYS)] == [0, 0, 0, 0, 1, 1]


def test_the_site_plan_names_the_holidays_own_kinds() -> None:
    assert set(registry.inconsistencies()) == {one.kind for one in inconsistencies.DETECTORS}


def test_processes_that_had_lost_the_database() -> None:
    assert evidence(Metric.LOCAL_TRIPS, window=2 * MINUTE).number == 0.0
    for age in (1, 1, 1, 60, 9 * 60):
        Process.objects.create(
            uuid=uuid4(),
            kind="web",
            host="h",
            pid=1,
            started_at=NOW - DAY,
            version=1,
            reached_at=NOW - DAY,
            seen_at=NOW - timedelta(seconds=age),
        )

    def trip(uuid: Any, number: int, age: timedelta) -> None:
        facts: dict[str, Any] = {"kind": "web", "host": "h", "pid": 1, "failures": 5}
        at = NOW - age
        LocalTrip.objects.create(
            uuid=uuid, number=number, tripped_at=at - MINUTE, back_at=at, **facts
        )

    first = Process.objects.earliest("-seen_at").uuid
    trip(first, 1, MINUTE)
    trip(first, 2, MINUTE / 2)
    trip(uuid4(), 1, MINUTE)  # not yet in the table again
    trip(uuid4(), 1, HOUR / 2)
    found = evidence(Metric.LOCAL_TRIPS, window=2 * MINUTE)
    assert found.number == pytest.approx(2 / 5)
    assert found.first_at == NOW - 2 * MINUTE
    assert line(Metric.LOCAL_TRIPS) == [(0, 0)] * 3 + [(1, 1), (0, 0), (2, 2)]


def test_there_is_no_such_metric() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        evidence("nonsense")


def test_every_metric_is_there_with_nothing_in_the_tables() -> None:
    for metric in Metric:
        found = evidence(metric, MASTER)
        is_number = isinstance(metrics._OF_ROWS.get(metric), metrics._Number)
        assert found.number == (0.0 if is_number else None)
        assert not found.slots
        assert line(metric, MASTER) == [(0, 0)] * 6


FILL = """
    INSERT INTO rollback_sample (metric, feature, is_on, begins_at, seconds, total, bad)
    SELECT m, f, o, %(now)s - n * interval '10 s', 10, 10, 1
      FROM generate_series(0, 999) n, unnest('{requests,api,other}'::text[]) m,
           unnest('{a,b,ENABLE_CALENDAR_DISPLAY}'::text[]) f, unnest('{t,f}'::bool[]) o;
    INSERT INTO rollback_enrollmentsession (student_id, course_id, is_on, began_in, flow,
           furthest_step, started_at, changed_at, is_open)
    SELECT %(student)s, %(course)s, true, 'new', 'new', 1, at, at, false
      FROM generate_series(%(now)s - interval '30 days', %(now)s, interval '5 minutes') at;
    INSERT INTO rollback_complaint (kind, text, path, reporter, features, reported_at,
           done_by_name, answer)
    SELECT 'broken', 'x', '', 'u:' || n, '{}', %(now)s - n * interval '1 hour', '', ''
      FROM generate_series(1, 3000) n;
    INSERT INTO enrollment_conflict (kind, key, status, found_at, seen_at, resolved_at, resolution,
           automatic, facts)
    SELECT 'time_off', n::text, 'resolved', %(now)s, %(now)s, %(now)s, '', false, '{}'
      FROM generate_series(1, 3000) n;
    INSERT INTO rollback_localtrip (uuid, number, kind, host, pid, failures, tripped_at, back_at)
    SELECT gen_random_uuid(), 1, 'web', 'h', 1, 1, %(now)s - n * interval '1 hour',
           %(now)s - n * interval '1 hour'
      FROM generate_series(1, 3000) n;
    ANALYZE rollback_sample, rollback_enrollmentsession, rollback_complaint, enrollment_conflict,
            rollback_localtrip
"""


@pytest.mark.parametrize(
    ("metric", "index"),
    [
        (Metric.REQUESTS, "sample_once"),
        (Metric.COMPLETION, "enrollment_session_starts"),
        (Metric.ABANDONED, "enrollment_session_starts"),
        (Metric.COMPLAINTS, "complaint_times"),
        (Metric.PAYMENTS, "complaint_times"),
        (Metric.CONFLICTS, "conflict_"),
        (Metric.HOLIDAYS, "conflict_"),
        (Metric.LOCAL_TRIPS, "local_trip_back"),
    ],
)
def test_each_question_is_answered_by_an_index(metric: Metric, index: str, filled: None) -> None:
    source = metrics._OF_ROWS.get(metric, metrics._Slots(metrics.SAMPLES))
    facts = metrics._facts(metric, CALENDAR, NOW - 2 * HOUR, NOW)
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + source.words, facts)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert index in plan, plan
    assert not re.search(r"Seq Scan on (?!rollback_process)", plan), plan


@pytest.fixture
def filled(student: Student, course: Course) -> None:
    with connection.cursor() as cursor:
        for words in FILL.split(";"):
            cursor.execute(words, {"now": NOW, "student": student.pk, "course": course.pk})
