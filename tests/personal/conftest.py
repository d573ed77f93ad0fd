"""A student with something of everything, and the moment it is now."""

from datetime import datetime

import pytest
from django.test import Client
from django.utils import timezone

from enrollment.models import Course, Student, Teacher
from tests.personal.full_person import Learning, fill_student


@pytest.fixture
def now() -> datetime:
    return timezone.now().replace(microsecond=0)


@pytest.fixture
def learning(student: Student, teacher: Teacher, course: Course, now: datetime) -> Learning:
    return fill_student(student, teacher=teacher, course=course, now=now)


@pytest.fixture
def as_student(client: Client, student: Student, learning: Learning) -> Client:
    client.force_login(student.user)
    return client
