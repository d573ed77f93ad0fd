"""Holidays: which days they close, what is refused, who sees them."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test import Client
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from holidays.domain.days import days_between
from holidays.models import Holiday, Region, TeacherRegion
from holidays.queries.closures import closures
from holidays.queries.mine import closures_for
from scheduling.models import AvailabilityRule
from scheduling.queries.availability import free_slots, moment
from tests.conftest import make_teacher
from tests.scheduling.conftest import NOW

DAY = timedelta(days=1)
EASTER = (date(2026, 4, 3), date(2026, 4, 6))


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(-3, 40))
def test_both_ends_are_counted(first: date, length: int) -> None:
    days = list(days_between(first, first + timedelta(days=length)))
    assert days == [first + timedelta(days=offset) for offset in range(length + 1)]


def closed_days(*, first: date, last: date) -> set[date]:
    found = closures(first=first, last=last)
    return {day for one in found for day in one.days(first=first, last=last)}


@pytest.mark.django_db
class TestClosedDays:
    @pytest.mark.parametrize(
        ("first", "last", "closed"),
        [
            (date(2026, 4, 1), date(2026, 4, 30), 4),
            (date(2026, 4, 6), date(2026, 4, 6), 1),
            (date(2026, 4, 4), date(2026, 4, 5), 2),
            (date(2026, 4, 7), date(2026, 4, 30), 0),
            (date(2026, 3, 1), date(2026, 4, 2), 0),
            (date(2026, 4, 6), date(2026, 4, 3), 0),
        ],
    )
    def test_within_the_days_asked_about(self, first: date, last: date, closed: int) -> None:
        Holiday.objects.create(name="Easter", first_on=EASTER[0], last_on=EASTER[1])
        found = closed_days(first=first, last=last)
        assert len(found) == closed
        assert all(first <= day <= last for day in found)

    def test_holidays_may_lie_in_one_another(self) -> None:
        Holiday.objects.create(name="Break", first_on=EASTER[0], last_on=EASTER[1])
        Holiday.objects.create(name="Easter Monday", first_on=EASTER[1], last_on=EASTER[1])
        assert len(closed_days(first=EASTER[0], last=EASTER[1])) == 4

    def test_an_endless_holiday_costs_no_more_than_what_was_asked(self) -> None:
        Holiday.objects.create(name="Typo", first_on=date(1, 1, 1), last_on=date.max)
        assert len(closed_days(first=EASTER[0], last=EASTER[1])) == 4

    def test_they_close_the_teachers_whole_day(self, teacher: Teacher, course: Course) -> None:
        """Plugged in by the site plan: scheduling itself knows nothing of holidays."""
        AvailabilityRule.objects.create(teacher=teacher, weekday=0, starts="16:00", ends="18:15")
        monday = date(2026, 1, 19)
        Holiday.objects.create(name="Snow", first_on=monday, last_on=monday)
        found = free_slots(teacher=teacher, course=course, now=NOW)
        assert monday not in {moment(start).date() for start, _end in found}
        assert len(found) == 9


@pytest.mark.django_db
class TestRules:
    def test_what_is_wrong_is_said_at_the_field(self) -> None:
        Holiday.objects.create(name="Easter", first_on=EASTER[0], last_on=EASTER[1])
        for fields, where in (
            ({"name": "X", "first_on": EASTER[1], "last_on": EASTER[0]}, "last_on"),
            ({"name": "Easter", "first_on": EASTER[0], "last_on": EASTER[1]}, "name"),
            ({"name": "", "first_on": EASTER[0], "last_on": EASTER[1]}, "name"),
        ):
            with pytest.raises(ValidationError) as refused:
                Holiday(**fields).full_clean()
            assert set(refused.value.message_dict) == {where}

    @pytest.mark.parametrize(
        "fields",
        [
            {"name": "X", "first_on": EASTER[1], "last_on": EASTER[0]},
            {"name": "Easter", "first_on": EASTER[0], "last_on": EASTER[1]},
        ],
    )
    def test_the_database_refuses_too(self, fields: dict[str, Any]) -> None:
        Holiday.objects.create(name="Easter", first_on=EASTER[0], last_on=EASTER[1])
        with pytest.raises(IntegrityError), transaction.atomic():
            Holiday.objects.create(**fields)


@pytest.mark.django_db
class TestPages:
    def test_this_year_and_the_next(self, client: Client, student: Student) -> None:
        for name, day in (
            ("Long ago", date(2025, 12, 31)),
            ("Over", date(2026, 1, 6)),
            ("Today", NOW.date()),
            ("Next year", date(2027, 12, 31)),
            ("Far", date(2028, 1, 1)),
        ):
            Holiday.objects.create(name=name, first_on=day, last_on=day)
        client.force_login(student.user)
        with time_machine.travel(NOW, tick=False):
            page = client.get("/holidays/")
        assert [str(one) for one in page.context["holidays"]] == ["Over", "Today", "Next year"]
        assert page.status_code == 200

    def test_only_what_concerns_the_reader(
        self, client: Client, student: Student, teacher: Teacher, course: Course, admin: User
    ) -> None:
        other, spain = make_teacher("other@school.example"), Region.objects.create(country="ES")
        Teacher.objects.filter(pk=other.pk).update(display_name="Ben Olsen")
        choir = Course.objects.create(title="Choir", slug="choir")
        Enrollment.objects.create(student=student, course=course, teacher=teacher)
        TeacherRegion.objects.create(teacher=other, region=spain)
        for name, fields, teachers, courses in (
            ("All", {}, [], []),
            ("Half", {"starts": time(12), "note": "Concert."}, [], []),
            ("Swap", {"kind": "working_day", "as_weekday": 0}, [], []),
            ("Hers", {"scope": "teachers"}, [teacher, other], []),
            ("His", {"scope": "teachers"}, [other], []),
            ("Violin", {"scope": "courses"}, [], [course]),
            ("Sing", {"scope": "courses"}, [], [choir]),
            ("Spain", {"scope": "region", "region": spain}, [], []),
        ):
            one = Holiday.objects.create(name=name, first_on=EASTER[0], last_on=EASTER[0], **fields)
            one.teachers.set(teachers)
            one.courses.set(courses)

        def read(user: User) -> tuple[dict[str, str], str]:
            client.force_login(user)
            with time_machine.travel(NOW, tick=False):
                page = client.get("/holidays/")
            return {one.name: one.whom for one in page.context["holidays"]}, page.content.decode()

        everybody = {"All": "", "Half": "", "Swap": ""}
        violin = {"Violin": "only for Violin for beginners"}
        students, page = read(student.user)
        assert students == everybody | violin | {"Hers": "only with Marta Rossi"}
        for words in ("closed from 12:00", "Concert.", "works like a Monday", "school"):
            assert words in page
        assert "Ben Olsen" not in page
        assert read(teacher.user)[0] == everybody | violin | {"Hers": "for you"}
        his = {"Hers": "for you", "His": "for you", "Spain": "for you"}
        assert read(other.user)[0] == everybody | his
        shown, page = read(admin)
        assert len(shown) == 8
        assert shown["Spain"] == "only for teachers in ES"
        # Whoever a lesson is planned with.
        start = datetime(2026, 4, 1, 9, tzinfo=UTC)
        Lesson.objects.create(
            course=course,
            teacher=other,
            student=student,
            period=DateTimeTZRange(start, start + DAY),
            zone="UTC",
            local_on=start.date(),
            local_start=time(9),
        )
        assert read(student.user)[0]["Hers"] == "only with Ben Olsen, Marta Rossi"

    def test_in_the_readers_language_and_few_queries(
        self, student: Student, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(30):
            Holiday.objects.create(
                name=f"Day {number}",
                names={"de": f"Tag {number}"},
                first_on=EASTER[0],
                last_on=EASTER[0],
            )
        user = User.objects.get(pk=student.user_id)
        with translation.override("de"), django_assert_max_num_queries(6):
            found = closures_for(user=user, first=EASTER[0], last=EASTER[1])
        assert found[7].name.startswith("Tag ")
        office = User.objects.create_superuser("office@school.example", "correct horse")
        with translation.override("de"), django_assert_max_num_queries(6):
            assert len(closures_for(user=office, first=EASTER[0], last=EASTER[1])) == 30

    def test_nothing_entered(self, client: Client, student: Student) -> None:
        client.force_login(student.user)
        assert "No holidays are entered" in client.get("/holidays/").content.decode()

    def test_everyone_who_is_logged_in(
        self, client: Client, student: Student, teacher: Teacher, staff: User
    ) -> None:
        assert client.get("/holidays/").status_code == 302
        for user in (student.user, teacher.user, staff):
            client.force_login(user)
            assert client.get("/holidays/").status_code == 200
