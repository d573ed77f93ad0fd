"""Reminding teachers who offer no hours: once a week at most."""

from datetime import date
from smtplib import SMTPRecipientsRefused

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from enrollment.models import Teacher
from enrollment.operations.mailing import for_reader, in_short
from scheduling.domain.offer import monday
from scheduling.models import TeacherReminder
from scheduling.queries.hours import teachers_without_hours

log = structlog.get_logger(__name__)


def remind_teachers_without_hours(*, today: date) -> int:
    """:returns: how many mails went out.

    :raises OSError: the mail server is away; who was not reached yet is tried again.
    """
    if not settings.OUTWARD_REQUESTS:  # a copy of the school
        return 0
    week = monday(today)
    due = teachers_without_hours(today=today).exclude(hours_reminders__week_on=week)
    return sum(_remind(teacher, week=week) for teacher in due)


def _remind(teacher: Teacher, *, week: date) -> bool:
    """The row is written first and in the mail's transaction: a second worker waits for it, and a
    mail that could not be sent takes its row back.
    """
    try:
        with transaction.atomic():
            _row, new = TeacherReminder.objects.get_or_create(teacher=teacher, week_on=week)
            if new:
                with for_reader(teacher.user):
                    mail = reminder(teacher)
                mail.send()
            return new
    except SMTPRecipientsRefused as error:
        # One dead address must not keep the mail from the teachers after it.
        log.warning("reminder.refused", teacher=teacher.pk, error=in_short(error))
        return False


def reminder(teacher: Teacher) -> EmailMessage:
    context = {"teacher": teacher, "url": f"{settings.SITE_URL}{reverse('scheduling:hours')}"}
    return EmailMessage(
        subject=_("Please enter the hours at which you teach"),
        body=render_to_string("scheduling/mail/no_hours.txt", context),
        to=[teacher.user.email],
    )
