"""A Monday in winter and a teacher with hours, so that each test says only what is special to it."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
import time_machine
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test import Client

from enrollment.models import Course, Lesson, Student, Teacher
from scheduling import sockets
from scheduling.models import AvailabilityRule

# 12:00 in Berlin, a Wednesday.
NOW = datetime(2026, 1, 14, 11, 0, tzinfo=UTC)


@pytest.fixture
def now() -> Iterator[datetime]:
    with time_machine.travel(NOW, tick=False):
        yield NOW


@pytest.fixture
def no_closed_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_closed_days", sockets._never_closed)


@pytest.fixture
def monday_hours(teacher: Teacher) -> AvailabilityRule:
    """Mondays 16:00 to 18:15 in Berlin: three lessons of 45 minutes."""
    return AvailabilityRule.objects.create(
        teacher=teacher, weekday=0, starts=time(16), ends=time(18, 15)
    )


@pytest.fixture
def as_student(student: Student, client: Client) -> Client:
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
