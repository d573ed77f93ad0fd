"""Mails about what the waitlist offers: derived from offers whose student does not know yet."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from enrollment.models import User
from enrollment.operations import mailing
from enrollment.operations.mailing import Mailing, Outcome
from scheduling import sockets
from scheduling.domain.waiting import WaitlistStatus
from scheduling.models import WaitlistEntry


class Offers(Mailing[WaitlistEntry]):
    name = "offer"
    task = "scheduling.tasks.fill_waitlist"
    prefix = "offer"

    def due(self, *, now: datetime) -> QuerySet[WaitlistEntry]:
        never_tried = Q(offer_tries=0, offer_next_at__isnull=True)
        return (
            WaitlistEntry.objects.select_related("student__user", "course", "teacher")
            .filter(
                never_tried | Q(offer_next_at__lte=now),
                status=WaitlistStatus.OFFERED,
                offer_sent_at__isnull=True,
                offer_expires_at__gt=now,
            )
            .order_by("offer_tries", "offered_at")
        )

    def user(self, row: WaitlistEntry) -> User:
        return row.student.user

    def mail(self, row: WaitlistEntry) -> EmailMultiAlternatives | None:
        user = row.student.user
        return offer_mail(row) if user.is_active and sockets.has_feature(user=user) else None

    def done(self, row: WaitlistEntry, *, now: datetime, sent: bool) -> None:
        told: dict[str, Any] = {"offer_sent_at": now} if sent else {}
        WaitlistEntry.objects.filter(pk=row.pk).update(offer_next_at=None, **told)

    def give_up(self, row: WaitlistEntry, *, reason: str) -> None:
        """Nobody is told: the offer stands on the student's page, runs out, and the next gets it."""
        WaitlistEntry.objects.filter(pk=row.pk).update(offer_next_at=None)


OFFERS = Offers()


def wake() -> None:
    mailing.wake(OFFERS)


def send_next(*, now: datetime) -> Outcome:
    return mailing.send_next(OFFERS, now=now)


def offer_mail(entry: WaitlistEntry) -> EmailMultiAlternatives:
    zone = entry.student.zone
    context = {
        "entry": entry,
        "zone": zone,
        "take_url": _absolute("scheduling:take_offer", entry),
        "leave_url": _absolute("scheduling:leave_waitlist", entry),
    }
    mail = EmailMultiAlternatives(
        subject=_subject(entry, zone=ZoneInfo(zone)),
        body=render_to_string("scheduling/mail/offer.txt", context),
        to=[entry.student.user.email],
        headers={"Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(render_to_string("scheduling/mail/offer.html", context), "text/html")
    return mail


def _subject(entry: WaitlistEntry, *, zone: ZoneInfo) -> str:
    if entry.starts_at is None:
        return _("A place in %(course)s is kept for you") % {"course": entry.course}
    start = timezone.localtime(entry.starts_at, zone)
    when = f"{date_format(start, pgettext('date format', 'l j F'))}, {time_format(start, 'H:i')}"
    return _("%(when)s is kept for you: %(course)s") % {"when": when, "course": entry.course}


def _absolute(name: str, entry: WaitlistEntry) -> str:
    """Links only lead to the page on which the student presses a button."""
    return f"{settings.SITE_URL}{reverse(name, args=[entry.pk])}"
