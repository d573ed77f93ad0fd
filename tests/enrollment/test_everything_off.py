"""With every feature switched off, lessons go on: progress is kept, and people write to each other."""

from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from enrollment.models import (
    Course,
    CourseUnit,
    Enrollment,
    Message,
    MessageAccess,
    Student,
    Teacher,
    UnitDone,
    User,
)
from tests.conftest import Switches

pytestmark = pytest.mark.django_db


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {value.partition("#")[0] for name, value in attrs if name == "href" and value}


def links(response: Any) -> set[str]:
    assert response.status_code == 200
    page = _Links()
    page.feed(response.content.decode())
    return page.found


@pytest.fixture
def enrollment(student: Student, course: Course, teacher: Teacher) -> Enrollment:
    CourseUnit.objects.create(course=course, title="Scales")
    return Enrollment.objects.create(student=student, course=course, teacher=teacher)


def test_a_teacher_and_a_student_walk_through_progress_and_messages(
    switches: Switches,
    client: Client,
    enrollment: Enrollment,
    teacher: Teacher,
    staff: User,
) -> None:
    """From link to link, as somebody would; nothing is known but where `home` leads."""
    switches.kill()
    unit = CourseUnit.objects.get()
    progress = reverse("enrollment:progress", args=[enrollment.pk])
    thread = reverse("enrollment:thread", args=[enrollment.pk])

    client.force_login(teacher.user)
    assert {"/my/students/", "/messages/"} <= links(client.get("/home/", follow=True))
    assert {progress, thread} <= links(client.get("/my/students/"))
    assert thread in links(client.get(progress))
    tick = reverse("enrollment:tick", args=[enrollment.pk, unit.pk])
    assert client.post(tick, {"done": "yes"}).status_code == 303
    assert client.post(thread, {"body": "Scales are done!"}).status_code == 303

    client.force_login(enrollment.student.user)
    mine = links(client.get("/home/", follow=True))
    assert {"/messages/", thread, f"/enrollments/{enrollment.pk}/"} <= mine
    assert "1 of 1 unit done" in " ".join(client.get("/my/courses/").content.decode().split())
    assert thread in links(client.get("/messages/"))
    assert "Scales are done!" in client.get(thread).content.decode()
    assert client.post(thread, {"body": "Thank you"}).status_code == 303

    client.force_login(staff)
    assert client.get(reverse("admin:enrollment_enrollment_tick_units", args=[enrollment.pk]))
    conversation = reverse("admin:enrollment_thread_change", args=[enrollment.pk])
    assert conversation in links(client.get("/admin/enrollment/thread/"))
    assert "Thank you" in client.post(conversation, {"reason": "A test"}).content.decode()

    assert UnitDone.objects.get().by == teacher.user
    assert Message.objects.count() == 2
    assert MessageAccess.objects.get().user == staff
