"""B4: teacher and student can write to each other throughout, whatever is switched off or taken away."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from enrollment.models import Course, Enrollment, Message, MessageAccess, Student, Teacher, User
from enrollment.operations import notices
from enrollment.operations.messages import write_message
from rollback import registry, switchboard
from tests.conftest import Switches, make_student
from tests.enrollment.post_office import PostOffice, post_office
from tests.rollback.archiving import all_flags_on, archived

__all__ = ["post_office"]
SECRET = "My grandmother is in hospital."
ANSWER = "All the best to her. Shall we skip Monday?"
MINUTES = timedelta(minutes=2)


@pytest.fixture
def enrollment(student: Student, course: Course, teacher: Teacher) -> Enrollment:
    return Enrollment.objects.create(student=student, course=course, teacher=teacher)


def text(response: Any, status: int = 200) -> str:
    assert response.status_code == status
    return " ".join(response.content.decode().split())


def in_navigation(page: str) -> int:
    """How much is new, as the navigation says it on this page."""
    found = re.search(r'href="/messages/"[^>]*>Messages <span class="count"[^>]*>(\d+)<', page)
    return int(found[1]) if found else 0


def new(page: str) -> list[str]:
    return re.findall(r'<span class="badge success"> (\d+) new </span>', page)


def told(post_office: PostOffice, *, now: datetime) -> tuple[str, str]:
    """To whom the one mail went that is due, and the link in it; never what was said."""
    before = len(post_office.mails)
    notices.send_next(now=now)
    [arrived] = post_office.mails[before:]
    assert SECRET not in str(arrived)
    assert ANSWER not in str(arrived)
    body = arrived.get_body(("plain",))
    assert isinstance(body, EmailMessage)
    found = re.search(r"Read and answer here:\s+https?://[^/]+(\S+)", body.get_content())
    assert found
    return str(arrived["To"]), found[1]


def walk(enrollment: Enrollment, post_office: PostOffice, office: User) -> None:
    """From the first message to the office's look, only by what pages and mails lead to."""
    student, teacher = Client(), Client()
    student.force_login(enrollment.student.user)
    thread = reverse("enrollment:thread", args=[enrollment.pk])
    assert thread in text(student.get("/my/courses/"))
    assert student.post(thread, {"body": SECRET}).status_code == 303

    to, link = told(post_office, now=timezone.now() + MINUTES)
    assert (to, link) == ("marta@school.example", thread)
    asked = teacher.get(link)  # from the mail, logged out: to the login, and back
    assert asked["Location"] == f"/accounts/login/?next={link}"
    login = {"login": to, "password": "correct horse"}
    assert teacher.post(asked["Location"], login)["Location"] == link

    for page in ("/my/students/", "/messages/"):
        listed = text(teacher.get(page))
        assert in_navigation(listed) == 1
        assert new(listed) == ["1"]
    assert in_navigation(text(student.get("/messages/"))) == 0
    assert SECRET in text(teacher.get(link))
    assert in_navigation(text(teacher.get("/my/students/"))) == 0
    assert teacher.post(link, {"body": ANSWER}).status_code == 303

    to, link = told(post_office, now=timezone.now() + MINUTES)
    assert (to, link) == ("ada@school.example", thread)
    for page in ("/my/courses/", "/messages/"):
        listed = text(student.get(page))
        assert in_navigation(listed) == 1
        assert new(listed) == ["1"]
    assert ANSWER in text(student.get(thread))
    assert new(text(student.get("/my/courses/"))) == []
    _the_office_looks(enrollment, office)
    assert "The office has read this conversation" in text(student.get(thread))


def _the_office_looks(enrollment: Enrollment, office: User) -> None:
    desk = Client()
    desk.force_login(office)
    page = reverse("admin:enrollment_thread_change", args=[enrollment.pk])
    for seen in (text(desk.get(page)), text(desk.post(page, {"reason": " "}))):
        assert SECRET not in seen
    assert not MessageAccess.objects.exists()
    assert SECRET in text(desk.post(page, {"reason": "The mother called"}))
    opened = MessageAccess.objects.get()
    assert (opened.user, opened.reason) == (office, "The mother called")


@pytest.mark.django_db
def test_with_every_flag_off(
    switches: Switches, enrollment: Enrollment, post_office: PostOffice, staff: User
) -> None:
    switches.kill()
    walk(enrollment, post_office, staff)


@pytest.fixture
def taken_away(real_switchboard: switchboard.Switchboard) -> Iterator[None]:
    all_flags_on()
    with archived():
        real_switchboard.refresh()
        assert not any(switchboard.is_on_for_anyone(one.flag) for one in registry.features())
        yield


@pytest.mark.django_db(transaction=True)
def test_with_the_features_tables_in_the_archive(
    taken_away: None, enrollment: Enrollment, post_office: PostOffice, staff: User
) -> None:
    walk(enrollment, post_office, staff)


@pytest.mark.django_db
def test_a_file_is_refused_in_words_and_the_text_stays(
    client: Client, enrollment: Enrollment
) -> None:
    client.force_login(enrollment.student.user)
    thread = reverse("enrollment:thread", args=[enrollment.pk])
    scan = SimpleUploadedFile("doctor.pdf", b"%PDF-1.7 not looked at")
    page = text(client.post(thread, {"body": "Here it is: my note", "file": scan}), 422)
    assert "Files cannot be sent here, and your message was not sent." in page
    assert "Here it is: my note</textarea>" in page
    assert not Message.objects.exists()
    # An empty file field, as browsers post it, is no file.
    assert client.post(thread, {"body": "Here it is", "file": ""}).status_code == 303


@pytest.mark.django_db
def test_a_file_by_itself_is_refused_too(client: Client, enrollment: Enrollment) -> None:
    client.force_login(enrollment.student.user)
    thread = reverse("enrollment:thread", args=[enrollment.pk])
    for body in ("", "x" * 4001):
        scan = SimpleUploadedFile("doctor.pdf", b"%PDF-1.7")
        page = text(client.post(thread, {"body": body, "file": scan}), 422)
        assert "Files cannot be sent here" in page
        assert 'id="id_body_error"' in page
    assert not Message.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/my/courses/", "/my/students/"])
def test_what_is_new_costs_the_lists_no_query(
    client: Client, enrollment: Enrollment, course: Course, page: str
) -> None:
    student, teacher = enrollment.student, enrollment.teacher
    assert teacher is not None
    reader, writer = (
        (student.user, teacher.user) if page == "/my/courses/" else (teacher.user, student.user)
    )
    client.force_login(reader)
    client.get(page)
    counts = []
    for round_number in range(3):
        with CaptureQueriesContext(connection) as asked:
            client.get(page)
        counts.append(len(asked))
        body = f"{round_number}"
        write_message(enrollment=enrollment, sender=writer, body=body, now=timezone.now())
        other = make_student(f"other{round_number}@school.example")
        Enrollment.objects.create(student=other, course=course, teacher=teacher)
    assert len(set(counts)) == 1
    assert new(text(client.get(page))) == ["3"]
