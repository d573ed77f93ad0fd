"""Teachers without hours are reminded, once a week."""

from datetime import date, time, timedelta
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage

from enrollment.models import Course, Teacher
from scheduling.models import AvailabilityRule, TeacherReminder
from scheduling.operations.reminders import remind_teachers_without_hours
from scheduling.queries.hours import teachers_without_hours
from scheduling.tasks import remind_teachers_without_hours as task
from tests.conftest import make_teacher

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("course")]

TODAY = date(2026, 1, 14)


def remind(today: date = TODAY) -> list[str]:
    mail.outbox.clear()
    count = remind_teachers_without_hours(today=today)
    assert count == len(mail.outbox)
    return sorted(one.to[0] for one in mail.outbox)


def test_once_a_week(teacher: Teacher) -> None:
    assert remind() == ["marta@school.example"]
    text = str(mail.outbox[0].body)
    assert "Dear Marta Rossi," in text
    assert "/schedule/my/hours/" in text
    assert remind() == []
    assert remind(date(2026, 1, 18)) == []
    assert remind(date(2026, 1, 19)) == ["marta@school.example"]


def test_two_workers_at_once_send_one(teacher: Teacher, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second found the teacher due before the first had written its row."""
    due = list(teachers_without_hours(today=TODAY))
    remind()
    monkeypatch.setattr(
        "scheduling.operations.reminders.teachers_without_hours", lambda **_: Due(due)
    )
    assert remind() == []


class Due(list[Teacher]):
    def exclude(self, **_fields: Any) -> "Due":
        return self


@pytest.mark.parametrize(
    ("fields", "reminded"),
    [
        ({}, False),
        ({"valid_from": TODAY + timedelta(weeks=4)}, False),
        ({"valid_from": TODAY + timedelta(weeks=4, days=1)}, True),
        ({"valid_until": TODAY}, False),
        ({"valid_until": TODAY - timedelta(days=1)}, True),
    ],
)
def test_hours_in_the_next_four_weeks_count(
    teacher: Teacher, fields: dict[str, Any], reminded: bool
) -> None:
    AvailabilityRule.objects.create(
        teacher=teacher, weekday=0, starts=time(9), ends=time(10), **fields
    )
    assert bool(remind()) is reminded


def test_only_who_teaches_an_open_course(teacher: Teacher, course: Course) -> None:
    make_teacher("no-course@school.example")
    assert remind() == ["marta@school.example"]
    course.closes_on = TODAY
    course.save()
    assert remind(TODAY + timedelta(weeks=1)) == []


def test_two_courses_are_one_reminder(teacher: Teacher) -> None:
    Course.objects.create(title="Viola", slug="viola").teachers.add(teacher)
    assert len(remind()) == 1


def test_who_has_left_is_not_bothered(teacher: Teacher) -> None:
    teacher.user.is_active = False
    teacher.user.save()
    assert remind() == []


def test_a_mail_that_failed_is_tried_again(
    teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(self: EmailMessage, fail_silently: bool = False) -> int:
        raise ConnectionRefusedError

    with monkeypatch.context() as broken:
        broken.setattr(EmailMessage, "send", away)
        with pytest.raises(ConnectionRefusedError):
            remind_teachers_without_hours(today=TODAY)
    assert not TeacherReminder.objects.exists()
    assert len(remind()) == 1


def test_a_dead_address_keeps_no_mail_from_the_others(
    teacher: Teacher, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    course.teachers.add(make_teacher("zoe@school.example"))
    send = EmailMessage.send

    def refuses(self: EmailMessage, fail_silently: bool = False) -> int:
        if self.to == ["marta@school.example"]:
            raise SMTPRecipientsRefused({})
        return send(self, fail_silently)

    monkeypatch.setattr(EmailMessage, "send", refuses)
    assert remind() == ["zoe@school.example"]


def test_the_task(teacher: Teacher) -> None:
    assert task.name == "scheduling.tasks.remind_teachers_without_hours"
    assert task.apply().result == 1
    assert task.apply().result == 0
