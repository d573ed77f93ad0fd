"""Conversations in the office: listed without a word of them, read with a reason that stays."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from config.roles import give_permissions
from enrollment.models import (
    Course,
    Enrollment,
    Message,
    MessageAccess,
    Reader,
    Student,
    Teacher,
    User,
)
from enrollment.operations import messages as operations
from enrollment.operations.messages import write_message
from tests.conftest import make_student, make_user

pytestmark = pytest.mark.django_db

SECRET = "My grandmother is in hospital."
REASON = "Complaint by the mother on 2 March, case 17."
LIST = "/admin/enrollment/thread/"
LOG = "/admin/enrollment/messageaccess/"
QUERIES = 15


@pytest.fixture
def enrollment(student: Student, course: Course, teacher: Teacher) -> Enrollment:
    made = Enrollment.objects.create(student=student, course=course, teacher=teacher)
    write_message(enrollment=made, sender=student.user, body=SECRET, now=timezone.now())
    write_message(enrollment=made, sender=teacher.user, body="Get well!", now=timezone.now())
    return made


def opening(enrollment: Enrollment) -> str:
    return reverse("admin:enrollment_thread_change", args=[enrollment.pk])


def text_of(response: Any, status: int = 200) -> str:
    assert response.status_code == status
    return " ".join(response.content.decode().split())


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    client.force_login(staff)
    return client


def test_the_list_says_who_and_how_many_and_never_what(
    office: Client, enrollment: Enrollment, course: Course
) -> None:
    Enrollment.objects.create(student=make_student("zoe@school.example"), course=course)
    text = text_of(office.get(LIST))
    for words in ("Ada Vogel", "Violin for beginners", "Marta Rossi", "1 conversation"):
        assert words in text
    assert "grandmother" not in text
    # A search that finds a word has read it.
    assert "0 conversations" in text_of(office.get(LIST, {"q": "grandmother"}))
    assert "1 conversation" in text_of(office.get(LIST, {"q": "vogel"}))


def test_opening_asks_for_a_reason_and_shows_it_once(
    office: Client, client: Client, staff: User, enrollment: Enrollment
) -> None:
    asked = text_of(office.get(opening(enrollment)))
    assert "2 messages between Ada Vogel and Marta Rossi" in asked
    assert "grandmother" not in asked
    assert not MessageAccess.objects.exists()

    response = office.post(opening(enrollment), {"reason": REASON})
    text = text_of(response)
    assert text.index(SECRET) < text.index("Get well!")
    assert "no-store" in response["Cache-Control"]
    access = MessageAccess.objects.get()
    assert (access.user, access.enrollment_id, access.reason) == (staff, enrollment.pk, REASON)
    assert "grandmother" not in text_of(office.get(opening(enrollment)))
    assert not Reader.objects.filter(user=staff).exists()


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("", "This field is required."),
        ("  \n", "This field is required."),
        ("x" * 1001, "at most 1000 characters"),
        ("\x00", "Null characters are not allowed."),
    ],
)
def test_without_a_reason_nothing_is_shown(
    office: Client, enrollment: Enrollment, reason: str, says: str
) -> None:
    text = text_of(office.post(opening(enrollment), {"reason": reason}))
    assert says in text
    assert "grandmother" not in text
    assert not MessageAccess.objects.exists()


def test_what_cannot_be_logged_is_not_shown(
    office: Client, enrollment: Enrollment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both or neither: the row goes back with the look that failed."""

    def fail(_enrollment: Enrollment) -> None:
        raise RuntimeError

    monkeypatch.setattr(operations, "messages_of", fail)
    with pytest.raises(RuntimeError):
        office.post(opening(enrollment), {"reason": REASON})
    assert not MessageAccess.objects.exists()


def test_student_and_teacher_see_that_the_office_read_and_when_but_not_why(
    office: Client, client: Client, enrollment: Enrollment, student: Student, teacher: Teacher
) -> None:
    url = reverse("enrollment:thread", args=[enrollment.pk])
    office.post(opening(enrollment), {"reason": REASON})
    MessageAccess.objects.update(opened_at=datetime(2026, 3, 2, 9, tzinfo=UTC))
    for person in (student, teacher):
        client.force_login(person.user)
        text = text_of(client.get(url))
        assert "The office has read this conversation, last on 2 March 2026 at 10:00" in text
        assert "case 17" not in text
        assert "staff@school.example" not in text


def test_who_may_open_and_who_may_read_the_log(
    client: Client, enrollment: Enrollment, staff: User, student: Student, teacher: Teacher
) -> None:
    looker = make_user("looker@school.example", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_thread"))
    nobody = make_user("nobody@school.example", is_staff=True)
    boss = make_user("boss@school.example", "admin", is_staff=True)
    wanted = {  # list, asking, opening, log
        staff: (200, 200, 200, 403),
        boss: (200, 200, 200, 200),
        looker: (200, 403, 403, 403),
        nobody: (403, 403, 403, 403),
        student.user: (302, 302, 302, 302),
        teacher.user: (302, 302, 302, 302),
    }
    for user, statuses in wanted.items():
        client.force_login(user)
        found = (
            client.get(LIST).status_code,
            client.get(opening(enrollment)).status_code,
            client.post(opening(enrollment), {"reason": REASON}).status_code,
            client.get(LOG).status_code,
        )
        assert found == statuses, user.email
    assert MessageAccess.objects.count() == 2


def test_the_log_is_to_be_read_only(client: Client, admin: User, enrollment: Enrollment) -> None:
    client.force_login(admin)
    client.post(opening(enrollment), {"reason": REASON})
    access = MessageAccess.objects.get()
    text = text_of(client.get(LOG))
    assert "case 17" in text
    assert "Ada Vogel" in text
    one = reverse("admin:enrollment_messageaccess_change", args=[access.pk])
    assert client.get(one).status_code == 200
    for path in (
        *(one, reverse("admin:enrollment_messageaccess_delete", args=[access.pk])),
        *(reverse("admin:enrollment_messageaccess_add"), reverse("admin:enrollment_thread_add")),
        reverse("admin:enrollment_thread_delete", args=[enrollment.pk]),
    ):
        assert client.post(path, {"reason": "x", "post": "yes"}).status_code == 403, path
    access.refresh_from_db()
    assert access.reason == REASON
    assert client.get(LOG, {"q": "case 17"}).status_code == 200


def test_a_conversation_that_is_none_is_not_found(office: Client, enrollment: Enrollment) -> None:
    Message.objects.all().delete()
    assert office.get(opening(enrollment)).status_code == 404
    assert office.post(opening(enrollment), {"reason": REASON}).status_code == 404
    assert not MessageAccess.objects.exists()


def test_no_page_of_the_office_tells_what_was_said(
    client: Client, admin: User, enrollment: Enrollment
) -> None:
    """Every list and every page of every row, the history and the page before deleting too."""
    client.force_login(admin)
    assert Message not in django_admin.site._registry
    assert "grandmother" not in f"{Message.objects.all()!r}"
    seen = 0
    for model in django_admin.site._registry:
        if model._meta.app_label not in ("enrollment", "auth"):
            continue
        base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        paths = [reverse(f"{base}_changelist")]
        for row in model._default_manager.all()[:5]:
            paths += [
                reverse(f"{base}_{kind}", args=[row.pk]) for kind in ("change", "delete", "history")
            ]
        for path in paths:
            body = client.get(path, follow=True).content.decode()
            assert "grandmother" not in body, path
            seen += 1
    assert seen > 20


def test_no_permission_is_about_messages_bodies() -> None:
    names = set(Permission.objects.values_list("codename", flat=True))
    assert not {name for name in names if re.fullmatch("[a-z]+_(message|reader)", name)}


def test_the_list_costs_the_same_for_many(
    office: Client, course: Course, teacher: Teacher, enrollment: Enrollment
) -> None:
    for number in range(10):
        one = make_student(f"many{number}@school.example")
        other = Enrollment.objects.create(student=one, course=course, teacher=teacher)
        write_message(enrollment=other, sender=one.user, body="Hello", now=timezone.now())
    with CaptureQueriesContext(connection) as queries:
        assert "11 conversations" in text_of(office.get(LIST))
    assert len(queries) <= QUERIES


@pytest.mark.parametrize("model", ["thread", "enrollment"])
def test_no_list_can_be_asked_for_a_word_of_a_message(
    client: Client, enrollment: Enrollment, student: Student, staff: User, model: str
) -> None:
    """A list that is shorter for one word than for another has told it."""
    give_permissions()
    write_message(enrollment=enrollment, sender=student.user, body="shy", now=timezone.now())
    client.force_login(staff)
    for kind in ("", "export/") if model == "enrollment" else ("",):
        address = f"/admin/enrollment/{model}/{kind}?messages__body__contains=shy"
        assert client.get(address).status_code == 400
