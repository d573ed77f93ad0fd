"""Two people, two clocks: each time on the page is right on the clock it claims."""

from datetime import UTC, datetime, time

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from enrollment.models import Course
from scheduling.models import AvailabilityRule
from tests.conftest import make_student, make_teacher

MONDAY = datetime(2026, 11, 30, 6, tzinfo=UTC)


@pytest.mark.django_db
@time_machine.travel(MONDAY, tick=False)
def test_student_in_kolkata_teacher_in_adelaide_school_in_berlin(client: Client) -> None:
    teacher = make_teacher(zone="Australia/Adelaide")  # UTC+10:30 in December
    course = Course.objects.create(title="Violin", slug="violin", lesson_minutes=60)
    course.teachers.add(teacher)
    AvailabilityRule.objects.create(teacher=teacher, weekday=1, starts=time(9), ends=time(10))
    student = make_student(zone="Asia/Kolkata")  # UTC+05:30
    client.force_login(student.user)
    page = client.get(reverse("calendar:choose", args=["violin"])).content.decode()
    # Tuesday 09:00 in Adelaide is Monday 22:30 UTC, which is Tuesday 04:00 in Kolkata.
    assert 'value="2026-11-30T22:30' in page
    start = page.index('value="2026-11-30T22:30')
    words = " ".join(page[start : page.index("</label>", start)].split())
    assert "Tuesday 1 December 2026,</span> 04:00 " in words
    assert "teacher’s clock</span> 09:00</small>" in words
    assert "23:30" not in words  # Berlin's clock has no business here
    assert "Tuesday 1 December" in page
