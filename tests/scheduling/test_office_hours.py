"""The office's pages for hours, dates, time off and booking policies."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test import Client
from django.urls import reverse

from config.roles import give_permissions
from enrollment.models import Course, Teacher, User
from scheduling.domain.policy import NAMES
from scheduling.models import (
    AvailabilityException,
    AvailabilityRule,
    BookingPolicy,
    TimeOff,
)
from scheduling.queries.availability import policy_for
from scheduling.queries.policies import explained
from tests.conftest import make_teacher
from tests.enrollment.crowd import at_once
from tests.scheduling.conftest import MakeLesson
from tests.scheduling.teaching import a_date, an_absence

COUNTS = "admin:scheduling_bookingpolicy_counts"
POLICY = dict.fromkeys(NAMES, "") | {"automatic_moves": "unknown", "teacher": "", "course": ""}


def add(model: str) -> str:
    return reverse(f"admin:scheduling_{model}_add")


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    """Not a superuser: the roles' own permissions are enough."""
    give_permissions()
    assert list(staff.groups.all()) == [Group.objects.get(name="staff")]
    client.force_login(staff)
    return client


def said(page: Any, field: str) -> str:
    assert page.status_code == 200
    errors = page.context["adminform"].form.errors
    assert field in errors, errors
    return " ".join(errors[field])


@pytest.mark.django_db
@pytest.mark.usefixtures("now", "no_closed_days")
class TestPages:
    def test_time_off_on_the_teachers_clock(self, office: Client) -> None:
        teacher = make_teacher("k@school.example", zone="Asia/Kolkata")
        typed = an_absence(from_at="10:00", teacher=str(teacher.pk), reason="At the sea")
        assert office.post(add("timeoff"), typed).status_code == 302
        made = TimeOff.objects.get()
        assert made.starts_at == datetime(2026, 1, 26, 4, 30, tzinfo=UTC)
        assert made.ends_at == datetime(2026, 1, 26, 18, 30, tzinfo=UTC)
        listed = office.get(reverse("admin:scheduling_timeoff_changelist")).content.decode()
        assert "10 a.m. (Asia/Kolkata)" in listed or "10:00 (Asia/Kolkata)" in listed
        change = reverse("admin:scheduling_timeoff_change", args=[made.pk])
        assert 'value="2026-01-26"' in office.get(change).content.decode()
        # The same wall clock of another teacher is another time.
        other = make_teacher()
        office.post(change, typed | {"teacher": str(other.pk)})
        made.refresh_from_db()
        assert made.starts_at == datetime(2026, 1, 26, 9, 0, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("typed", "field", "sentence"),
        [
            ({"teacher": ""}, "teacher", "required"),
            ({"from_on": "2026-01-13"}, "from_on", "This day is over."),
            ({"until_on": "2026-01-25"}, "until_on", "It ends later than it begins."),
            ({"from_on": "2026-03-29", "from_at": "02:30"}, "from_at", "choose 03:30 instead"),
            ({"from_on": ""}, "from_on", "required"),
        ],
    )
    def test_time_off_that_is_wrong(
        self, office: Client, teacher: Teacher, typed: dict[str, str], field: str, sentence: str
    ) -> None:
        page = office.post(add("timeoff"), an_absence(teacher=str(teacher.pk)) | typed)
        assert sentence in said(page, field)
        assert not TimeOff.objects.exists()

    @pytest.mark.parametrize(
        ("typed", "field", "sentence"),
        [
            ({"day_on": "2026-01-13"}, "day_on", "This day is over."),
            ({"kind": "add"}, "starts", "Say which hours are added."),
            ({"starts": "11:00", "ends": "13:00"}, "starts", "Overlaps 26 January"),
        ],
    )
    def test_a_date_that_is_wrong(
        self, office: Client, teacher: Teacher, typed: dict[str, str], field: str, sentence: str
    ) -> None:
        asked = a_date(teacher=str(teacher.pk))
        first = asked | {"starts": "10:00", "ends": "12:00"}
        assert office.post(add("availabilityexception"), first).status_code == 302
        page = office.post(add("availabilityexception"), asked | typed)
        assert sentence in said(page, field)
        assert AvailabilityException.objects.count() == 1

    def test_hours_that_are_over(self, office: Client, teacher: Teacher) -> None:
        typed = {"teacher": str(teacher.pk), "weekday": "0", "starts": "09:00", "ends": "10:00"}
        typed |= {"every_weeks": "1", "valid_from": "", "valid_until": "2026-01-13"}
        assert "This day is over." in said(
            office.post(add("availabilityrule"), typed), "valid_until"
        )
        old = AvailabilityRule.objects.create(
            teacher=teacher, weekday=0, starts="09:00", ends="10:00", valid_until=date(2025, 12, 1)
        )
        change = reverse("admin:scheduling_availabilityrule_change", args=[old.pk])
        kept = typed | {"valid_until": "2025-12-01", "ends": "11:00"}
        assert office.post(change, kept).status_code == 302

    def test_lessons_that_are_hit_are_asked_about(
        self,
        office: Client,
        teacher: Teacher,
        monday_hours: AvailabilityRule,
        make_lesson: MakeLesson,
    ) -> None:
        start = datetime(2026, 1, 26, 15, 0, tzinfo=UTC)
        make_lesson(start, start + timedelta(minutes=45))
        typed = an_absence(teacher=str(teacher.pk))
        page = office.post(add("timeoff"), typed, follow=True)
        assert "This change hits 1 lesson" in page.content.decode()
        assert not TimeOff.objects.exists()

    def test_somebody_who_was_deleted_is_not_chosen(self, office: Client, teacher: Teacher) -> None:
        User.objects.filter(pk=teacher.user.pk).update(deleted_at=datetime(2026, 1, 1, tzinfo=UTC))
        page = office.post(add("timeoff"), an_absence(teacher=str(teacher.pk)))
        assert "deleted" in said(page, "teacher")
        page = office.post(
            add("bookingpolicy"), POLICY | {"teacher": teacher.pk, "most_a_day": "3"}
        )
        assert "deleted" in said(page, "teacher")

    @pytest.mark.parametrize(
        ("typed", "field", "sentence"),
        [
            ({}, "lesson_minutes", "This policy says nothing yet."),
            ({"lesson_minutes": "4"}, "lesson_minutes", "greater than or equal to 5"),
            ({"buffer_after": "241"}, "buffer_after", "less than or equal to 240"),
            ({"horizon_days": "0"}, "horizon_days", "greater than or equal to 1"),
            ({"notice_minutes": "-1"}, "notice_minutes", "greater than or equal to 0"),
            ({"most_a_week": "many"}, "most_a_week", "whole number"),
            ({"most_a_day": "2", "course": "0"}, "course", "valid choice"),
        ],
    )
    def test_a_policy_that_is_wrong(
        self, office: Client, typed: dict[str, str], field: str, sentence: str
    ) -> None:
        assert sentence in said(office.post(add("bookingpolicy"), POLICY | typed), field)
        assert not BookingPolicy.objects.exists()

    def test_one_policy_for_the_same(
        self, office: Client, course: Course, teacher: Teacher
    ) -> None:
        for whose in ({}, {"course": course.pk}, {"teacher": teacher.pk, "course": course.pk}):
            typed = POLICY | {"most_a_day": "3"} | whose
            assert office.post(add("bookingpolicy"), typed).status_code == 302
            assert "Change that one" in said(office.post(add("bookingpolicy"), typed), "course")
        assert BookingPolicy.objects.count() == 3

    def test_what_counts(self, office: Client, course: Course, teacher: Teacher) -> None:
        asked = {"teacher": teacher.pk, "course": course.pk}
        assert "Each line is looked up" in office.get(reverse(COUNTS)).content.decode()
        BookingPolicy.objects.create(notice_minutes=720, most_a_day=5)
        BookingPolicy.objects.create(teacher=teacher, buffer_after=10, automatic_moves=True)
        theirs = BookingPolicy.objects.create(course=course, lesson_minutes=50, notice_minutes=60)
        page = office.get(reverse(COUNTS), asked)
        said_by = {line.name: (line.words, str(line.source)) for line in page.context["lines"]}
        assert said_by["lesson_minutes"] == ("50", "Violin for beginners")
        assert said_by["notice_minutes"] == ("60", "Violin for beginners")
        assert said_by["buffer_after"] == ("10", "Marta Rossi")
        assert said_by["automatic_moves"] == ("yes", "Marta Rossi")
        assert said_by["most_a_day"] == ("5", "The whole school")
        assert said_by["most_a_week"] == ("no limit", "None")
        link = reverse("admin:scheduling_bookingpolicy_change", args=[theirs.pk])
        assert link in page.content.decode()
        nonsense = office.get(reverse(COUNTS), {"teacher": "0", "course": "x"})
        assert set(nonsense.context["form"].errors) == {"teacher", "course"}

    def test_what_is_explained_is_what_counts(self, course: Course, teacher: Teacher) -> None:
        """Line by line, for each of the sixteen sets of policies."""
        other = make_teacher("other@school.example")
        BookingPolicy.objects.create(teacher=other, lesson_minutes=5)
        whose: list[dict[str, Any]] = [{}, {"course": course}, {"teacher": teacher}]
        whose.append({"course": course, "teacher": teacher})
        for made in product([False, True], repeat=4):
            BookingPolicy.objects.exclude(teacher=other).delete()
            for number, fields in enumerate(whose):
                if made[number]:
                    said: dict[str, Any] = dict.fromkeys(NAMES[number:9], 10 + number)
                    BookingPolicy.objects.create(**fields, **said, automatic_moves=number % 2 == 0)
            policy = policy_for(teacher=teacher, course=course)
            lines = explained(teacher=teacher, course=course)
            assert {one.name: one.value for one in lines} == {
                name: getattr(policy, name) for name in NAMES
            }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("model", "typed", "made"),
    [
        ("bookingpolicy", POLICY | {"most_a_day": "3"}, BookingPolicy),
        ("bookingpolicy", POLICY | {"most_a_day": "3", "teacher": "{}"}, BookingPolicy),
        (
            "availabilityexception",
            a_date("2031-01-06", starts="09:00", ends="10:00", teacher="{}"),
            AvailabilityException,
        ),
    ],
)
def test_many_save_the_same_at_once(
    teacher: Teacher, admin: User, model: str, typed: dict[str, str], made: Any
) -> None:
    """One is saved; the others read at the field what is in the way, on a page and not on a 500."""
    client = Client()
    client.force_login(admin)
    sent = {name: str(value).format(teacher.pk) for name, value in typed.items()}

    def save() -> int:
        fresh = Client()
        fresh.cookies = client.cookies
        return fresh.post(add(model), sent).status_code

    assert Counter(at_once(*[save] * 8)) == {302: 1, 200: 7}
    assert made.objects.count() == 1


@pytest.mark.django_db
def test_who_may_only_look(client: Client, teacher: Teacher) -> None:
    """The fields that are no columns are not there for them."""
    looker = User.objects.create_user("look@school.example", "x", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_timeoff"))
    client.force_login(looker)
    start = datetime(2031, 1, 6, tzinfo=UTC)
    made = TimeOff.objects.create(
        teacher=teacher, period=DateTimeTZRange(start, start + timedelta(days=1)), reason="Sea"
    )
    change = reverse("admin:scheduling_timeoff_change", args=[made.pk])
    page = client.get(change)
    assert page.status_code == 200
    assert "Sea" in page.content.decode()
    assert client.post(change, an_absence()).status_code == 403
