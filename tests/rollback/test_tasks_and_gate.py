"""Tasks behind the door, one answer through every door, and one feature used for another."""

from datetime import timedelta
from typing import Any

import pytest
from celery import shared_task
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from enrollment.models import Course, Enrollment, Teacher, User
from enrollment.operations.confirmations import confirmation
from enrollment.operations.tokens import make_token
from rollback import switchboard
from rollback.doors import counting, gate
from rollback.models import DoorCount
from scheduling.queries.availability import free_slots
from tests.conftest import Switches, make_student

MASTER = "ENABLE_TEACHER_SCHEDULING"


@shared_task(name="scheduling.tasks.for_this_test")
def touched(*, for_user_id: int | None = None) -> str:
    return "ran"


def run(**kwargs: Any) -> Any:
    from config.celery import app

    return app.tasks["scheduling.tasks.for_this_test"].apply(kwargs=kwargs).result


@pytest.mark.django_db
def test_a_task_of_a_feature_that_is_off_is_skipped_and_counted(switches: Switches) -> None:
    assert run() == "ran"
    switches.share(50)
    assert run() == "ran"
    switches.kill(MASTER)
    assert run() != "ran"
    counting.write()
    assert DoorCount.objects.get(door="task").turned_away == 1


@pytest.mark.django_db
def test_a_task_for_early_staff_agrees_with_their_pages(staff: User, switches: Switches) -> None:
    switches.share(0.01)
    switches.early_for_staff(MASTER)
    assert switchboard.is_on(MASTER, staff)
    assert run(for_user_id=staff.pk) == "ran"
    assert run(for_user_id=10**9) != "ran"


@pytest.mark.django_db
def test_page_api_token_task_mail_and_template_agree_for_every_user(
    client: Client, course: Course, teacher: Teacher, switches: Switches
) -> None:
    """At 50 %, the master's answer through every door for forty students."""
    switches.share(50)
    answers = []
    now = timezone.now()
    for n in range(40):
        student = make_student(f"s{n}@school.example")
        client.force_login(student.user)
        _row, token = make_token(user=student.user, name="x", lifetime=timedelta(days=1), now=now)
        program = Client(headers={"Authorization": f"Token {token}"})
        mail = confirmation(Enrollment(pk=n, student=student, course=Course(title="Lute")))
        page = client.get(reverse("calendar:choose", args=[course.slug])).status_code == 200
        slots = reverse("availability-api:slots", args=[teacher.pk])
        api = client.get(slots, {"course": course.slug}).status_code == 200
        task = run(for_user_id=student.user.pk) == "ran"
        link = reverse("scheduling:resume", args=[course.slug])
        shown = client.get(reverse("enrollment:course", args=[course.slug])).content.decode()
        by_token = program.get(slots, {"course": course.slug}).status_code == 200
        told = reverse("calendar:month") in mail.body
        told_in_html = reverse("calendar:month") in str(mail.alternatives[0][0])
        answers.append({page, api, by_token, task, link in shown, told, told_in_html})
    assert all(len(answer) == 1 for answer in answers)
    assert {True} in answers
    assert {False} in answers


# ---------------------------------------------------------------- gate.call


@pytest.mark.django_db
def test_gate_call_off_broken_and_even_off(switches: Switches) -> None:
    def broken() -> int:
        raise ZeroDivisionError

    def breaks_the_transaction() -> int:
        User.objects.get(pk=10**30)
        return 1

    assert gate.call(MASTER, lambda: 1, instead=0) == 1
    assert gate.call(MASTER, broken, instead=7) == 7
    assert gate.call(MASTER, breaks_the_transaction, instead=7) == 7
    assert User.objects.count() == 0
    assert gate.call("NO_SUCH_FLAG", lambda: 1, instead=0) == 0
    switches.kill()
    assert gate.call(MASTER, lambda: 1, instead=0) == 0
    assert gate.call(MASTER, lambda: 1, instead=0, even_off=True) == 1


def _words(queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"].split()[0] for query in queries]


@pytest.mark.django_db(transaction=True)
def test_gate_call_that_reads_begins_no_transaction(switches: Switches) -> None:
    def count() -> int:
        return User.objects.count()

    with CaptureQueriesContext(connection) as reading:
        assert gate.call(MASTER, count, instead=7, reads=True) == 0
    assert _words(reading) == ["SELECT"]
    with CaptureQueriesContext(connection) as writing:
        assert gate.call(MASTER, count, instead=7) == 0
    assert _words(writing) == ["BEGIN", "SELECT", "COMMIT"]


@pytest.mark.django_db(transaction=True)
def test_gate_call_that_reads_breaks_nothing_inside_or_outside(switches: Switches) -> None:
    def broken() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        return 1

    assert gate.call(MASTER, broken, instead=7, reads=True) == 7
    assert User.objects.count() == 0
    with transaction.atomic():
        # A savepoint all the same: else this transaction could only be undone.
        assert gate.call(MASTER, broken, instead=7, reads=True) == 7
        assert User.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_teachers_free_slots_are_two_queries(
    teacher: Teacher, course: Course, switches: Switches
) -> None:
    """The teacher's facts, and the days on which the school is closed, asked through the gate."""
    student = make_student()
    with CaptureQueriesContext(connection) as asked:
        free_slots(teacher=teacher, course=course, student=student, now=timezone.now())
    assert _words(asked) == ["WITH", "SELECT"]
