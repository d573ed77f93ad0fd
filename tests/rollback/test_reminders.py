"""Reminder mails: one for each draft left for two days, and none to whom it would be no use."""

import re
import threading
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from django.conf import settings as school
from django.db import connections, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from enrollment.models import Course, Enrollment, Student
from enrollment.operations.mailing import LEASE, MAX_TRIES, WAITS, Outcome
from rollback import drafts, reminders, shelf
from rollback.domain import versions
from rollback.models import EnrollmentDraft, NoReminders
from rollback.reminders import SILENCE, send_next
from rollback.tasks import send_due_reminders
from tests.conftest import Switches, make_student
from tests.enrollment.crowd import at_once
from tests.enrollment.post_office import BAD, PostOffice, post_office

__all__ = ["post_office"]

NOW = datetime(2026, 11, 30, 14, 2, tzinfo=UTC)


@pytest.fixture
def left(student: Student, course: Course) -> EnrollmentDraft:
    """Last touched at NOW."""
    return drafts.save(student=student, course=course, answers={"note": "n"}, now=NOW)


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


# ---------------------------------------------------------------- the mail, as it arrives


def test_the_mail_says_what_is_unfinished_and_leads_back(
    post_office: PostOffice, left: EnrollmentDraft, client: Client, student: Student
) -> None:
    assert send_next(now=NOW + SILENCE) is Outcome.SENT
    [mail] = post_office.mails
    assert post_office.delivered == ["ada@school.example"]
    assert mail["Subject"] == "Your enrollment in Violin for beginners is not finished yet"
    for kind in ("plain", "html"):
        text = re.sub(r"\s+", " ", part(mail, kind))
        assert "Hello Ada Vogel," in text
        assert "What you typed on Monday 30 November 2026 is saved." in text
        assert "We keep it until Wednesday 30 December 2026." in text
        url = f"{school.SITE_URL}{reverse('drafts:continue', args=['violin'])}"
        assert url in text
        assert "{{" not in text
        assert "{%" not in text
    client.force_login(student.user)
    assert client.get(reverse("drafts:continue", args=["violin"])).status_code == 302


def test_the_mail_carries_the_way_out_for_people_and_for_programs(
    post_office: PostOffice, left: EnrollmentDraft
) -> None:
    send_next(now=NOW + SILENCE)
    [mail] = post_office.mails
    # RFC 8058 wants both headers.
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = str(mail["List-Unsubscribe"]).strip().removeprefix("<").removesuffix(">")
    assert url in part(mail, "plain")
    assert url in part(mail, "html")
    path = url.removeprefix(school.SITE_URL)

    # A mail scanner follows every link: nothing happens of it.
    stranger = Client(enforce_csrf_checks=True)
    page = stranger.get(path)
    assert "No more reminders?" in page.content.decode()
    assert not NoReminders.objects.exists()

    # The mail program's one click: no cookie, no CSRF token, no redirect.
    body = "List-Unsubscribe=One-Click"
    answer = stranger.post(path, body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 200
    assert "You get no more reminders" in answer.content.decode()
    assert NoReminders.objects.get().student == left.student
    again = stranger.post(path)
    assert again.status_code == 200
    assert "no-store" in again["Cache-Control"]


def test_the_way_out_cannot_be_guessed(client: Client, student: Student) -> None:
    token = reminders.off_token(student)
    pk, signature = token.split(".")
    zoe = make_student("zoe@school.example")
    for wrong in (pk, f"{zoe.pk}.{signature}", f"{token}x", "x.y", f"{pk}.{'A' * 43}", "😀"):
        url = reverse("drafts:no_reminders", args=[wrong])
        assert client.get(url).status_code == 404
        assert client.post(url).status_code == 404
    assert not NoReminders.objects.exists()
    fine = reverse("drafts:no_reminders", args=[token])
    student.user.is_active = False
    student.user.save()
    assert client.post(fine).status_code == 200
    assert NoReminders.objects.get().student == student


def test_the_token_of_somebody_deleted_leads_nowhere(client: Client, student: Student) -> None:
    url = reverse("drafts:no_reminders", args=[reminders.off_token(student)])
    student.delete()
    assert client.get(url).status_code == 404


# ---------------------------------------------------------------- to whom, and when


def test_after_two_days_of_silence_once(post_office: PostOffice, left: EnrollmentDraft) -> None:
    assert send_next(now=NOW + SILENCE - timedelta(seconds=1)) is Outcome.NOTHING_DUE
    assert send_next(now=NOW + SILENCE) is Outcome.SENT
    left.refresh_from_db()
    assert left.reminded_at == NOW + SILENCE
    assert left.reminder_next_at is None
    # Touched again, and silent again: who was reminded once knows.
    later = NOW + timedelta(days=5)
    drafts.save(student=left.student, course=left.course, answers={"note": "more"}, now=later)
    assert send_next(now=later + timedelta(days=10)) is Outcome.NOTHING_DUE
    assert len(post_office.mails) == 1


def test_whoever_touches_the_draft_is_not_silent(
    post_office: PostOffice, left: EnrollmentDraft
) -> None:
    later = NOW + timedelta(days=1)
    drafts.save(student=left.student, course=left.course, answers={"note": "more"}, now=later)
    assert send_next(now=NOW + SILENCE) is Outcome.NOTHING_DUE
    assert send_next(now=later + SILENCE) is Outcome.SENT


def closed(draft: EnrollmentDraft) -> None:
    Course.objects.update(closes_on=date(2026, 12, 1))


def not_open_yet(draft: EnrollmentDraft) -> None:
    Course.objects.update(opens_on=date(2027, 1, 1))


def full(draft: EnrollmentDraft) -> None:
    Course.objects.update(capacity=1)
    Enrollment.objects.create(student=make_student("zoe@school.example"), course=draft.course)


def enrolled(draft: EnrollmentDraft) -> None:
    Enrollment.objects.create(student=draft.student, course=draft.course)


def inactive(draft: EnrollmentDraft) -> None:
    draft.student.user.is_active = False
    draft.student.user.save()


def opted_out(draft: EnrollmentDraft) -> None:
    shelf.want_reminders(student=draft.student, wanted=False, now=NOW)


def finished(draft: EnrollmentDraft) -> None:
    EnrollmentDraft.objects.update(finished_at=NOW)


def set_aside(draft: EnrollmentDraft) -> None:
    EnrollmentDraft.objects.update(quarantined_at=NOW, problem="not_text")


@pytest.mark.parametrize(
    "what", [closed, not_open_yet, full, enrolled, inactive, opted_out, finished, set_aside]
)
def test_no_mail_that_would_be_of_no_use(
    post_office: PostOffice, left: EnrollmentDraft, what: Any
) -> None:
    what(left)
    assert send_next(now=NOW + SILENCE) is Outcome.NOTHING_DUE
    assert not post_office.mails


def test_others_of_the_course_do_not_make_it_full(
    post_office: PostOffice, left: EnrollmentDraft
) -> None:
    """Only live enrollments count, and one student's opting out is not another's."""
    full(left)
    Enrollment.objects.update(status="cancelled")
    shelf.want_reminders(
        student=Student.objects.exclude(pk=left.student_id).get(), wanted=False, now=NOW
    )
    assert send_next(now=NOW + SILENCE) is Outcome.SENT


def test_nobody_is_called_back_to_what_is_about_to_be_deleted(
    post_office: PostOffice, left: EnrollmentDraft
) -> None:
    assert send_next(now=NOW + timedelta(days=29)) is Outcome.NOTHING_DUE


def test_reminders_go_out_while_everything_is_off(
    post_office: PostOffice, left: EnrollmentDraft, switches: Switches
) -> None:
    switches.kill()
    EnrollmentDraft.objects.update(saved_at=timezone.now() - SILENCE)
    assert send_due_reminders() == 1


# ---------------------------------------------------------------- bad servers, dead workers


def test_a_refused_address_keeps_the_mail_from_nobody_else_and_is_given_up(
    post_office: PostOffice, course: Course, left: EnrollmentDraft
) -> None:
    bad = drafts.save(student=make_student(BAD), course=course, answers={"note": "n"}, now=NOW)
    now = NOW + SILENCE
    assert {send_next(now=now), send_next(now=now)} == {Outcome.SENT, Outcome.FAILED}
    waits = []
    for _try in range(MAX_TRIES - 1):
        bad.refresh_from_db()
        assert bad.reminder_next_at
        waits.append(round((bad.reminder_next_at - now) / timedelta(minutes=1)))
        now = bad.reminder_next_at
        assert send_next(now=now) is Outcome.FAILED
    assert waits == list(WAITS)
    bad.refresh_from_db()
    assert (bad.reminder_next_at, bad.reminded_at) == (None, None)
    assert send_next(now=now + timedelta(days=10)) is Outcome.NOTHING_DUE
    assert post_office.delivered == ["ada@school.example"]


def test_a_worker_that_dies_leaves_the_mail_to_the_next_after_the_lease(
    post_office: PostOffice, left: EnrollmentDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_draft: EnrollmentDraft) -> None:
        raise SystemExit

    now = NOW + SILENCE
    with monkeypatch.context() as patch:
        patch.setattr(reminders, "reminder", die)
        with pytest.raises(SystemExit):
            send_next(now=now)
    assert send_next(now=now + LEASE / 2) is Outcome.NOTHING_DUE
    assert send_next(now=now + LEASE) is Outcome.SENT


def test_a_mail_that_kills_every_worker_is_given_up(
    post_office: PostOffice, left: EnrollmentDraft
) -> None:
    EnrollmentDraft.objects.update(reminder_tries=MAX_TRIES, reminder_next_at=NOW)
    assert send_next(now=NOW + SILENCE) is Outcome.FAILED
    assert send_next(now=NOW + SILENCE + LEASE) is Outcome.NOTHING_DUE
    assert not post_office.mails


def test_a_server_that_is_away_is_asked_once_a_round(
    post_office: PostOffice, settings: Any, course: Course, left: EnrollmentDraft
) -> None:
    drafts.save(student=make_student("zoe@school.example"), course=course, answers={}, now=NOW)
    EnrollmentDraft.objects.update(saved_at=timezone.now() - SILENCE)
    settings.EMAIL_PORT = 1
    assert send_due_reminders() == 0
    assert sorted(EnrollmentDraft.objects.values_list("reminder_tries", flat=True)) == [0, 1]


def test_a_subject_that_cannot_be_written_is_a_failure_like_others(
    post_office: PostOffice, left: EnrollmentDraft
) -> None:
    Course.objects.update(title="Violin\nfor beginners")
    assert send_next(now=NOW + SILENCE) is Outcome.FAILED


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_send_one_each(
    post_office: PostOffice, course: Course, left: EnrollmentDraft
) -> None:
    for n in range(3):
        other = make_student(f"other{n}@school.example")
        drafts.save(student=other, course=course, answers={}, now=NOW)
    at_once(*[lambda: send_next(now=NOW + SILENCE)] * 8)
    while send_next(now=NOW + SILENCE) is Outcome.SENT:
        pass
    assert len(post_office.delivered) == len(set(post_office.delivered)) == 4


@pytest.mark.django_db(transaction=True)
def test_a_slow_mail_server_makes_no_save_wait(
    post_office: PostOffice, left: EnrollmentDraft
) -> None:
    def work() -> None:
        try:
            send_next(now=NOW + SILENCE)
        finally:
            connections.close_all()

    post_office.go_on.clear()
    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert post_office.reached.wait(10)
        with transaction.atomic():
            student, course = left.student, left.course
            drafts.save(student=student, course=course, answers={"note": "now"}, now=NOW)
    finally:
        post_office.go_on.set()
        worker.join(10)
    left.refresh_from_db()
    assert left.answers == {"note": "now"}
    assert left.reminded_at


def test_a_save_does_not_forget_a_reminder_that_goes_out_meanwhile(
    left: EnrollmentDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive = versions.arrive

    def remind_and_arrive(*both: Any, **told: Any) -> Any:
        EnrollmentDraft.objects.update(reminded_at=NOW)
        return arrive(*both, **told)

    monkeypatch.setattr(versions, "arrive", remind_and_arrive)
    drafts.save(student=left.student, course=left.course, answers={"note": "more"}, now=NOW)
    left.refresh_from_db()
    assert left.reminded_at == NOW
