"""The availability function against PostgreSQL's ranges, on schools made by chance."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from enrollment.operations.lessons import SlotTaken, hold_slot, taken_if_blocked
from scheduling.operations.offered import check_offered
from scheduling.queries.availability import Availability, availability, moment
from tests.scheduling import oracle
from tests.scheduling.schools import Saved, School, save, schools

pytestmark = pytest.mark.django_db

on_the_database = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@contextmanager
def saved(school: School) -> Iterator[Saved]:
    with transaction.atomic():
        oracle.create_function()
        yield save(school)
        transaction.set_rollback(True)


@on_the_database
@given(school=schools())
def test_the_list_is_what_postgresql_says(school: School) -> None:
    with saved(school) as made:
        for student in (made.student, None):
            asked: dict[str, Any] = {
                "teacher": made.teacher,
                "course": made.course,
                "student": student,
                "now": school.asked_at,
                "until": school.until,
            }
            found = availability(**asked).slots()
            assert found == oracle.slots(**asked)
        event("something is free" if found else "nothing is free")


@on_the_database
@given(school=schools())
def test_without_an_end_the_policys_horizon_counts(school: School) -> None:
    with saved(school) as made:
        asked: dict[str, Any] = {
            "teacher": made.teacher,
            "course": made.course,
            "student": made.student,
            "now": school.asked_at,
        }
        expected = oracle.slots(**asked, until=school.asked_at + timedelta(days=40))
        assert availability(**asked).slots() == expected


@on_the_database
@given(school=schools(), choice=st.randoms(use_true_random=False))
def test_what_is_offered_can_be_booked_and_nothing_else(school: School, choice: Any) -> None:
    """Through the check that every way of booking asks, and the database's guard behind it."""
    with saved(school) as made:
        known = availability(
            teacher=made.teacher,
            course=made.course,
            student=made.student,
            now=school.asked_at,
            until=school.until,
        )
        offered = [moment(start) for start, _end in known.slots()]
        for start in _asked_about(known, school, offered, choice):
            is_free = start in offered
            assert is_free == (known.why_not(start) is None)
            assert is_free == _can_be_held(made, start, school.asked_at)


def _asked_about(
    known: Availability, school: School, offered: list[datetime], choice: Any
) -> list[datetime]:
    """Some that are offered, some of the grid that are not, and some beside it."""
    first, last = (at.astimezone(known.facts.zone).date() for at in (school.asked_at, school.until))
    missing = [
        moment(one.period[0])
        for day in known.days(first=first, last=last)
        for one in day.missing
        if moment(one.period[0]) < school.until
    ]
    some = choice.sample(offered, min(4, len(offered)))
    beside = [start + timedelta(minutes=choice.choice([-5, 5, 13])) for start in some]
    return [*some, *choice.sample(missing, min(4, len(missing))), *beside]


def _can_be_held(made: Saved, start: datetime, now: datetime) -> bool:
    asked: dict[str, Any] = {
        "teacher": made.teacher,
        "course": made.course,
        "student": made.student,
        "starts_at": start,
        "now": now,
    }
    with transaction.atomic():
        try:
            with taken_if_blocked():
                terms = check_offered(**asked)
        except SlotTaken:
            return False
        # Whoever is offered a time gets it: what the check lets through, the database does, too.
        hold = hold_slot(**asked, terms=terms)
        assert hold.starts_at == start
        transaction.set_rollback(True)
    return True
