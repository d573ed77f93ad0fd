"""Migrations of holidays are undone with what a school has entered by then."""

from collections.abc import Iterator
from datetime import date, time

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from enrollment.models import Course, Teacher
from holidays.models import Holiday, Region

pytestmark = pytest.mark.django_db(transaction=True)

DAY = date(2026, 1, 6)


def migrate(to: list[tuple[str, str]]) -> None:
    MigrationExecutor(connection).migrate(to)


@pytest.fixture
def latest() -> Iterator[list[tuple[str, str]]]:
    nodes = MigrationExecutor(connection).loader.graph.leaf_nodes("holidays")
    yield nodes
    migrate(nodes)


def enter(name: str, **more: object) -> Holiday:
    return Holiday.objects.create(name=name, first_on=DAY, last_on=DAY, **more)


def test_undoing_0002_keeps_the_oldest_of_a_name_and_no_working_day(
    latest: list[tuple[str, str]], teacher: Teacher, course: Course
) -> None:
    enter("Epiphany", kind="working_day", as_weekday=4)
    for_some = enter("Epiphany", scope="teachers")
    for_some.teachers.add(teacher)
    for subdivision in ("BY", "BW"):
        region = Region.objects.create(country="DE", subdivision=subdivision)
        enter("Epiphany", scope="region", region=region)
    enter("Epiphany", scope="courses").courses.add(course)
    whole = enter("Snow")
    enter("Snow", starts=time(14))
    enter("Working day instead", kind="working_day", as_weekday=4, scope="teachers").teachers.add(
        teacher
    )
    migrate([("holidays", "0001_expand_holidays")])
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, name FROM holidays_holiday ORDER BY id")
        assert cursor.fetchall() == [(for_some.pk, "Epiphany"), (whole.pk, "Snow")]
    migrate(latest)
    assert set(Holiday.objects.values_list("scope", flat=True)) == {"school"}
