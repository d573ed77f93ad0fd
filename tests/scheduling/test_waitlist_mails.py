"""The mail about an offer: once, on the student's clock, with the ways to take and to leave it."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from enrollment.models import Course, Student, Teacher, User
from enrollment.operations.mailing import LEASE, Outcome
from scheduling import tasks
from scheduling.models import WaitlistEntry
from scheduling.operations import waitlist_mails
from tests.conftest import Switches, make_student
from tests.enrollment.post_office import BAD, PostOffice, post_office
from tests.scheduling.conftest import NOW
from tests.scheduling.waiting import OFFER, SLOT, cancel, fill, fresh, join, make_full, take_slot

__all__ = ["post_office"]

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("now", "monday_hours", "no_closed_days"),
]


def freed(student: Student, course: Course, teacher: Teacher) -> WaitlistEntry:
    lesson = take_slot(course, teacher)
    entry = join(student, course, teacher=teacher, starts_at=SLOT)
    cancel(lesson)
    return entry


def test_the_mail_says_when_until_when_and_where_to_press(
    post_office: PostOffice, course: Course, teacher: Teacher, client: Client
) -> None:
    student = make_student("newfie@school.example", zone="America/St_Johns")
    entry = freed(student, course, teacher)
    assert tasks.fill_waitlist() == 1
    assert tasks.fill_waitlist() == 0
    [mail] = post_office.mails
    assert mail["To"] == "newfie@school.example"
    assert mail["Subject"] == "Monday 19 January, 11:30 is kept for you: Violin for beginners"
    bodies = [mail.get_body((kind,)) for kind in ("plain", "html")]
    take, leave = (
        f"http://localhost:8000/schedule/my/waitlist/{entry.pk}/{what}/"
        for what in ("take", "leave")
    )
    for body in bodies:
        assert body is not None
        text = str(body.get_content())
        for words in (
            "Monday 19 January 2026, 11:30",
            "(America/St_Johns)",
            "Marta Rossi",
            "Wednesday 14 January 2026, 19:30",
            take,
            leave,
        ):
            assert words in text
    assert fresh(entry).offer_sent_at == NOW
    # A link changes nothing, whoever opens it first: a mail program, say.
    client.force_login(student.user)
    for link in (take, leave):
        answer = client.get(link.removeprefix("http://localhost:8000"))
        assert answer["Location"] == f"/schedule/my/waitlist/#entry-{entry.pk}"
    assert fresh(entry).status == "offered"


def test_the_mail_about_a_place(post_office: PostOffice, student: Student, course: Course) -> None:
    make_full(course)
    join(student, course)
    Course.objects.update(capacity=2)
    tasks.fill_waitlist()
    [mail] = post_office.mails
    assert mail["Subject"] == "A place in Violin for beginners is kept for you"
    body = mail.get_body(("plain",))
    assert body is not None
    assert "Thursday 15 January 2026, 00:00 (Europe/Berlin)" in str(body.get_content())


def test_a_refused_address_is_tried_again_while_the_offer_lasts_and_stops_nobody(
    post_office: PostOffice, student: Student, course: Course, teacher: Teacher
) -> None:
    bad = freed(make_student(BAD), course, teacher)
    later = SLOT + timedelta(minutes=45)
    lesson = take_slot(course, teacher, later, name="other")
    join(student, course, teacher=teacher, starts_at=later)
    cancel(lesson)
    assert tasks.fill_waitlist() == 1
    assert post_office.delivered == ["ada@school.example"]
    assert (fresh(bad).offer_tries, fresh(bad).offer_sent_at) == (1, None)
    assert waitlist_mails.send_next(now=NOW + 2 * LEASE) is Outcome.FAILED
    assert waitlist_mails.send_next(now=NOW + OFFER) is Outcome.NOTHING_DUE


def test_given_up_it_stands_on_the_students_page_all_the_same(
    student: Student, course: Course, teacher: Teacher
) -> None:
    entry = freed(student, course, teacher)
    fill()
    WaitlistEntry.objects.update(offer_tries=99, offer_next_at=NOW)
    assert waitlist_mails.send_next(now=NOW) is Outcome.FAILED
    assert waitlist_mails.send_next(now=NOW + 2 * LEASE) is Outcome.NOTHING_DUE
    assert fresh(entry).status == "offered"


def test_who_was_shut_out_meanwhile_gets_no_mail(
    post_office: PostOffice, student: Student, course: Course, teacher: Teacher
) -> None:
    freed(student, course, teacher)
    fill()
    User.objects.filter(pk=student.user.pk).update(is_active=False)
    assert waitlist_mails.send_next(now=NOW) is Outcome.NOT_NEEDED
    assert waitlist_mails.send_next(now=NOW) is Outcome.NOTHING_DUE
    assert post_office.mails == []


def test_with_the_mail_server_away_the_offer_is_made_and_mailed_later(
    post_office: PostOffice, settings: Any, student: Student, course: Course, teacher: Teacher
) -> None:
    entry = freed(student, course, teacher)
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    assert tasks.fill_waitlist() == 0
    assert fresh(entry).status == "offered"
    settings.EMAIL_PORT = port
    with time_machine.travel(NOW + timedelta(minutes=2), tick=False):
        assert tasks.fill_waitlist() == 1
    assert post_office.delivered == ["ada@school.example"]


def test_who_has_the_feature_no_more_gets_no_mail(
    post_office: PostOffice,
    student: Student,
    course: Course,
    teacher: Teacher,
    switches: Switches,
) -> None:
    freed(student, course, teacher)
    fill()
    switches.kill()
    assert waitlist_mails.send_next(now=NOW) is Outcome.NOT_NEEDED
    assert post_office.mails == []
