"""The office's pages: they answer, stay quick, and keep the rules."""

from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.office import plan_by_hand
from tests.conftest import Switches, make_student, make_user

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
MODELS = ("user", "teacher", "student", "course", "enrollment", "lesson")
QUERIES = 15


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    client.force_login(staff)
    return client


@pytest.fixture
def boss(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


@pytest.fixture
def enrollment(student: Student, course: Course, teacher: Teacher) -> Enrollment:
    return Enrollment.objects.create(student=student, course=course, teacher=teacher)


@pytest.fixture
def lesson(enrollment: Enrollment, teacher: Teacher) -> Lesson:
    day = (datetime.now(UTC) + timedelta(days=30)).date()
    return plan_by_hand(enrollment=enrollment, teacher=teacher, on=day, at=time(16), now=NOW)


def page(model: str, kind: str, *args: object) -> str:
    return reverse(f"admin:enrollment_{model}_{kind}", args=args)


def fill(course: Course, teacher: Teacher, *, students: int) -> None:
    """Students with an enrollment and two lessons each."""
    start = datetime(2026, 4, 1, tzinfo=UTC)
    for number in range(students):
        student = make_student(f"many{number}@school.example")
        enrollment = Enrollment.objects.create(student=student, course=course, teacher=teacher)
        for day in range(2):
            local = start + timedelta(days=2 * number + day)
            plan_by_hand(
                enrollment=enrollment, teacher=teacher, on=local.date(), at=local.time(), now=NOW
            )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", ["changelist", "add"])
def test_every_page_answers(boss: Client, lesson: Lesson, model: str, kind: str) -> None:
    assert boss.get(page(model, kind)).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_every_row_has_its_page(boss: Client, lesson: Lesson, model: str) -> None:
    rows = {
        "user": lesson.student.user,
        "teacher": lesson.teacher,
        "student": lesson.student,
        "course": lesson.course,
        "enrollment": lesson.enrollment,
        "lesson": lesson,
    }
    row = rows[model]
    assert row is not None
    response = boss.get(page(model, "change", row.pk))
    assert response.status_code == 200
    assert str(row).split(",")[0] in response.content.decode()
    assert boss.get(page(model, "history", row.pk)).status_code == 200


def test_groups_have_their_pages(boss: Client) -> None:
    assert boss.get(reverse("admin:auth_group_changelist")).status_code == 200
    assert boss.get(reverse("admin:auth_group_add")).status_code == 200


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("search", ["ada", "violin", "%", "\x00", "’"])
def test_every_list_can_be_searched(boss: Client, lesson: Lesson, model: str, search: str) -> None:
    assert boss.get(page(model, "changelist"), {"q": search}).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_lists_cost_the_same_for_many_rows(
    boss: Client, course: Course, teacher: Teacher, model: str
) -> None:
    fill(course, teacher, students=8)
    url = page(model, "changelist")
    boss.get(url)
    with CaptureQueriesContext(connection) as queries:
        response = boss.get(url)

    assert response.status_code == 200
    assert len(queries) <= QUERIES, [query["sql"][:120] for query in queries]


@pytest.mark.parametrize(
    ("model", "field", "named"),
    [("lesson", "enrollment", "enrollment"), ("enrollment", "student", "student")],
)
def test_autocompletes_cost_the_same_for_many_rows(
    boss: Client, course: Course, teacher: Teacher, model: str, field: str, named: str
) -> None:
    fill(course, teacher, students=8)
    query = {"app_label": "enrollment", "model_name": model, "field_name": field, "term": "a"}
    with CaptureQueriesContext(connection) as queries:
        response = boss.get(reverse("admin:autocomplete"), query)

    assert len(response.json()["results"]) == 8
    assert len(queries) <= QUERIES, named


def test_lessons_are_offered_for_live_enrollments_only(
    office: Client, enrollment: Enrollment
) -> None:
    query = {"app_label": "enrollment", "model_name": "lesson", "field_name": "enrollment"}
    url = reverse("admin:autocomplete")
    assert len(office.get(url, query).json()["results"]) == 1
    Enrollment.objects.update(status="cancelled")
    assert office.get(url, query).json()["results"] == []


def test_places_taken_stand_in_the_list(office: Client, enrollment: Enrollment) -> None:
    assert "1 / 10" in office.get(page("course", "changelist")).content.decode()


def test_everything_works_with_every_feature_off(
    office: Client, lesson: Lesson, switches: Switches
) -> None:
    switches.kill()
    for model in ("teacher", "student", "course", "enrollment", "lesson"):
        assert office.get(page(model, "changelist")).status_code == 200
        assert office.get(page(model, "add")).status_code == 200


def test_a_student_does_not_get_in(client: Client, student: Student) -> None:
    client.force_login(student.user)
    assert client.get(page("enrollment", "changelist")).status_code == 302


def test_a_new_user_logs_in_by_mail_address(boss: Client) -> None:
    response = boss.post(
        page("user", "add"),
        {
            "email": "Neu@School.example",
            "first_name": "Zoë",
            "last_name": "Weiß",
            "usable_password": "true",
            "password1": "a-long-secret-phrase",
            "password2": "a-long-secret-phrase",
        },
    )
    assert response.status_code == 302
    user = User.objects.get(email="neu@school.example")
    assert user.check_password("a-long-secret-phrase")


def test_one_address_is_one_user(boss: Client, student: Student) -> None:
    response = boss.post(
        page("user", "add"),
        {"email": "ADA@school.example", "usable_password": "false"},
    )
    assert response.status_code == 200
    assert User.objects.filter(email__iexact="ada@school.example").count() == 1


def test_nobody_makes_a_superuser_who_is_none(client: Client, admin: User) -> None:
    chief = make_user("chief@school.example", "admin", is_staff=True)
    client.force_login(chief)
    assert client.get(page("user", "changelist")).status_code == 200

    assert (
        client.post(page("user", "change", admin.pk), {"email": "x@y.example"}).status_code == 403
    )
    password = reverse("admin:auth_user_password_change", args=[admin.pk])
    secret = {"password1": "another-secret-phrase", "password2": "another-secret-phrase"}
    assert client.post(password, secret).status_code == 403
    own = {"email": chief.email, "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    client.post(page("user", "change", chief.pk), own)

    chief.refresh_from_db()
    assert not chief.is_superuser


def test_a_new_teacher_and_student_join_their_groups(boss: Client) -> None:
    user = make_user("ivo@school.example")
    names = {"user": user.pk, "display_name": "Ivo Ek", "zone": "Europe/Oslo"}
    assert boss.post(page("teacher", "add"), names).status_code == 302
    assert boss.post(page("student", "add"), names).status_code == 302
    assert {group.name for group in user.groups.all()} == {"student", "teacher"}


def test_a_zone_that_is_none_is_refused(boss: Client, teacher: Teacher) -> None:
    answers = {"user": teacher.user.pk, "display_name": "Marta", "zone": "Mars/Base"}
    response = boss.post(page("teacher", "change", teacher.pk), answers)
    assert "is no time zone" in response.content.decode()
