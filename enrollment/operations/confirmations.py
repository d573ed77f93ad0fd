"""Confirmation mails: derived from enrollments that have not been told yet."""

import smtplib
from datetime import datetime, timedelta
from enum import Enum, auto

import psycopg
import structlog
from celery import current_app
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import Case, Q, QuerySet, Value, When
from django.db.models.functions import Concat
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from enrollment import sockets
from enrollment.models import Enrollment, Lesson

log = structlog.get_logger(__name__)


# Minutes to wait after each failed try; after the last one the office is told.
WAITS = (1, 5, 30, 60, 120, 240, 480, 720, 1440, 1440, 1440)
MAX_TRIES = len(WAITS) + 1
# Longer than any mail server is waited for: after it the worker is taken for dead.
LEASE = timedelta(minutes=10)
# The server is away or does not let us in: no other mail would fare better just now.
AWAY = (
    smtplib.SMTPServerDisconnected,
    smtplib.SMTPConnectError,
    smtplib.SMTPHeloError,
    smtplib.SMTPAuthenticationError,
)


class Outcome(Enum):
    NOTHING_DUE = auto()
    SENT = auto()
    FAILED = auto()
    SERVER_AWAY = auto()


def wake() -> None:
    """Ask the worker to look now. Without a queue beat finds the row within half a minute.

    Caught is what a queue that is not in order says: away (kombu, OSError), its schema missing or
    its database unwell (psycopg), its transport's library not installed or unknown (ImportError,
    LookupError). The enrollment is committed; nothing of this may reach the person.
    """
    try:
        # By name: tasks stand above operations.
        current_app.send_task("enrollment.tasks.send_due_confirmations")
    except (OperationalError, OSError, psycopg.Error, ImportError, LookupError) as error:
        log.warning("queue.unreachable", error=str(error))


def send_next(*, now: datetime) -> Outcome:
    """Mail one untold enrollment that is due.

    The row is claimed first and sent without any lock, so nobody waits for the mail server. A
    worker that dies in between leaves it untold, and the mail is sent again after the lease.
    """
    enrollment = _claim(now=now)
    if enrollment is None:
        return Outcome.NOTHING_DUE
    if enrollment.confirmation_tries > MAX_TRIES:
        _give_up(enrollment, reason="the worker stopped each time it tried")
        return Outcome.FAILED
    try:
        confirmation(enrollment).send()
    # A header or an address that cannot be written is a ValueError; SMTP's errors are OSErrors.
    except (OSError, ValueError) as error:
        _failed(enrollment, error, now=now)
        return Outcome.SERVER_AWAY if _is_away(error) else Outcome.FAILED
    _row(enrollment).update(confirmation_sent_at=now, confirmation_next_at=None)
    return Outcome.SENT


# Durable: inside somebody's transaction the row would stay locked while its mail is on the way.
@transaction.atomic(durable=True)
def _claim(*, now: datetime) -> Enrollment | None:
    """The next one that is due, leased to this worker; two workers never get the same."""
    never_tried = Q(confirmation_tries=0, confirmation_next_at__isnull=True)
    enrollment = (
        Enrollment.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
        .select_related("student__user", "course", "teacher")
        .filter(never_tried | Q(confirmation_next_at__lte=now), confirmation_sent_at__isnull=True)
        # What never failed goes first: old failures must not hold up what is new.
        .order_by("confirmation_tries", "created_at")
        .first()
    )
    if enrollment is not None:
        enrollment.confirmation_tries += 1
        enrollment.confirmation_next_at = now + LEASE
        enrollment.save(update_fields=["confirmation_tries", "confirmation_next_at"])
    return enrollment


def _failed(enrollment: Enrollment, error: OSError | ValueError, *, now: datetime) -> None:
    tries = enrollment.confirmation_tries
    log.warning(
        "confirmation.failed", enrollment=enrollment.pk, tries=tries, error=_in_words(error)
    )
    if tries >= MAX_TRIES:
        _give_up(enrollment, reason=_in_words(error))
        return
    next_at = now + timedelta(minutes=WAITS[tries - 1])
    _row(enrollment).update(confirmation_next_at=next_at)


def _give_up(enrollment: Enrollment, *, reason: str) -> None:
    """The office reads it at the enrollment; what it wrote there meanwhile stays."""
    address = enrollment.student.user.email
    note = f"The confirmation could not be delivered to {address}: {reason}."
    separator = Case(When(office_note="", then=Value("")), default=Value("\n"))
    _row(enrollment).update(
        confirmation_next_at=None, office_note=Concat("office_note", separator, Value(note))
    )
    log.error("confirmation.given_up", enrollment=enrollment.pk, reason=reason)


def _row(enrollment: Enrollment) -> QuerySet[Enrollment]:
    return Enrollment.objects.filter(pk=enrollment.pk)


def _is_away(error: OSError | ValueError) -> bool:
    if isinstance(error, smtplib.SMTPException):
        return isinstance(error, AWAY)
    return isinstance(error, OSError)


def _in_words(error: OSError | ValueError) -> str:
    """What the server answered, without Python's brackets around it."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answers = error.recipients.values()
        return "; ".join(f"{code} {text.decode(errors='replace')}" for code, text in answers)
    return str(error) or type(error).__name__


def confirmation(enrollment: Enrollment) -> EmailMultiAlternatives:
    path = reverse("enrollment:enrolled", args=[enrollment.pk])
    context = {
        "enrollment": enrollment,
        "lessons": enrollment.lessons.filter(status=Lesson.Status.PLANNED).select_related(
            "teacher"
        ),
        "zone": enrollment.student.zone,
        "url": f"{settings.SITE_URL}{path}",
        "links": sockets.links_for(enrollment.student.user),
        "site": settings.SITE_URL,
    }
    mail = EmailMultiAlternatives(
        subject=_("Your enrollment in %(course)s") % {"course": enrollment.course},
        body=render_to_string("enrollment/mail/confirmation.txt", context),
        to=[enrollment.student.user.email],
    )
    mail.attach_alternative(
        render_to_string("enrollment/mail/confirmation.html", context), "text/html"
    )
    return mail
