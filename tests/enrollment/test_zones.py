"""Time zone data of two programs, and lessons that a change of it moved."""

from datetime import UTC, date, datetime, time, timedelta
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from config.zones import zone_data
from enrollment.models import Course, Lesson, Student, Teacher
from enrollment.queries import zones
from enrollment.tasks import compare_zone_data
from tests.conftest import make_student, make_teacher

pytestmark = pytest.mark.django_db

# Years that are over: what is said of them does not change any more.
NOW = datetime(2023, 1, 1, tzinfo=UTC)
ALIKE = ["Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/Vancouver", "UTC"]


def test_whose_zones_are_looked_at(settings: Any) -> None:
    make_teacher(zone="Asia/Kolkata")
    make_student(zone="Pacific/Apia")
    settings.TIME_ZONE = "Europe/Lisbon"
    assert zones.zones_in_use() == ["Asia/Kolkata", "Europe/Lisbon", "Pacific/Apia"]


def test_zones_that_are_read_alike(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):
        assert zones.differences(now=NOW, zones=ALIKE) == []


def test_a_zone_that_python_reads_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if its data did not know yet that an hour is no longer changed: one winter of two differs."""

    def stale(zone: ZoneInfo, at: datetime) -> int:
        offset = at.astimezone(zone).utcoffset() or timedelta(0)
        is_late = zone.key == "America/Vancouver" and at >= datetime(2023, 11, 5, 12, tzinfo=UTC)
        return int(offset.total_seconds()) + 3600 * is_late

    monkeypatch.setattr(zones, "_offset", stale)
    (found,) = zones.differences(now=NOW, zones=ALIKE)
    assert found == zones.Difference(
        zone="America/Vancouver", since=datetime(2023, 11, 5, 12, tzinfo=UTC)
    )
    assert str(found) == "America/Vancouver (from 2023-11-05 on)"


def test_a_zone_that_one_does_not_know() -> None:
    (found,) = zones.differences(now=NOW, zones=["Mars/Olympus_Mons", *ALIKE])
    assert str(found) == "Mars/Olympus_Mons (unknown to one of them)"


def test_the_check_names_the_zone_and_what_to_do(teacher: Teacher) -> None:
    Teacher.objects.update(zone="Mars/Olympus_Mons")
    (warning,) = [one for one in zone_data(databases=["default"]) if "Mars" in one.msg]
    assert "tzdata" in str(warning.hint)
    assert zone_data(databases=None) == []


def test_manage_py_check_says_it(teacher: Teacher) -> None:
    Teacher.objects.update(zone="Mars/Olympus_Mons")
    said = StringIO()
    call_command("check", databases=["default"], stderr=said, stdout=said)
    assert "Mars/Olympus_Mons" in said.getvalue()


def _lesson(
    course: Course, teacher: Teacher, student: Student, starts: datetime, **agreed: Any
) -> int:
    values = {"zone": "Europe/Berlin", "status": "planned", **agreed}
    return Lesson.objects.create(
        course=course,
        teacher=teacher,
        student=student,
        period=DateTimeTZRange(starts, starts + timedelta(minutes=45)),
        **values,
    ).pk


def test_lessons_that_zone_data_moved(
    course: Course, teacher: Teacher, student: Student, django_assert_num_queries: Any
) -> None:
    now = datetime(2026, 7, 1, tzinfo=UTC)
    asked: tuple[Course, Teacher, Student] = (course, teacher, student)
    winter: dict[str, Any] = {"local_on": date(2026, 11, 2), "local_start": time(16)}
    # Agreed when Berlin was still thought to have summer time in November.
    moved = _lesson(*asked, datetime(2026, 11, 2, 14, tzinfo=UTC), **winter)
    _lesson(
        *asked,
        datetime(2026, 11, 3, 15, tzinfo=UTC),
        local_on=date(2026, 11, 3),
        local_start=time(16),
    )
    # Both of the repeated hour show 02:30.
    for hour in (0, 1):
        _lesson(
            *asked,
            datetime(2026, 10, 25, hour, 30, tzinfo=UTC),
            local_on=date(2026, 10, 25),
            local_start=time(2, 30),
        )
    # Over, cancelled, and in no zone that is known.
    _lesson(*asked, now - timedelta(days=2), local_on=date(2026, 1, 1), local_start=time(0))
    _lesson(*asked, now + timedelta(days=1), status="cancelled", **winter)
    _lesson(*asked, now + timedelta(days=2), **{**winter, "zone": "Mars/Olympus_Mons"})
    with django_assert_num_queries(2):
        (found,) = zones.moved_by_zone_data(now=now)
    assert found.lesson.pk == moved
    assert found.agreed == datetime(2026, 11, 2, 16)  # noqa: DTZ001 - a wall clock
    assert found.shown == datetime(2026, 11, 2, 15)  # noqa: DTZ001
    assert found.back_at == datetime(2026, 11, 2, 15, tzinfo=UTC)


def test_the_nightly_task_counts_them(course: Course, teacher: Teacher, student: Student) -> None:
    later = datetime.now(UTC).replace(hour=12, minute=0) + timedelta(days=30)
    _lesson(course, teacher, student, later, local_on=later.date(), local_start=time(3))
    assert compare_zone_data() == 1
