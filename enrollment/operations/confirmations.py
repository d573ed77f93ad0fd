"""Confirmation mails: derived from enrollments that have not been told yet."""

from datetime import datetime

import structlog
from celery import current_app
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from enrollment.models import Enrollment, Lesson

log = structlog.get_logger(__name__)


def wake() -> None:
    """Ask the worker to look now. Without a queue beat finds the row within half a minute."""
    try:
        # By name: tasks stand above operations.
        current_app.send_task("enrollment.tasks.send_due_confirmations")
    except OperationalError as error:
        log.warning("queue.unreachable", error=str(error))


def send_next(*, now: datetime) -> bool:
    """Mail one untold enrollment; False when there is none.

    The row stays locked while its mail is on the way, so two workers never send the same one; a
    worker that dies in between leaves the row untold, and the mail is sent again.
    """
    with transaction.atomic():
        enrollment = (
            Enrollment.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("student__user", "course", "teacher")
            .filter(confirmation_sent_at__isnull=True)
            .order_by("created_at")
            .first()
        )
        if enrollment is None:
            return False
        confirmation(enrollment).send()
        enrollment.confirmation_sent_at = now
        enrollment.save(update_fields=["confirmation_sent_at"])
        return True


def confirmation(enrollment: Enrollment) -> EmailMultiAlternatives:
    path = reverse("enrollment:enrolled", args=[enrollment.pk])
    context = {
        "enrollment": enrollment,
        "lessons": enrollment.lessons.filter(status=Lesson.Status.PLANNED).select_related(
            "teacher"
        ),
        "zone": enrollment.student.zone,
        "url": f"{settings.SITE_URL}{path}",
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
