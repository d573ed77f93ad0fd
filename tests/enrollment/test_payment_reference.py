"""Payment references stay as they are, whatever else happens to an enrollment."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config.roles import give_permissions
from enrollment.models import Course, CourseUnit, Enrollment, Student, Teacher, User
from enrollment.operations.enroll import enroll
from enrollment.operations.messages import open_for_office, write_message
from enrollment.operations.notices import send_next
from enrollment.operations.office import move_enrollment, plan_by_hand, reschedule_lesson
from enrollment.operations.progress import take_back, tick
from rollback import runner
from tests.conftest import make_student
from tests.enrollment import school_files

pytestmark = pytest.mark.django_db

PAID = "2026-00017"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
FILES = {
    "teachers": "email,first_name,last_name,zone\nmarta@school.example,Marta,Rossi,Europe/Berlin\n",
    "students": "email,first_name,last_name\nada@school.example,Ada,Vogel\n",
    "courses": "title,slug,capacity\nViolin for beginners,violin,20\n",
    # No column for the reference: what a file does not say stays.
    "enrollments": "student,course,teacher,note\nada@school.example,violin,marta@school.example,Hi\n",
    "lessons": (
        "teacher,student,course,date,time\n"
        "marta@school.example,ada@school.example,violin,2026-05-04,16:00\n"
    ),
    "units": "course,title\nviolin,Scales\nviolin,Coda\n",
    "progress": "student,course,unit,done_on\nada@school.example,violin,Coda,2026-02-02\n",
}


@pytest.fixture
def paid(student: Student, course: Course, teacher: Teacher) -> Enrollment:
    CourseUnit.objects.create(course=course, title="Scales")
    return Enrollment.objects.create(
        student=student, course=course, teacher=teacher, payment_reference=PAID
    )


@pytest.fixture(autouse=True)
def it_stays(paid: Enrollment) -> Iterator[None]:
    yield
    references = dict(Enrollment.objects.values_list("pk", "payment_reference"))
    assert references.pop(paid.pk) == PAID
    assert set(references.values()) <= {""}, "and nobody else gets one"


def test_progress(paid: Enrollment, teacher: Teacher) -> None:
    unit = CourseUnit.objects.get()
    tick(enrollment=paid, unit=unit, by=teacher.user, now=NOW)
    take_back(enrollment=paid, unit=unit)


def test_messages(paid: Enrollment, teacher: Teacher, staff: User) -> None:
    write_message(enrollment=paid, sender=paid.student.user, body="Hello", now=NOW)
    write_message(enrollment=paid, sender=teacher.user, body="Hello", now=NOW)
    while send_next(now=NOW + timedelta(days=1)).name == "SENT":
        pass
    open_for_office(enrollment=paid, user=staff, reason="A test", now=NOW)


def test_moving_lessons(paid: Enrollment, teacher: Teacher) -> None:
    lesson = plan_by_hand(enrollment=paid, teacher=teacher, on=NOW.date(), at=time(16), now=NOW)
    on = NOW.date() + timedelta(days=7)
    reschedule_lesson(lesson=lesson, teacher=teacher, on=on, at=time(17), now=NOW)


def test_importing_twice(paid: Enrollment, tmp_path: Path) -> None:
    for _twice in range(2):
        school_files.load(tmp_path, **FILES)
    paid.refresh_from_db()
    assert (paid.note, paid.lessons.count(), paid.units_done.count()) == ("Hi", 1, 1)


def test_enrolling_somebody_else_and_the_same_again(paid: Enrollment, course: Course) -> None:
    move_enrollment(enrollment=paid, status="cancelled", now=NOW)
    for student in (make_student("zoe@school.example"), paid.student):
        enroll(
            student=student,
            course=course,
            teacher=None,
            wished_times="",
            note="",
            flow=Enrollment.Flow.ORIGINAL,
            now=timezone.now(),
        )
    assert Enrollment.objects.count() == 3


def test_kill_and_restore(paid: Enrollment, flag_rows: None, admin: User) -> None:
    actor = runner.actor_of(admin)
    runner.kill(actor=actor, reason="a test")
    runner.restore(
        flag="ENABLE_TEACHER_SCHEDULING", percent=Decimal(100), actor=actor, reason="over"
    )


@pytest.mark.parametrize("person", ["student", "teacher", "staff"])
def test_pages_of_progress_and_messages(
    client: Client, paid: Enrollment, teacher: Teacher, staff: User, person: str
) -> None:
    who = {"student": paid.student.user, "teacher": teacher.user, "staff": staff}[person]
    client.force_login(who)
    unit = CourseUnit.objects.get()
    forged = {"payment_reference": "forged", "body": "x", "done": "yes", "reason": "x"}
    for url in (
        reverse("enrollment:thread", args=[paid.pk]),
        reverse("enrollment:tick", args=[paid.pk, unit.pk]),
        reverse("admin:enrollment_enrollment_tick_units", args=[paid.pk]),
        reverse("admin:enrollment_thread_change", args=[paid.pk]),
    ):
        client.post(url, forged)


@pytest.mark.parametrize("role", ["staff", "admin"])
def test_what_was_paid_for_is_not_deleted(
    client: Client, paid: Enrollment, staff: User, admin: User, role: str
) -> None:
    """Nothing else holds it: no lesson, no message, no unit."""
    give_permissions()
    client.force_login({"staff": staff, "admin": admin}[role])
    one = reverse("admin:enrollment_enrollment_delete", args=[paid.pk])
    several = reverse("admin:enrollment_enrollment_changelist")
    chosen = {"action": "delete_selected", "_selected_action": paid.pk, "post": "yes"}
    for answer in (client.post(one, {"post": "yes"}), client.post(several, chosen)):
        page = " ".join(answer.content.decode().split())
        assert f"has the payment reference {PAID}, which stays in the books." in page
        assert "Cancel the enrollment instead." in page


def test_what_was_not_paid_for_may_be_deleted(
    client: Client, course: Course, staff: User, paid: Enrollment
) -> None:
    give_permissions()
    client.force_login(staff)
    slip = Enrollment.objects.create(student=make_student("zoe@school.example"), course=course)
    client.post(reverse("admin:enrollment_enrollment_delete", args=[slip.pk]), {"post": "yes"})
    assert Enrollment.objects.get() == paid
