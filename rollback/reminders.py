"""Reminder mails: derived from drafts that nobody has touched for two days. One for each draft.

No other in the same silence, nor in a later one: who was reminded once and went on, knows.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.signing import BadSignature, Signer
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from enrollment.domain.states import LIVE_ENROLLMENT
from enrollment.models import Enrollment, Student, User
from enrollment.operations import mailing
from enrollment.operations.mailing import Mailing, Outcome
from enrollment.queries.courses import catalog
from rollback import quarantine
from rollback.expiry import KEPT
from rollback.models import EnrollmentDraft, NoReminders

SILENCE = timedelta(days=2)


class Reminders(Mailing[EnrollmentDraft]):
    name = "reminder"
    task = "rollback.tasks.send_due_reminders"
    prefix = "reminder"

    def due(self, *, now: datetime) -> QuerySet[EnrollmentDraft]:
        """Whose student may still enroll, can be reached, and has not said that no mail is wanted."""
        enrolled = Enrollment.objects.filter(
            student=OuterRef("student"), course=OuterRef("course"), status__in=LIVE_ENROLLMENT
        )
        courses: QuerySet[Any] = catalog(today=timezone.localdate(now))
        with_places = courses.filter(places_left__gt=0).order_by().values("pk")
        never_tried = Q(reminder_tries=0, reminder_next_at__isnull=True)
        drafts = quarantine.live().filter(
            never_tried | Q(reminder_next_at__lte=now),
            ~Exists(enrolled),
            ~Exists(NoReminders.objects.filter(student=OuterRef("student"))),
            reminded_at__isnull=True,
            saved_at__lte=now - SILENCE,
            # What is about to be deleted is nothing to come back to.
            saved_at__gt=now - KEPT + SILENCE,
            student__user__is_active=True,
            course__in=with_places,
        )
        return drafts.select_related("student__user", "course").order_by(
            "reminder_tries", "saved_at"
        )

    def user(self, row: EnrollmentDraft) -> User:
        return row.student.user

    def mail(self, row: EnrollmentDraft) -> EmailMultiAlternatives:
        return reminder(row)

    def done(self, row: EnrollmentDraft, *, now: datetime, sent: bool) -> None:
        _row(row).update(reminded_at=now, reminder_next_at=None)

    def give_up(self, row: EnrollmentDraft, *, reason: str) -> None:
        """Nobody is told: nothing was promised, and the draft is where the student left it."""
        _row(row).update(reminder_next_at=None)


REMINDERS = Reminders()


def send_next(*, now: datetime) -> Outcome:
    return mailing.send_next(REMINDERS, now=now)


def _row(draft: EnrollmentDraft) -> QuerySet[EnrollmentDraft]:
    return EnrollmentDraft.objects.filter(pk=draft.pk)


def reminder(draft: EnrollmentDraft) -> EmailMultiAlternatives:
    off_url = _absolute("drafts:no_reminders", off_token(draft.student))
    context = {
        "draft": draft,
        "zone": draft.student.zone,
        "kept_until": draft.saved_at + KEPT,
        "url": _absolute("drafts:continue", draft.course.slug),
        "off_url": off_url,
    }
    mail = EmailMultiAlternatives(
        subject=_("Your enrollment in %(course)s is not finished yet") % {"course": draft.course},
        body=render_to_string("drafts/mail/reminder.txt", context),
        to=[draft.student.user.email],
        headers={
            "Auto-Submitted": "auto-generated",
            # RFC 8058: the mail program may say it for the reader, with one press of a button.
            "List-Unsubscribe": f"<{off_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )
    mail.attach_alternative(render_to_string("drafts/mail/reminder.html", context), "text/html")
    return mail


def _absolute(name: str, *args: str) -> str:
    return f"{settings.SITE_URL}{reverse(name, args=args)}"


def off_token(student: Student) -> str:
    """Whoever has the mail may say that no more are wanted, and nothing else; it never runs out."""
    return _signer().sign(str(student.pk))


def student_of_token(token: str) -> Student | None:
    try:
        pk = _signer().unsign(token)
    except BadSignature:
        return None
    return Student.objects.filter(pk=int(pk)).first()


def _signer() -> Signer:
    return Signer(salt="rollback.reminders", sep=".")
