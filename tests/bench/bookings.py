"""Bookings per second when 32 and 64 clients want the time of one teacher, and what is left of it.

Three schools that differ in nothing but what guards the teacher's time: our exclusion constraint, a
unique index on teacher and start as most have it, and nothing but a look before the insert.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as wall_clock
from typing import Any

import psycopg
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from psycopg.conninfo import make_conninfo

from enrollment.models import Course, Enrollment, Teacher
from scheduling.models import AvailabilityRule, BookingPolicy
from scheduling.operations.booking import book_lesson
from tests.bench import schools
from tests.bench.booking_clients import BETWEEN, GROUP, LENGTH
from tests.bench.figures import TRANSACTION, Row, at_most, median, part_at_least, percentile, span

EXCLUSION, LIMITED, UNIQUE, NOTHING = DATABASES = (
    "booked_exclusion",
    "booked_limited",
    "booked_unique",
    "booked_checked",
)
CLIENTS = (32, 64)
ROUNDS = 3
# How often each client tries in a round.
TRIES = {"operation": 5, "checked": 5, "statement": 60}
GOAL = 0.8
MOST_A_DAY = 100

OVERLAPS = """
    SELECT count(*) FROM enrollment_lesson a
      JOIN enrollment_lesson b ON b.teacher_id = a.teacher_id AND b.id > a.id AND b.busy && a.busy
"""
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@dataclass
class Booked:
    """What a way of booking has done in all rounds. a_second: acknowledged bookings, by round."""

    database: str
    way: str
    a_second: list[float] = field(default_factory=list)
    tries_a_second: list[float] = field(default_factory=list)
    taken: list[float] = field(default_factory=list)
    made: list[int] = field(default_factory=list)
    groups: int = 0


def rows(database_url: str) -> Iterator[Row]:
    for database in DATABASES:
        with schools.inside(database):
            _filled(database)
            connection.close()
    for clients in CLIENTS:
        yield from _with(clients, database_url)
    yield Row(what="queries of a booking, from Django", ours=_queries())


def _queries() -> str:
    """One alone, of a school in which nobody else books."""
    with schools.inside(EXCLUSION):
        enrollment = Enrollment.objects.select_related("student__user", "course")[0]
        teacher, now = Teacher.objects.get(), datetime.now(UTC)
        starts_at = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=365)
        with CaptureQueriesContext(connections["default"]) as captured:
            book_lesson(
                enrollment=enrollment,
                teacher=teacher,
                starts_at=starts_at,
                by=enrollment.student.user,
                now=now,
            )
        connections["default"].close()
    around = sum(query["sql"].startswith(TRANSACTION) for query in captured)
    return f"{len(captured) - around}, and {around} to begin and end transactions"


def _with(clients: int, database_url: str) -> Iterator[Row]:
    ours = Booked(EXCLUSION, "operation")
    limited = Booked(LIMITED, "operation")
    unique = Booked(UNIQUE, "operation")
    checked = Booked(NOTHING, "checked")
    _rounds(clients, database_url, [ours, limited, unique, checked])
    yield _beside(f"{clients} clients book with one teacher", ours, unique, "a unique index")
    yield Row(
        what="  what it takes a client",
        ours=_tries(ours),
        beside=f"a unique index {_tries(unique)}; check, then insert {_tries(checked)}",
    )
    yield from _sound(ours, database_url)
    yield from _sound(limited, database_url)
    for other, words in ((unique, "a unique index"), (checked, "check, then insert")):
        found = _left(other, database_url)
        yield Row(
            what=f"  with {words}",
            ours="",
            beside=f"{found['overlaps']:,} pairs overlap, {len(other.made):,} acknowledged for "
            f"{other.groups:,} times",
        )
    bare, bare_unique = Booked(EXCLUSION, "statement"), Booked(UNIQUE, "statement")
    _rounds(clients, database_url, [bare, bare_unique])
    yield _beside("  the statement alone, without Django", bare, bare_unique, "a unique index")
    yield from _sound(bare, database_url)


def _rounds(clients: int, database_url: str, everybody: list[Booked]) -> None:
    """In turn; the times of each round are new."""
    for number in range(ROUNDS):
        for one in everybody:
            if not number:
                _empty(one, database_url)
            _book(one, clients, number, database_url)


def _empty(one: Booked, database_url: str) -> None:
    with _connected(one, database_url) as opened:
        opened.execute("TRUNCATE enrollment_lesson CASCADE")
        opened.execute("SELECT pg_stat_reset()")


def _book(one: Booked, clients: int, number: int, database_url: str) -> None:
    tries = TRIES[one.way]
    groups = clients // GROUP * tries
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    asked = {
        "way": one.way,
        "clients": clients,
        "tries": tries,
        "first": (midnight + timedelta(days=2) + number * groups * BETWEEN).isoformat(),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.booking_clients", json.dumps(asked)],
        env=os.environ | {"DATABASE_URL": make_conninfo(database_url, dbname=one.database)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    made = [lesson for client in found["clients"] for lesson in client["made"]]
    one.a_second.append(len(made) / found["seconds"])
    one.tries_a_second.append(clients * tries / found["seconds"])
    one.taken += [seconds for client in found["clients"] for seconds in client["taken"]]
    one.made += made
    one.groups += groups


def _beside(what: str, ours: Booked, other: Booked, words: str) -> Row:
    """Tries, not bookings: without a guard against overlaps more than one of four is let through."""
    mine, theirs = median(ours.tries_a_second), median(other.tries_a_second)
    return part_at_least(
        what,
        mine / theirs,
        GOAL,
        ours=f"{mine:,.0f} tries/s, {median(ours.a_second):,.0f} bookings/s",
        beside=f"{words} {theirs:,.0f} tries/s",
    )


def _tries(one: Booked) -> str:
    return f"p50 {span(percentile(one.taken, 50))}, p95 {span(percentile(one.taken, 95))}"


def _sound(one: Booked, database_url: str) -> Iterator[Row]:
    found = _left(one, database_url)
    wrong = {
        "overlaps": found["overlaps"],
        "deadlocks": found["deadlocks"],
        "acknowledged and lost": found["lost"],
        # Whoever waits three seconds for the teacher's lock is told "just taken", by intention.
        "refused to all": 0 if one.database == LIMITED else one.groups - len(one.made),
    }
    yield at_most(
        "  overlaps, deadlocks, lost or refused to all"
        if one.database == EXCLUSION
        else "  with a limit a day (the teacher's lock): overlaps, deadlocks, lost",
        sum(abs(count) for count in wrong.values()),
        0,
        ours=", ".join(f"{count} {words}" for words, count in wrong.items() if count) or "0",
        goal_words="0",
        beside=f"{len(one.made):,} bookings of {one.groups:,} times in {len(one.taken):,} tries, "
        f"{median(one.tries_a_second):,.0f} tries/s",
    )


def _left(one: Booked, database_url: str) -> Mapping[str, int]:
    # The clients' sessions hand in their figures when they have ended, a moment later.
    time.sleep(0.5)
    with _connected(one, database_url) as opened:
        there = {row[0] for row in opened.execute("SELECT id FROM enrollment_lesson")}
        counted = [opened.execute(query).fetchone() for query in (OVERLAPS, DEADLOCKS)]
    overlaps, deadlocks = (int(row[0]) for row in counted if row)
    return {
        "overlaps": overlaps,
        "deadlocks": deadlocks,
        "lost": len(set(one.made) - there),
    }


def _connected(one: Booked, database_url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(make_conninfo(database_url, dbname=one.database), autocommit=True)


def _filled(database: str) -> None:
    """One teacher who teaches day and night, for a year, and a student for each client."""
    minutes = int(LENGTH.total_seconds()) // 60
    course = Course.objects.create(
        title="Violin", slug="violin", lesson_minutes=minutes, capacity=max(CLIENTS)
    )
    BookingPolicy.objects.create(
        course=course,
        step_minutes=15,
        horizon_days=366,
        most_a_day=MOST_A_DAY if database == LIMITED else None,
    )
    teachers, students = schools.people(course, teachers=1, students=max(CLIENTS), zone="UTC")
    AvailabilityRule.objects.bulk_create(
        AvailabilityRule(teacher=teachers[0], weekday=day, starts=wall_clock(), ends=wall_clock())
        for day in range(7)
    )
    Enrollment.objects.bulk_create(
        Enrollment(student=student, course=course, status=Enrollment.Status.CONFIRMED)
        for student in students
    )
    if database in (UNIQUE, NOTHING):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE enrollment_lesson DROP CONSTRAINT lesson_teacher_once")
    if database == UNIQUE:
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE UNIQUE INDEX ON enrollment_lesson (teacher_id, lower(period))"
                " WHERE status <> 'cancelled'"
            )
