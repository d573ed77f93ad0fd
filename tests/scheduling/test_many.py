"""Who is free, by bitmaps: never anything else than what is said of each teacher alone."""

from datetime import date, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given

from enrollment.models import Course, Student, Teacher
from holidays.models import Holiday
from scheduling.domain.clock import day_of
from scheduling.models import AvailabilityRule
from scheduling.queries.availability import free_slots
from scheduling.queries.many import first_free, free_days, who_is_free
from tests.conftest import make_teacher
from tests.scheduling.conftest import NOW
from tests.scheduling.schools import School, schools
from tests.scheduling.test_oracle import on_the_database, saved

pytestmark = pytest.mark.django_db


@on_the_database
@given(school=schools())
def test_who_is_free_is_what_is_said_of_each(school: School) -> None:
    with saved(school) as made:
        teachers = list(Teacher.objects.all())
        _give_hours(Teacher.objects.exclude(pk=made.teacher.pk).get())
        for asked in ({"student": made.student, "until": school.until}, {}):
            question: dict[str, Any] = {"course": made.course, "now": school.asked_at, **asked}
            alone = {teacher.pk: free_slots(teacher=teacher, **question) for teacher in teachers}
            assert who_is_free(teachers=teachers, **question) == alone
            zone = ZoneInfo(school.viewer)
            days = free_days(teachers=teachers, zone=zone, **question)
            assert days == {
                pk: [
                    date.fromordinal(day)
                    for day in sorted({day_of(zone, start) for start, _end in found})
                ]
                for pk, found in alone.items()
            }
        with_any = [teacher for teacher in teachers if alone[teacher.pk]]
        assert first_free(teachers, course=made.course, now=school.asked_at) == next(
            iter(with_any), None
        )


def _give_hours(teacher: Teacher) -> None:
    """Each day, on a grid of ten minutes past."""
    for weekday in range(7):
        AvailabilityRule.objects.create(
            teacher=teacher, weekday=weekday, starts=time(9, 10), ends=time(17)
        )


@pytest.mark.usefixtures("monday_hours")
def test_two_queries_for_however_many(
    course: Course, teacher: Teacher, student: Student, django_assert_num_queries: Any
) -> None:
    """One of them through the gate, which is in a transaction here: a savepoint is set and given up."""
    others = [make_teacher(f"t{n}@school.example", zone="Asia/Kolkata") for n in range(5)]
    for other in others[1:]:
        _give_hours(other)
    course.teachers.add(*others)
    with django_assert_num_queries(4):
        found = who_is_free(course=course, now=NOW, student=student)
    assert set(found) == {teacher.pk, *(other.pk for other in others)}
    assert found[others[0].pk] == []
    assert all(found[pk] for pk in found if pk != others[0].pk)
    with django_assert_num_queries(4):
        assert first_free([others[0], others[1], teacher], course=course, now=NOW) == others[1]
    assert first_free([others[0]], course=course, now=NOW) is None
    assert who_is_free(course=course, teachers=[], now=NOW) == {}


@pytest.mark.usefixtures("monday_hours")
def test_a_closed_day_closes_everybody(course: Course, teacher: Teacher) -> None:
    other = make_teacher("other@school.example")
    _give_hours(other)
    course.teachers.add(other)
    monday = NOW.date() + timedelta(days=5)
    Holiday.objects.create(name="Snow", first_on=monday, last_on=monday)
    until = NOW + timedelta(days=6)
    days = free_days(course=course, now=NOW, until=until, zone=ZoneInfo("Europe/Berlin"))
    assert days[teacher.pk] == []
    assert days[other.pk] == [NOW.date() + timedelta(days=day) for day in (0, 1, 2, 3, 4, 6)]


def test_odd_seconds_are_swept_for(course: Course, teacher: Teacher) -> None:
    """Nobody can type them; whoever writes them in SQL gets the same answer, more slowly."""
    AvailabilityRule.objects.create(
        teacher=teacher, weekday=0, starts=time(9, 0, 7), ends=time(12), ends_next_day=False
    )
    alone = free_slots(teacher=teacher, course=course, now=NOW)
    assert alone[0][0] % 60 == 7
    assert who_is_free(course=course, now=NOW) == {teacher.pk: alone}
    days = free_days(course=course, now=NOW, zone=ZoneInfo("UTC"))
    assert len(days[teacher.pk]) == 4
