"""Confirmation mails: derived from enrollments that have not been told yet."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from enrollment import sockets
from enrollment.models import Enrollment, Lesson, User
from enrollment.operations import mailing
from enrollment.operations.invitations import attach
from enrollment.operations.mailing import Mailing, Outcome, tell_office
from enrollment.queries.ics import event_of, with_history


class Confirmations(Mailing[Enrollment]):
    name = "confirmation"
    task = "enrollment.tasks.send_due_confirmations"
    prefix = "confirmation"

    def due(self, *, now: datetime) -> QuerySet[Enrollment]:
        never_tried = Q(confirmation_tries=0, confirmation_next_at__isnull=True)
        return (
            Enrollment.objects.select_related("student__user", "course", "teacher")
            .filter(
                never_tried | Q(confirmation_next_at__lte=now), confirmation_sent_at__isnull=True
            )
            # What never failed goes first: old failures must not hold up what is new.
            .order_by("confirmation_tries", "created_at")
        )

    def user(self, row: Enrollment) -> User:
        return row.student.user

    def mail(self, row: Enrollment) -> EmailMultiAlternatives | None:
        return None if row.student.user.deleted_at else confirmation(row)

    def done(self, row: Enrollment, *, now: datetime, sent: bool) -> None:
        told: dict[str, Any] = {"confirmation_sent_at": now} if sent else {}
        Enrollment.objects.filter(pk=row.pk).update(confirmation_next_at=None, **told)

    def give_up(self, row: Enrollment, *, reason: str) -> None:
        Enrollment.objects.filter(pk=row.pk).update(confirmation_next_at=None)
        address = row.student.user.email
        tell_office(row.pk, f"The confirmation could not be delivered to {address}: {reason}.")


CONFIRMATIONS = Confirmations()


def wake() -> None:
    mailing.wake(CONFIRMATIONS)


def send_next(*, now: datetime) -> Outcome:
    return mailing.send_next(CONFIRMATIONS, now=now)


def confirmation(enrollment: Enrollment) -> EmailMultiAlternatives:
    path = reverse("enrollment:enrolled", args=[enrollment.pk])
    lessons = list(with_history(enrollment.lessons.filter(status=Lesson.Status.PLANNED)))
    context = {
        "enrollment": enrollment,
        "lessons": lessons,
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
    attach(mail, [event_of(lesson, teaches=False) for lesson in lessons])
    return mail
