"""Why a lesson was not booked, moved or cancelled, in words for students and teachers."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from scheduling.operations.booking import (
    BookingRefused,
    EnrollmentNotLive,
    NotPlanned,
    NotThisTeacher,
    TooLate,
)


def why_not_booked(refused: BookingRefused, *, zone: str) -> str:
    """zone: the reader's."""
    if isinstance(refused, TooLate):
        words = _("This was possible until %(when)s. Write a message, or ask the office.")
        return words % {"when": when(refused.deadline, zone)}
    if isinstance(refused, EnrollmentNotLive):
        return _("This enrollment is over, so no lessons are booked in it.")
    if isinstance(refused, NotPlanned):
        return _("This lesson was cancelled or has been given, so it stays as it is.")
    if isinstance(refused, NotThisTeacher):
        return _("This teacher does not give these lessons. Choose another time.")
    return _("This is not your lesson.")


def when(moment: datetime, zone: str) -> str:
    """On the clock of `zone`."""
    return _at(moment, zone, pgettext("date format", "l j F, H:i"))


def short(moment: datetime, zone: str) -> str:
    return _at(moment, zone, pgettext("date format", "D j M, H:i"))


def _at(moment: datetime, zone: str, form: str) -> str:
    return date_format(timezone.localtime(moment, ZoneInfo(zone)), form)
