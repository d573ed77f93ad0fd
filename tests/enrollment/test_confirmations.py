"""Confirmation mails: one bad address or a slow server keeps nothing from anybody else."""

import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from celery import current_app
from django.db import connection, connections, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from enrollment import tasks
from enrollment.models import Course, Enrollment, Student
from enrollment.operations import confirmations, mailing
from enrollment.operations.confirmations import CONFIRMATIONS, send_next
from enrollment.operations.enroll import enroll
from enrollment.operations.mailing import LEASE, MAX_TRIES, Outcome
from enrollment.operations.office import move_enrollment
from tests.conftest import make_student
from tests.enrollment.post_office import BAD, PostOffice, post_office

__all__ = ["post_office"]


def untold(student: Student, course: Course) -> Enrollment:
    return Enrollment.objects.create(student=student, course=course)


@pytest.fixture
def refused(course: Course) -> Enrollment:
    return untold(make_student(BAD), course)


def make_due(enrollment: Enrollment) -> None:
    Enrollment.objects.filter(pk=enrollment.pk).update(confirmation_next_at=timezone.now())


def test_a_refused_address_keeps_the_mail_from_nobody_else(
    post_office: PostOffice, refused: Enrollment, student: Student, course: Course
) -> None:
    fine = untold(student, course)
    assert tasks.send_due_confirmations() == 1
    assert post_office.delivered == ["ada@school.example"]
    fine.refresh_from_db()
    refused.refresh_from_db()
    assert fine.confirmation_sent_at
    assert fine.confirmation_next_at is None
    assert refused.confirmation_sent_at is None
    assert refused.confirmation_tries == 1
    assert refused.confirmation_next_at
    assert timezone.now() < refused.confirmation_next_at < timezone.now() + timedelta(minutes=2)


def test_after_the_last_try_the_office_is_told_and_nothing_more_is_sent(
    post_office: PostOffice, refused: Enrollment
) -> None:
    Enrollment.objects.update(office_note="Sibling discount")
    waits = []
    for _try in range(MAX_TRIES):
        now = timezone.now()
        assert send_next(now=now) is Outcome.FAILED
        refused.refresh_from_db()
        if refused.confirmation_next_at:
            waits.append(round((refused.confirmation_next_at - now) / timedelta(minutes=1)))
            make_due(refused)
    assert waits == list(mailing.WAITS)
    assert refused.office_note == (
        f"Sibling discount\nThe confirmation could not be delivered to {BAD}: 550 no such mailbox."
    )
    assert send_next(now=timezone.now() + timedelta(days=30)) is Outcome.NOTHING_DUE


def test_a_worker_that_dies_leaves_the_mail_to_the_next_after_the_lease(
    post_office: PostOffice, student: Student, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_enrollment: Enrollment) -> None:
        raise SystemExit

    untold(student, course)
    now = timezone.now()
    with monkeypatch.context() as patch:
        patch.setattr(confirmations, "confirmation", die)
        with pytest.raises(SystemExit):
            send_next(now=now)
    assert send_next(now=now + LEASE / 2) is Outcome.NOTHING_DUE
    assert send_next(now=now + LEASE) is Outcome.SENT
    assert post_office.delivered == ["ada@school.example"]


def test_a_mail_that_kills_every_worker_is_given_up(student: Student, course: Course) -> None:
    enrollment = untold(student, course)
    Enrollment.objects.update(confirmation_tries=MAX_TRIES, confirmation_next_at=timezone.now())
    assert send_next(now=timezone.now()) is Outcome.FAILED
    enrollment.refresh_from_db()
    assert "could not be delivered to ada@school.example" in enrollment.office_note
    assert send_next(now=timezone.now() + LEASE) is Outcome.NOTHING_DUE


def test_a_server_that_is_away_is_asked_once_a_round(
    post_office: PostOffice, settings: Any, student: Student, course: Course, refused: Enrollment
) -> None:
    untold(student, course)
    settings.EMAIL_PORT = 1
    assert tasks.send_due_confirmations() == 0
    assert sorted(Enrollment.objects.values_list("confirmation_tries", flat=True)) == [0, 1]


def test_a_subject_that_cannot_be_written_is_a_failure_like_others(
    post_office: PostOffice, student: Student, course: Course
) -> None:
    Course.objects.update(title="Violin\nfor beginners")
    enrollment = untold(student, course)
    assert send_next(now=timezone.now()) is Outcome.FAILED
    enrollment.refresh_from_db()
    assert enrollment.confirmation_next_at


@pytest.mark.django_db(transaction=True)
def test_a_slow_mail_server_makes_neither_the_office_nor_a_second_worker_wait(
    post_office: PostOffice, student: Student, course: Course
) -> None:
    enrollment = untold(student, course)
    outcomes: list[Outcome] = []

    def work() -> None:
        try:
            outcomes.append(send_next(now=timezone.now()))
        finally:
            connections.close_all()

    post_office.go_on.clear()
    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert post_office.reached.wait(10)
        # The mail is on its way now.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '2s'")
            move_enrollment(enrollment=enrollment, status="confirmed", now=timezone.now())
        assert send_next(now=timezone.now()) is Outcome.NOTHING_DUE
    finally:
        post_office.go_on.set()
        worker.join(10)
    assert outcomes == [Outcome.SENT]
    assert post_office.delivered == ["ada@school.example"]
    enrollment.refresh_from_db()
    assert enrollment.status == "confirmed"
    assert enrollment.confirmation_sent_at


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_claim_two_rows(student: Student, course: Course) -> None:
    """While the first has not committed its claim, the second takes the next row."""
    first, second = untold(student, course), untold(make_student("zoe@school.example"), course)
    claimed: list[Enrollment | None] = []

    def work() -> None:
        try:
            claimed.append(mailing.claim(CONFIRMATIONS, now=timezone.now()))
        finally:
            connections.close_all()

    with transaction.atomic():
        Enrollment.objects.select_for_update().get(pk=first.pk)
        worker = threading.Thread(target=work)
        worker.start()
        worker.join(10)
    assert claimed == [second]


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("nobody answers"),
        ConnectionRefusedError(),
        psycopg.errors.InvalidSchemaName('schema "pgmq" does not exist'),
        ImportError("No module named redis"),
        KeyError("No such transport: pigeon"),
        # Not foreseen by wake(): on_commit's robust=True is the last guard.
        RuntimeError("something else"),
    ],
)
def test_a_queue_in_disorder_is_no_error_after_the_enrollment(
    error: Exception,
    student: Student,
    course: Course,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    def fail(_name: str, **_options: Any) -> None:
        raise error

    monkeypatch.setattr(current_app, "send_task", fail)
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        made = enroll(
            student=student,
            course=course,
            teacher=None,
            wished_times="",
            note="",
            flow=Enrollment.Flow.ORIGINAL,
            now=timezone.now(),
        )
    assert len(callbacks) == 1
    assert Enrollment.objects.get() == made
