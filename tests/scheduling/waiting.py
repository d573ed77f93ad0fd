"""What the tests of the waitlist share: a taken time, and people who wait for it."""

from datetime import datetime, timedelta
from typing import Any

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from enrollment.operations.lessons import move_lesson, plan_lesson
from scheduling.models import WaitlistEntry
from scheduling.operations import waitlist, waitlist_offers
from tests.conftest import make_student
from tests.scheduling.conftest import NOW
from tests.scheduling.steps import FIRST

SLOT = datetime.fromisoformat(FIRST)
OFFER = timedelta(hours=12)
MINUTE = timedelta(minutes=1)


def take_slot(
    course: Course, teacher: Teacher, slot: datetime = SLOT, name: str = "owner"
) -> Lesson:
    """Somebody else has it."""
    student = make_student(f"{name}@school.example")
    enrollment = Enrollment.objects.create(student=student, course=course, status="confirmed")
    return plan_lesson(enrollment=enrollment, teacher=teacher, starts_at=slot, now=NOW)


def cancel(lesson: Lesson) -> None:
    move_lesson(lesson=lesson, status="cancelled", now=NOW)


def join(student: Student, course: Course, *, now: datetime = NOW, **what: Any) -> WaitlistEntry:
    return waitlist.join(student=student, course=course, now=now, **what)


def fill(now: datetime = NOW) -> int:
    return waitlist_offers.fill(now=now)


def fresh(entry: WaitlistEntry) -> WaitlistEntry:
    return WaitlistEntry.objects.get(pk=entry.pk)


def statuses() -> list[str]:
    """Of all entries, in line."""
    return [str(entry.status) for entry in WaitlistEntry.objects.order_by("created_at", "pk")]


def held() -> list[tuple[str, datetime | None]]:
    """For whom, and until when."""
    holds = Lesson.objects.filter(status="held").select_related("student__user")
    return [(hold.student.user.email, hold.expires_at) for hold in holds.order_by("pk")]


def make_full(course: Course) -> Enrollment:
    Course.objects.filter(pk=course.pk).update(capacity=1)
    course.refresh_from_db()
    owner = make_student("owner@school.example")
    return Enrollment.objects.create(student=owner, course=course, status="confirmed")
