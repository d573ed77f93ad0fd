"""Mails that tell of lessons carry them for a calendar; read back as a real mail server got them."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from enrollment.operations import confirmations, notices
from enrollment.operations.lessons import move_lesson, plan_lesson
from enrollment.operations.mailing import Outcome
from enrollment.operations.messages import tell_what_was_done
from enrollment.operations.moving import put_elsewhere
from tests.conftest import make_teacher
from tests.enrollment.calendars import read
from tests.enrollment.post_office import PostOffice, post_office

__all__ = ["post_office"]

pytestmark = pytest.mark.django_db
LATER = timedelta(minutes=10)


@pytest.fixture
def enrollment(student: Student, course: Course, teacher: Teacher) -> Enrollment:
    return Enrollment.objects.create(student=student, course=course, teacher=teacher)


def plan(enrollment: Enrollment, teacher: Teacher, *, days: int) -> Lesson:
    now = timezone.now().replace(microsecond=0)
    start = now + timedelta(days=days)
    # Long ago, so that what comes later is what is told.
    before = now - timedelta(days=1)
    return plan_lesson(enrollment=enrollment, teacher=teacher, starts_at=start, now=before)


def text_of(mail: Any) -> str:
    return str(mail.get_body(("plain",)).get_content())


def files(mail: Any) -> dict[str, Any]:
    """By name, each with the method that its part says as its content does."""
    found = {}
    for part in mail.iter_attachments():
        assert part.get_content_type() == "text/calendar"
        assert part.get_content_charset() == "utf-8"
        calendar = read(part.get_payload(decode=True))
        assert part.get_param("method") == calendar["METHOD"]
        assert part["Content-Type"].count("charset") == 1
        found[part.get_filename()] = calendar
    return found


def test_the_confirmation_brings_the_planned_lessons(
    post_office: PostOffice, enrollment: Enrollment, teacher: Teacher
) -> None:
    Course.objects.update(
        title="Flöte; für alle, auch für dich – ein langer Titel, der gefaltet wird"
    )
    planned = [plan(enrollment, teacher, days=days) for days in (2, 9)]
    move_lesson(lesson=plan(enrollment, teacher, days=16), status="cancelled", now=timezone.now())
    assert confirmations.send_next(now=timezone.now()) is Outcome.SENT
    [mail] = post_office.mails
    [(name, calendar)] = files(mail).items()
    assert (name, str(calendar["METHOD"])) == ("lessons.ics", "PUBLISH")
    uids = [f"lesson-{one.pk}@localhost" for one in planned]
    assert [str(event["UID"]) for event in calendar.events] == uids
    assert [event.decoded("DTSTART") for event in calendar.events] == [
        one.starts_at for one in planned
    ]
    assert str(calendar.events[0]["SUMMARY"]).startswith("Flöte; für alle, auch")
    assert "attached for your calendar" in text_of(mail)


def test_without_a_lesson_nothing_is_attached(
    post_office: PostOffice, enrollment: Enrollment
) -> None:
    confirmations.send_next(now=timezone.now())
    [mail] = post_office.mails
    assert files(mail) == {}
    assert "attached" not in text_of(mail)


def test_a_move_and_a_cancellation_come_with_their_notice_and_without_the_words(
    post_office: PostOffice, enrollment: Enrollment, teacher: Teacher, student: Student
) -> None:
    moved, cancelled, _untouched = (plan(enrollment, teacher, days=days) for days in (2, 3, 4))
    now = timezone.now()
    by = teacher.user
    later = moved.starts_at + timedelta(hours=2)
    put_elsewhere(lesson=moved, teacher=teacher, starts_at=later, by=by, now=now, reason="My knee")
    move_lesson(lesson=cancelled, status="cancelled", by=by, now=now, reason="My knee")
    tell_what_was_done(enrollment=enrollment, sender=by, body="My knee hurts.", now=now)
    assert notices.send_next(now=now + LATER) is Outcome.SENT
    [mail] = post_office.mails
    assert mail["To"] == student.user.email
    assert b"knee" not in mail.as_bytes()
    found = files(mail)
    assert sorted(found) == ["cancelled.ics", "lessons.ics"]
    [stays], [gone] = found["lessons.ics"].events, found["cancelled.ics"].events
    assert (stays["UID"], stays["SEQUENCE"]) == (f"lesson-{moved.pk}@localhost", 1)
    assert stays.decoded("DTSTART") == later
    assert found["cancelled.ics"]["METHOD"] == "CANCEL"
    assert (gone["UID"], gone["SEQUENCE"]) == (f"lesson-{cancelled.pk}@localhost", 1)
    assert gone["STATUS"] == "CANCELLED"


def test_who_gave_a_lesson_away_is_rid_of_it_and_own_doing_is_no_news(
    post_office: PostOffice, enrollment: Enrollment, teacher: Teacher, student: Student
) -> None:
    given, own = (plan(enrollment, teacher, days=days) for days in (2, 3))
    other, now = make_teacher("sub@school.example"), timezone.now()
    by = student.user
    put_elsewhere(lesson=given, teacher=other, starts_at=given.starts_at, by=by, now=now)
    move_lesson(lesson=own, status="cancelled", by=teacher.user, now=now)
    tell_what_was_done(enrollment=enrollment, sender=by, body="With somebody else.", now=now)
    while notices.send_next(now=now + LATER) is Outcome.SENT:
        pass
    found = {mail["To"]: files(mail) for mail in post_office.mails}
    [(name, calendar)] = found[teacher.user.email].items()
    assert name == "cancelled.ics"
    assert [str(event["UID"]) for event in calendar.events] == [f"lesson-{given.pk}@localhost"]
    assert calendar.events[0]["SEQUENCE"] == 1


def test_a_plain_message_brings_no_file(
    post_office: PostOffice, enrollment: Enrollment, teacher: Teacher
) -> None:
    plan(enrollment, teacher, days=2)
    now = timezone.now()
    tell_what_was_done(enrollment=enrollment, sender=teacher.user, body="Hello", now=now)
    notices.send_next(now=now + LATER)
    [mail] = post_office.mails
    assert files(mail) == {}
