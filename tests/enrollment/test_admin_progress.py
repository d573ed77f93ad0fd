"""Units and progress in the office."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from enrollment.models import Course, CourseUnit, Enrollment, Student, Teacher, UnitDone, User
from tests.conftest import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def units(course: Course) -> list[CourseUnit]:
    return [
        CourseUnit.objects.create(course=course, title=title, position=number)
        for number, title in enumerate(("Scales", "Bowing"), start=1)
    ]


@pytest.fixture
def enrollment(
    student: Student, course: Course, teacher: Teacher, units: list[CourseUnit]
) -> Enrollment:
    return Enrollment.objects.create(student=student, course=course, teacher=teacher)


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    client.force_login(staff)
    return client


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def units_page(enrollment: Enrollment) -> str:
    return reverse("admin:enrollment_enrollment_tick_units", args=[enrollment.pk])


def enrollment_page(enrollment: Enrollment) -> str:
    return reverse("admin:enrollment_enrollment_change", args=[enrollment.pk])


def course_form(course: Course, *lines: dict[str, Any]) -> dict[str, Any]:
    """The course's page as its browser sends it, with these lines of units."""
    fields = {
        "title": course.title,
        "slug": course.slug,
        "lesson_minutes": 45,
        "seats": 1,
        "capacity": 10,
        "units-TOTAL_FORMS": len(lines),
        "units-INITIAL_FORMS": sum("id" in line for line in lines),
    }
    for number, line in enumerate(lines):
        fields |= {f"units-{number}-{name}": value for name, value in line.items()}
        fields[f"units-{number}-course"] = course.pk
    return fields


def save(client: Client, course: Course, *lines: dict[str, Any]) -> Any:
    page = reverse("admin:enrollment_course_change", args=[course.pk])
    return client.post(page, course_form(course, *lines))


def as_line(unit: CourseUnit, **more: Any) -> dict[str, Any]:
    return {"id": unit.pk, "position": unit.position, "title": unit.title} | more


def test_the_office_ticks_and_takes_back(
    office: Client, staff: User, enrollment: Enrollment, units: list[CourseUnit]
) -> None:
    assert "0 of 2 units done" in text_of(office.get(enrollment_page(enrollment)))
    text = text_of(office.post(units_page(enrollment), {"done": units[0].pk}, follow=True))
    assert "Done: Scales." in text
    assert "1 of 2 units done" in text
    assert UnitDone.objects.get().by == staff
    text = text_of(office.get(enrollment_page(enrollment)))
    assert "1 of 2 units done" in text
    assert "Scales, " in text
    assert "Taken back: Scales." in text_of(
        office.post(units_page(enrollment), {"back": units[0].pk}, follow=True)
    )
    assert not UnitDone.objects.exists()


@pytest.mark.parametrize("typed", [{}, {"done": "x"}, {"done": 10**30}, {"back": "\x00"}])
def test_what_is_no_button_changes_nothing(
    office: Client, enrollment: Enrollment, typed: dict[str, Any]
) -> None:
    text = text_of(office.post(units_page(enrollment), typed, follow=True))
    assert "Nothing was changed: choose a unit." in text


def test_a_unit_of_another_course_and_a_course_given_up_are_refused(
    office: Client, enrollment: Enrollment, units: list[CourseUnit]
) -> None:
    chess = Course.objects.create(title="Chess", slug="chess")
    foreign = CourseUnit.objects.create(course=chess, title="Openings")
    text = text_of(office.post(units_page(enrollment), {"done": foreign.pk}, follow=True))
    assert "Nothing was changed" in text
    Enrollment.objects.update(status="cancelled")
    text = text_of(office.post(units_page(enrollment), {"done": units[0].pk}, follow=True))
    assert "its progress stays as it is" in text
    assert not UnitDone.objects.exists()


def test_the_page_of_an_enrollment_that_is_none(office: Client, enrollment: Enrollment) -> None:
    page = units_page(enrollment)
    for named in ("999999", "x", "9" * 30):
        wrong = page.replace(f"/{enrollment.pk}/", f"/{named}/")
        assert office.get(wrong).status_code == office.post(wrong).status_code == 404


def test_units_cost_the_same_for_many(
    office: Client, enrollment: Enrollment, staff: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        unit = CourseUnit.objects.create(course=enrollment.course, title=f"Unit {number}")
        UnitDone.objects.create(enrollment=enrollment, unit=unit, by=staff)
    for page in (units_page(enrollment), enrollment_page(enrollment)):
        with django_assert_max_num_queries(15):
            assert "12 of 14 units done" in text_of(office.get(page))


def test_who_may_only_look_may_only_look(
    client: Client, enrollment: Enrollment, units: list[CourseUnit]
) -> None:
    looker = make_user("looker@school.example", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_enrollment"))
    client.force_login(looker)
    assert 'name="done"' not in text_of(client.get(units_page(enrollment)))
    assert client.post(units_page(enrollment), {"done": units[0].pk}).status_code == 403
    client.force_login(make_user("nobody@school.example", is_staff=True))
    assert client.get(units_page(enrollment)).status_code == 403
    client.force_login(enrollment.student.user)
    assert client.get(units_page(enrollment)).status_code == 302
    assert not UnitDone.objects.exists()


def test_units_are_edited_at_their_course(
    office: Client, course: Course, units: list[CourseUnit]
) -> None:
    page = reverse("admin:enrollment_course_change", args=[course.pk])
    assert 'name="units-2-position" value="3"' in text_of(office.get(page))
    scales, bowing = units
    response = save(
        office,
        course,
        as_line(scales, position=2),
        as_line(bowing, position=1, title="Long bows"),
        {"position": 3, "title": "First piece"},
        {"position": 3, "title": ""},  # the empty line as it was proposed
    )
    assert response.status_code == 302
    assert [str(unit) for unit in course.units.all()] == ["Long bows", "Scales", "First piece"]
    units[0].refresh_from_db()
    assert units[0].title == "Scales"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"position": 3, "title": "Scales"}, "Please correct the duplicate"),
        ({"position": 0, "title": "Trills"}, "greater than or equal to 1"),
        ({"position": "x", "title": "Trills"}, "Enter a whole number."),
        ({"position": 3, "title": "T" * 161}, "at most 160 characters"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_written(
    office: Client, course: Course, units: list[CourseUnit], line: dict[str, Any], says: str
) -> None:
    lines = (*map(as_line, units), line)
    text = text_of(save(office, course, *lines))
    assert says in text
    assert str(line["title"]) in text
    assert course.units.count() == 2


def test_a_unit_that_is_done_stays_and_a_sentence_says_why(
    office: Client, course: Course, enrollment: Enrollment, units: list[CourseUnit]
) -> None:
    UnitDone.objects.create(enrollment=enrollment, unit=units[0])
    lines = [as_line(unit, DELETE="on") for unit in units]
    text = text_of(save(office, course, *lines))
    assert "“Scales” cannot be deleted: 1 student has done it." in text
    assert "Bowing” cannot" not in text
    assert course.units.count() == 2
    assert save(office, course, as_line(units[0]), lines[1]).status_code == 302
    assert list(course.units.all()) == [units[0]]
