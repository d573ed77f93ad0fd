"""Notices of new messages: one for each thread and person, by real SMTP, and never what was said."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import current_app
from django.db import connections
from django.utils import timezone

from enrollment import tasks
from enrollment.domain.messages import NOTICE_PAUSE, WRITES_ON
from enrollment.models import Course, Enrollment, Message, Reader, Student, Teacher
from enrollment.operations import notices
from enrollment.operations.lessons import plan_lesson
from enrollment.operations.mailing import LEASE, MAX_TRIES, Outcome
from enrollment.operations.messages import mark_read, write_message
from enrollment.operations.notices import seat_new_teachers, send_next
from tests.conftest import make_student, make_teacher
from tests.enrollment.post_office import BAD, PostOffice, post_office

__all__ = ["post_office"]

pytestmark = pytest.mark.django_db

NOON = datetime(2031, 1, 15, 11, 0, tzinfo=UTC)
SECRET = "My grandmother is in hospital."


@pytest.fixture
def enrollment(student: Student, course: Course, teacher: Teacher) -> Enrollment:
    return Enrollment.objects.create(student=student, course=course, teacher=teacher)


def write(
    enrollment: Enrollment, who: Student | Teacher, body: str = SECRET, at: datetime = NOON
) -> Message:
    return write_message(enrollment=enrollment, sender=who.user, body=body, now=at)


def send_all(at: datetime) -> list[Outcome]:
    outcomes: list[Outcome] = []
    while (outcome := send_next(now=at)) is not Outcome.NOTHING_DUE:
        outcomes.append(outcome)
    return outcomes


def test_one_mail_after_a_minute_for_what_came_together(
    post_office: PostOffice, enrollment: Enrollment, student: Student, settings: Any
) -> None:
    settings.SITE_URL = "https://school.example"
    write(enrollment, student)
    last = write(enrollment, student, "And I am late.", at=NOON + timedelta(seconds=50))
    assert send_all(NOON + NOTICE_PAUSE - timedelta(seconds=1)) == []
    assert send_all(NOON + NOTICE_PAUSE) == [Outcome.SENT]
    assert post_office.delivered == ["marta@school.example"]
    assert send_all(NOON + timedelta(days=1)) == []
    assert Reader.objects.get().told_to == last.pk

    mail = post_office.mails[0]
    assert mail["Subject"] == "2 new messages about Violin for beginners"
    parts = {
        part.get_content_type(): part.get_content()
        for part in mail.walk()
        if not part.is_multipart()
    }
    assert set(parts) == {"text/plain", "text/html"}
    for text in parts.values():
        assert f"https://school.example/messages/{enrollment.pk}/" in text
        assert "2 new messages for you from Ada Vogel, about Violin for beginners" in text
        assert "grandmother" not in text
        assert "late" not in text


def test_the_answer_is_told_to_the_student_and_a_later_message_anew(
    post_office: PostOffice, enrollment: Enrollment, student: Student, teacher: Teacher
) -> None:
    write(enrollment, student)
    send_all(NOON + NOTICE_PAUSE)
    write(enrollment, teacher, "Get well", at=NOON + timedelta(minutes=5))
    write(enrollment, student, "Thanks", at=NOON + timedelta(minutes=6))
    assert send_all(NOON + timedelta(minutes=7)) == [Outcome.SENT, Outcome.SENT]
    assert post_office.delivered == [
        "marta@school.example",
        "ada@school.example",
        "marta@school.example",
    ]
    # Only of what she had not been told of, though the first is unread too.
    assert post_office.mails[2]["Subject"] == "A new message about Violin for beginners"


def test_what_was_read_in_the_meantime_is_not_told(
    post_office: PostOffice, enrollment: Enrollment, student: Student, teacher: Teacher
) -> None:
    message = write(enrollment, student)
    mark_read(enrollment=enrollment, user=teacher.user, up_to=message.pk)
    assert send_all(NOON + NOTICE_PAUSE) == [Outcome.NOT_NEEDED]
    assert post_office.delivered == []
    assert Reader.objects.get().notice_next_at is None
    write(enrollment, student, "Something else", at=NOON + timedelta(hours=1))
    assert send_all(NOON + timedelta(hours=2)) == [Outcome.SENT]


@pytest.mark.parametrize("gone", ["teaches no more", "may not log in"])
def test_who_does_not_belong_there_any_more_is_not_told(
    post_office: PostOffice, enrollment: Enrollment, student: Student, teacher: Teacher, gone: str
) -> None:
    write(enrollment, student)
    if gone == "teaches no more":
        Enrollment.objects.update(teacher=None)
    else:
        type(teacher.user).objects.filter(pk=teacher.user_id).update(is_active=False)
    assert send_all(NOON + NOTICE_PAUSE) == [Outcome.NOT_NEEDED]
    assert send_all(NOON + timedelta(days=1)) == []
    assert post_office.delivered == []


def test_both_teachers_are_told_and_a_teacher_is_not_told_of_the_other(
    post_office: PostOffice, enrollment: Enrollment, student: Student, teacher: Teacher
) -> None:
    other = make_teacher("other@school.example")
    plan_lesson(enrollment=enrollment, teacher=other, starts_at=NOON, now=NOON)
    write(enrollment, student)
    assert send_all(NOON + NOTICE_PAUSE) == [Outcome.SENT, Outcome.SENT]
    assert sorted(post_office.delivered) == ["marta@school.example", "other@school.example"]
    write(enrollment, teacher, "I see to it", at=NOON + timedelta(hours=1))
    send_all(NOON + timedelta(hours=2))
    assert post_office.delivered[2:] == ["ada@school.example"]


def test_whoever_becomes_the_teacher_later_is_told(
    post_office: PostOffice, enrollment: Enrollment, student: Student, teacher: Teacher
) -> None:
    Enrollment.objects.update(teacher=None)
    now = timezone.now()
    write(enrollment, student, at=now)
    assert tasks.send_due_notices() == 0
    Enrollment.objects.update(teacher=teacher)
    plan_lesson(enrollment=enrollment, teacher=teacher, starts_at=NOON, now=now)
    assert tasks.send_due_notices() == 1
    assert tasks.send_due_notices() == 0
    assert post_office.delivered == ["marta@school.example"]
    # What is older than anybody may answer is left for the new teacher to find.
    late = make_teacher("late@school.example")
    Enrollment.objects.update(teacher=late)
    assert seat_new_teachers(now=now + WRITES_ON + timedelta(seconds=1)) == 0
    assert seat_new_teachers(now=now) == 1


def test_after_the_last_try_the_office_is_told_and_the_next_message_begins_anew(
    post_office: PostOffice, enrollment: Enrollment, student: Student, teacher: Teacher
) -> None:
    type(teacher.user).objects.filter(pk=teacher.user_id).update(email=BAD)
    Enrollment.objects.update(office_note="Sibling discount")
    write(enrollment, student)
    now = NOON + NOTICE_PAUSE
    for _try in range(MAX_TRIES):
        assert send_next(now=now) is Outcome.FAILED
        now += timedelta(days=2)
    assert send_next(now=now) is Outcome.NOTHING_DUE
    enrollment.refresh_from_db()
    assert enrollment.office_note == (
        "Sibling discount\nA notice of new messages could not be delivered to "
        f"{BAD}: 550 no such mailbox."
    )
    type(teacher.user).objects.filter(pk=teacher.user_id).update(email="right@school.example")
    write(enrollment, student, "Are you there?", at=now)
    assert send_next(now=now + NOTICE_PAUSE) is Outcome.SENT
    assert post_office.mails[0]["Subject"] == "2 new messages about Violin for beginners"


def test_a_refused_address_keeps_the_notice_from_nobody_else(
    post_office: PostOffice, course: Course, teacher: Teacher
) -> None:
    for address in (BAD, "zoe@school.example"):
        one = make_student(address)
        write(Enrollment.objects.create(student=one, course=course, teacher=teacher), teacher)
    assert sorted(outcome.name for outcome in send_all(NOON + NOTICE_PAUSE)) == ["FAILED", "SENT"]
    assert post_office.delivered == ["zoe@school.example"]


def test_a_worker_that_dies_leaves_the_notice_to_the_next_after_the_lease(
    post_office: PostOffice, enrollment: Enrollment, student: Student, monkeypatch: Any
) -> None:
    def die(*_anything: object) -> None:
        raise SystemExit

    write(enrollment, student)
    now = NOON + NOTICE_PAUSE
    with monkeypatch.context() as patch:
        patch.setattr(notices, "notice", die)
        with pytest.raises(SystemExit):
            send_next(now=now)
    assert send_next(now=now + LEASE / 2) is Outcome.NOTHING_DUE
    assert send_next(now=now + LEASE) is Outcome.SENT


@pytest.mark.django_db(transaction=True)
def test_a_message_that_comes_while_the_mail_is_on_its_way_is_told_by_the_next(
    post_office: PostOffice, enrollment: Enrollment, student: Student
) -> None:
    now = timezone.now()
    write(enrollment, student, at=now)
    outcomes: list[Outcome] = []

    def work() -> None:
        try:
            outcomes.append(send_next(now=now + NOTICE_PAUSE))
        finally:
            connections.close_all()

    post_office.go_on.clear()
    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert post_office.reached.wait(10)
        # Nobody waits for the mail server, and nobody else sends the same.
        write(enrollment, student, "One more thing", at=now + timedelta(minutes=1))
        assert send_next(now=now + NOTICE_PAUSE) is Outcome.NOTHING_DUE
    finally:
        post_office.go_on.set()
        worker.join(10)
    assert outcomes == [Outcome.SENT]
    assert send_next(now=now + timedelta(minutes=2)) is Outcome.SENT
    assert send_next(now=now + timedelta(days=1)) is Outcome.NOTHING_DUE
    assert [mail["Subject"] for mail in post_office.mails] == [
        "A new message about Violin for beginners"
    ] * 2


def test_the_queue_is_woken_for_the_minute_after(
    enrollment: Enrollment,
    student: Student,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    asked: list[tuple[str, float]] = []
    monkeypatch.setattr(
        current_app, "send_task", lambda name, countdown: asked.append((name, countdown))
    )
    with django_capture_on_commit_callbacks(execute=True):
        write(enrollment, student)
    assert asked == [("enrollment.tasks.send_due_notices", NOTICE_PAUSE.total_seconds())]


def test_a_queue_in_disorder_is_no_error_after_a_message(
    enrollment: Enrollment,
    student: Student,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    def fail(*_anything: object, **_more: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(current_app, "send_task", fail)
    with django_capture_on_commit_callbacks(execute=True):
        write(enrollment, student)
    assert Message.objects.count() == 1
