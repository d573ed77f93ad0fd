"""An import beside somebody who writes at the same moment: a sentence, never half of it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection, connections

from enrollment.models import Lesson, Student, User
from enrollment.operations.import_school import ImportRefused, import_table, table_of
from tests.enrollment import school_files
from tests.enrollment.school_files import NOW, load

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def somebody_else() -> Iterator[psycopg.Connection[Any]]:
    """A transaction that is still open."""
    params = connection.get_connection_params()
    wanted = {name: params[name] for name in ("host", "port", "user", "dbname") if name in params}
    password = params.get("password")
    with psycopg.connect(**wanted, password=password) as other:
        yield other


def imports(model: Any, text: str) -> Any:
    try:
        return import_table(table=table_of(model), data=text.encode(), now=NOW)
    except ImportRefused as refused:
        return str(refused.problems[0])
    finally:
        connections.close_all()


def test_who_signs_up_at_that_moment_is_not_overwritten() -> None:
    with somebody_else() as other, ThreadPoolExecutor(1) as pool:
        other.execute(
            """INSERT INTO enrollment_user (email, password, first_name, last_name,
                   is_superuser, is_staff, is_active, date_joined)
               VALUES ('zoe@school.example', 'x', 'Z', 'L', false, false, true, now())"""
        )
        answer = pool.submit(imports, Student, school_files.STUDENTS)
        _wait_until_somebody_waits(other)
        other.commit()
        assert "the school was changed at the same moment" in answer.result()

    assert not Student.objects.exists()
    assert User.objects.get().first_name == "Z"


def test_lessons_wait_for_whoever_is_booking(tmp_path: Path) -> None:
    load(tmp_path)
    first = Lesson.objects.get(status="planned")
    text = school_files.LESSONS.splitlines()[0] + (
        "\nmarta@school.example,jiri@school.example,violin,2026-02-16,16:00,,planned\n"
    )
    with somebody_else() as other, ThreadPoolExecutor(1) as pool:
        other.execute(
            """INSERT INTO enrollment_lesson (course_id, teacher_id, student_id, enrollment_id,
                   period, local_on, local_start, zone, status)
               SELECT course_id, teacher_id, student_id, enrollment_id,
                   tstzrange('2026-02-16 15:15+00', '2026-02-16 16:00+00'),
                   '2026-02-16', '16:15', zone, status FROM enrollment_lesson WHERE id = %s""",
            [first.pk],
        )
        answer = pool.submit(imports, Lesson, text)
        _wait_until_somebody_waits(other)
        other.commit()
        assert "the teacher has another lesson then" in answer.result()

    assert Lesson.objects.count() == 3


def _wait_until_somebody_waits(other: psycopg.Connection[Any]) -> None:
    deadline = time.monotonic() + 20
    # For this transaction: other tests share the server, and wait for locks of their own.
    query = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
    mine = [other.info.backend_pid]
    with psycopg.connect(other.info.dsn, password=other.info.password, autocommit=True) as third:
        while third.execute(query, mine).fetchone() == (0,):
            assert time.monotonic() < deadline, "nobody waits"
            time.sleep(0.02)
