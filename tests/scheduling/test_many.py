"""Who is free, by bitmaps: never anything else than what is said of each teacher alone."""

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given

from enrollment.models import Teacher
from scheduling.domain.clock import day_of
from scheduling.queries.availability import free_slots
from scheduling.queries.many import first_free, free_days, who_is_free
from tests.scheduling.schools import School, schools
from tests.scheduling.test_oracle import on_the_database, saved

pytestmark = pytest.mark.django_db


@on_the_database
@given(school=schools())
def test_who_is_free_is_what_is_said_of_each(school: School) -> None:
    with saved(school) as made:
        teachers = list(Teacher.objects.all())
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
