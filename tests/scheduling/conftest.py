"""A Monday in winter and a teacher with hours, so that each test says only what is special to it."""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test import Client

from enrollment.models import Course, Lesson, Student, Teacher, User
from scheduling import sockets
from scheduling.domain.closures import Closures
from scheduling.models import AvailabilityRule

# 12:00 in Berlin, a Wednesday.
NOW = datetime(2026, 1, 14, 11, 0, tzinfo=UTC)


@pytest.fixture
def now() -> Iterator[datetime]:
    with time_machine.travel(NOW, tick=False):
        yield NOW


@pytest.fixture
def no_closed_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_closures", sockets._never_closed)


def everybody_closed(closed: Mapping[date, str]) -> Callable[..., Mapping[int, Closures]]:
    """For `monkeypatch.setattr(sockets, "_closures", …)`."""

    def find(*, teachers: Collection[int], **_asked: Any) -> Mapping[int, Closures]:
        return dict.fromkeys(teachers, Closures(closed=closed))

    return find


@pytest.fixture
def monday_hours(teacher: Teacher) -> AvailabilityRule:
    """Mondays 16:00 to 18:15 in Berlin: three lessons of 45 minutes."""
    return AvailabilityRule.objects.create(
        teacher=teacher, weekday=0, starts=time(16), ends=time(18, 15)
    )


@pytest.fixture
def as_student(student: Student, course: Course, client: Client) -> Client:
    client.force_login(student.user)
    return client


MakeLesson = Callable[..., Lesson]


@pytest.fixture
def make_lesson(course: Course, teacher: Teacher, student: Student) -> MakeLesson:
    def make(starts: datetime, ends: datetime, **fields: Any) -> Lesson:
        values: dict[str, Any] = {
            "course": course,
            "teacher": teacher,
            "student": student,
            "status": "planned",
            "zone": teacher.zone,
            "local_on": date(2026, 1, 1),
            "local_start": time(0),
        }
        return Lesson.objects.create(period=DateTimeTZRange(starts, ends), **values | fields)

    return make


MANY = """
INSERT INTO enrollment_lesson
  (course_id, teacher_id, student_id, period, local_on, local_start, zone, status)
SELECT %(course)s, teacher.id, student.id, tstzrange(start, start + interval '45 minutes'),
       '2026-01-01', '00:00', 'UTC', 'planned'
  FROM generate_series(timestamptz '2025-06-01', '2026-05-31', interval '4 hours') start,
       (SELECT id, row_number() OVER (ORDER BY id) FROM enrollment_teacher) teacher
  JOIN (SELECT id, row_number() OVER (ORDER BY id) FROM enrollment_student) student
    ON student.row_number = teacher.row_number
"""


@pytest.fixture
def many_lessons(course: Course, teacher: Teacher, student: Student) -> None:
    """A year of lessons of 13 teachers and students: only then does a plan say anything.

    The other indexes are gone, in this test's transaction: with these few rows one of them may look
    cheapest, and what is asked is whether the exclusion indexes serve by both of their columns.
    """
    users = User.objects.bulk_create(User(email=f"u{n}@x.example", password="!") for n in range(24))
    Teacher.objects.bulk_create(Teacher(user=user, zone="UTC") for user in users[:12])
    Student.objects.bulk_create(Student(user=user, zone="UTC") for user in users[12:])
    with connection.cursor() as cursor:
        cursor.execute(MANY, {"course": course.pk})
        cursor.execute("ANALYZE enrollment_lesson")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE tablename = 'enrollment_lesson'"
            " AND indexdef ~ 'USING btree' AND indexname !~ 'pkey'"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP INDEX "{name}"')
