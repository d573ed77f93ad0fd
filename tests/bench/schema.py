"""The features' tables taken away and brought back while six clients write: how long, who waits, what is
lost.

Beside it the same migrations on the same rows as plain Django has them, whose reverse of CreateModel is DROP
TABLE. SCHEMA_ROWS="1000000 5000000" says how many rows there are in scheduling's tables.
"""

import copy
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

import psycopg
from django.db import OperationalError, connection
from django.db.migrations import AddField, CreateModel
from django.db.migrations.executor import MigrationExecutor
from psycopg.conninfo import make_conninfo
from psycopg.errors import DeadlockDetected, UndefinedTable

from enrollment.models import Course, Enrollment
from rollback.schema import ledger, reverse
from rollback.schema.digest import digest
from rollback.schema.operations import ArchivingAddField, ArchivingCreateModel
from tests.bench import schools
from tests.bench.figures import Row, at_most, span

APPS = ("scheduling", "holidays")
SIZES = tuple(int(size) for size in os.environ.get("SCHEMA_ROWS", "1000000 5000000").split())
DATABASES = tuple(f"schema_{size}" for size in SIZES)
TEACHERS, STUDENTS = 1000, 50
# Of all rows, in percent.
SHARES = {"rules": 10, "time_off": 30, "waiting": 60}
CATALOG_GOAL, BLOCK_GOAL, DIGEST_GOAL = 2.0, 2.0, 1.0
# Before, between and after, in which everybody writes undisturbed.
CALM = 1.0
# In which plain Django's migrations must be through.
PATIENCE = 300.0

FILL = {
    "rules": """
        INSERT INTO scheduling_availabilityrule
               (teacher_id, weekday, starts, ends, every_weeks, valid_from, valid_until)
        SELECT %(teacher)s + n %% %(teachers)s, n / %(teachers)s %% 7,
               make_time(n / (7 * %(teachers)s) %% 23, 0, 0),
               make_time(n / (7 * %(teachers)s) %% 23, 30, 0), 1, day, day
          FROM generate_series(0, %(rows)s - 1) n,
               LATERAL (SELECT DATE '2027-01-01' + n / (161 * %(teachers)s) AS day) d
    """,
    "time_off": """
        INSERT INTO scheduling_timeoff (teacher_id, period, reason)
        SELECT %(teacher)s + n %% %(teachers)s, tstzrange(at, at + interval '1 hour'), 'away ' || n
          FROM generate_series(0, %(rows)s - 1) n,
               LATERAL (SELECT TIMESTAMPTZ '2027-01-01' + n * interval '7 seconds' AS at) d
    """,
    "waiting": """
        INSERT INTO scheduling_waitlistentry
               (student_id, course_id, status, created_at, ended_at, offer_tries)
        SELECT %(student)s + n %% %(students)s, %(course)s, 'left', at, at, 0
          FROM generate_series(0, %(rows)s - 1) n,
               LATERAL (SELECT TIMESTAMPTZ '2027-01-01' + n * interval '3 seconds' AS at) d
    """,
}
MESSAGE = """
    INSERT INTO enrollment_message (enrollment_id, sender_id, body, sent_at)
    VALUES (%(enrollment)s, %(user)s, 'hello', now()) RETURNING id
"""
LESSON = """
    INSERT INTO enrollment_lesson (course_id, teacher_id, student_id, period, local_on, local_start, zone,
                                   status)
    SELECT %(course)s, %(teacher)s, %(student)s, tstzrange(at, at + interval '45 minutes'), at::date,
           at::time, 'UTC', 'planned'
      FROM (SELECT TIMESTAMPTZ '2030-01-01' + %(n)s * interval '2 hours' AS at) d RETURNING id
"""
ACCESS = """
    INSERT INTO enrollment_messageaccess (enrollment_id, user_id, reason, opened_at)
    VALUES (%(enrollment)s, %(user)s, 'why', now()) RETURNING id
"""
TIME_OFF = """
    INSERT INTO scheduling_timeoff (teacher_id, period, reason)
    SELECT %(teacher)s, tstzrange(at, at + interval '1 hour'), 'written'
      FROM (SELECT TIMESTAMPTZ '2040-01-01' + %(n)s * interval '2 hours' AS at) d RETURNING id
"""
WAITING = """
    INSERT INTO scheduling_waitlistentry (student_id, course_id, status, created_at, ended_at, offer_tries)
    VALUES (%(student)s, %(course)s, 'left', now(), now(), 0) RETURNING id
"""
ANSWER = """
    INSERT INTO scheduling_idempotencykey (user_id, key, fingerprint, created_at)
    VALUES (%(user)s, 'key ' || %(n)s, '', now()) RETURNING id
"""
# Table → what a client does in it, again and again.
WRITERS = {
    "enrollment_message": MESSAGE,
    "enrollment_lesson": LESSON,
    "enrollment_messageaccess": ACCESS,
    "scheduling_timeoff": TIME_OFF,
    "scheduling_waitlistentry": WAITING,
    "scheduling_idempotencykey": ANSWER,
}
# Away and back: each takes so many seconds, and so many deadlocks.
Step = Callable[[], tuple[float, int]]
Way = tuple[Step, Step]


@dataclass
class Writer:
    """ids: what it was told is written. waited: its longest request. turned_away: without the table."""

    table: str
    ids: list[int] = field(default_factory=list)
    waited: float = 0.0
    turned_away: int = 0
    deadlocks: int = 0
    error: str = ""


@dataclass(kw_only=True)
class Measured:
    """In seconds. all_of: with what is looked at after COMMIT."""

    away: float
    back: float
    all_of_back: float
    blocked: float
    written: int
    turned_away: int
    deadlocks: int
    missing: int
    digest: float = 0.0


def rows(database_url: str) -> Iterator[Row]:
    for size, name in zip(SIZES, DATABASES, strict=True):
        plain = f"{name}_plain"
        with schools.inside(name):
            people = _filled(size)
            connection.close()
        schools.copy_empty(database_url, template=name, names=[plain])
        with schools.inside(name):
            ours = _measured(make_conninfo(database_url, dbname=name), people, _ours())
            connection.close()
        with schools.inside(plain):
            theirs = _measured(make_conninfo(database_url, dbname=plain), people, _plain())
            connection.close()
        yield from _rows(size, ours, theirs)


def _rows(size: int, ours: Measured, theirs: Measured) -> Iterator[Row]:
    yield at_most(
        f"{size:,} rows taken away under {len(WRITERS)} writers",
        ours.away,
        CATALOG_GOAL,
        ours=span(ours.away),
        goal_words="2 s",
        beside=f"DROP TABLE: {span(theirs.away)}",
    )
    yield at_most(
        "  longest wait of a request",
        ours.blocked,
        BLOCK_GOAL,
        ours=span(ours.blocked),
        goal_words="2 s",
        beside=span(theirs.blocked),
    )
    yield at_most(
        "  acknowledged rows missing after the way back",
        ours.missing,
        0,
        ours=f"{ours.missing:,} of {size + ours.written:,}",
        goal_words="0",
        beside=f"{theirs.missing:,} of {size + theirs.written:,}",
    )
    yield at_most(
        "  digest, a million rows",
        ours.digest / size * 1e6,
        DIGEST_GOAL,
        ours=span(ours.digest / size * 1e6),
        goal_words="1 s",
    )
    yield at_most(
        "  brought back",
        ours.back,
        CATALOG_GOAL,
        ours=f"{span(ours.back)}; compared and checked {span(ours.all_of_back)}",
        goal_words="2 s",
        beside=f"{span(theirs.back)}, empty",
    )
    yield at_most(
        "  deadlocks",
        ours.deadlocks,
        0,
        ours=f"{ours.deadlocks}",
        goal_words="0",
        beside=f"{theirs.deadlocks}",
    )
    yield Row(what="  requests turned away meanwhile", ours=f"{ours.turned_away:,}")


def _filled(size: int) -> dict[str, int]:
    """:returns: the first of the people and what else the writers write about"""
    course = Course.objects.create(title="Violin", slug="violin", capacity=10_000)
    teachers, students = schools.people(course, teachers=TEACHERS, students=STUDENTS, zone="UTC")
    enrollment = Enrollment.objects.create(student=students[0], course=course, status="confirmed")
    people = {
        "course": course.pk,
        "teacher": teachers[0].pk,
        "teachers": TEACHERS,
        "student": students[0].pk,
        "students": STUDENTS,
        "user": students[0].user_id,
        "enrollment": enrollment.pk,
    }
    with connection.cursor() as cursor:
        # A foreign key looked at for each of millions of rows, and a message to open calendars.
        cursor.execute("SET session_replication_role = replica")
        for what, percent in SHARES.items():
            cursor.execute(FILL[what], people | {"rows": size * percent // 100})
        cursor.execute("RESET session_replication_role")
        cursor.execute("VACUUM ANALYZE")
    return people


def _measured(address: str, people: dict[str, int], way: Way) -> Measured:
    take_away, bring_back = way
    before = _counted()
    with _writing(address, people) as writers:
        time.sleep(CALM)
        away, deadlocks = take_away()
        took = _digest()
        time.sleep(CALM)
        began = time.perf_counter()
        back, more = bring_back()
        deadlocks += more
        all_of_back = time.perf_counter() - began
        time.sleep(CALM)
    written = sum(len(one.ids) for one in writers)
    return Measured(
        away=away,
        back=back,
        all_of_back=all_of_back,
        blocked=max(one.waited for one in writers),
        written=written,
        turned_away=sum(one.turned_away for one in writers),
        deadlocks=sum(one.deadlocks for one in writers) + deadlocks,
        missing=_missing(writers) + max(0, before - _counted()),
        digest=took,
    )


def _counted() -> int:
    """What was there in the features' tables before anybody wrote."""
    tables = ("scheduling_availabilityrule",)
    with connection.cursor() as cursor:
        total = 0
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {table}")
            total += cursor.fetchone()[0]
        cursor.execute("SELECT count(*) FROM scheduling_timeoff WHERE reason <> 'written'")
        total += cursor.fetchone()[0]
        cursor.execute("SELECT count(*) FROM scheduling_waitlistentry WHERE created_at = ended_at")
        total += cursor.fetchone()[0]
    return int(total)


def _missing(writers: Sequence[Writer]) -> int:
    with connection.cursor() as cursor:
        missing = 0
        for one in writers:
            cursor.execute(
                f"SELECT count(*) FROM unnest(%s::bigint[]) i"
                f" WHERE NOT EXISTS (SELECT FROM {one.table} t WHERE t.id = i)",
                [one.ids],
            )
            missing += cursor.fetchone()[0]
    return missing


def _digest() -> float:
    """Once more what is done after COMMIT; 0 where nothing is in an archive."""
    began = time.perf_counter()
    with connection.cursor() as cursor:
        for entry in ledger.away(cursor):
            digest(cursor, entry.schema, entry.name)
    return time.perf_counter() - began


@contextmanager
def _writing(address: str, people: dict[str, int]) -> Iterator[list[Writer]]:
    """:raises RuntimeError: afterwards, if anything but a missing table stopped one of them"""
    over = threading.Event()
    writers = [Writer(table) for table in WRITERS]
    threads = [
        threading.Thread(target=_write, args=(one, address, people, over)) for one in writers
    ]
    for thread in threads:
        thread.start()
    try:
        yield writers
    finally:
        over.set()
        for thread in threads:
            thread.join()
    if errors := [f"{one.table}: {one.error}" for one in writers if one.error]:
        raise RuntimeError("; ".join(errors))


def _write(writer: Writer, address: str, people: dict[str, int], over: threading.Event) -> None:
    statement = WRITERS[writer.table]
    try:
        with psycopg.connect(address, autocommit=True) as mine:
            for number in count():
                if over.is_set():
                    return
                _once(writer, mine, statement, people | {"n": number})
    except psycopg.Error as error:
        writer.error = f"{type(error).__name__} {error}"


def _once(writer: Writer, mine: psycopg.Connection, statement: str, values: dict[str, int]) -> None:
    began = time.perf_counter()
    try:
        row = mine.execute(statement, values).fetchone()
        writer.ids.append(row[0])  # type: ignore[index]
    except UndefinedTable:
        writer.turned_away += 1
        time.sleep(0.02)
    except DeadlockDetected:
        writer.deadlocks += 1
    finally:
        writer.waited = max(writer.waited, time.perf_counter() - began)


def _ours() -> Way:
    return (
        lambda: (reverse.take_away(apps=APPS).seconds, 0),
        lambda: (reverse.bring_back(apps=APPS).seconds, 0),
    )


def _plain() -> Way:
    """The same migrations, with Django's own operations."""
    return (lambda: _django([(app, None) for app in APPS]), lambda: _django(None))


def _django(targets: list[tuple[str, str | None]] | None) -> tuple[float, int]:
    """Again and again until it is through, as somebody at a terminal would."""
    began, deadlocks = time.perf_counter(), 0
    while True:
        executor = MigrationExecutor(connection)
        for migration in executor.loader.graph.nodes.values():
            migration.operations = [_of_django(one) for one in migration.operations]
        try:
            executor.migrate(targets or executor.loader.graph.leaf_nodes())
        except OperationalError as error:
            if not isinstance(error.__cause__, DeadlockDetected):
                raise
            deadlocks += 1
            if time.perf_counter() - began > PATIENCE:
                raise
            continue
        return time.perf_counter() - began, deadlocks


def _of_django(operation: object) -> object:
    for ours, plain in ((ArchivingCreateModel, CreateModel), (ArchivingAddField, AddField)):
        if isinstance(operation, ours):
            same = copy.copy(operation)
            same.__class__ = plain  # type: ignore[assignment]
            return same
    return operation
