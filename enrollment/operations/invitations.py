"""Lessons as files at a mail: calendar programs offer to add them, and to take them away again."""

from collections.abc import Sequence
from email.mime.text import MIMEText

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import timezone

from enrollment.domain.ics import CANCEL, PUBLISH, Event, as_file


def attach(mail: EmailMessage, events: Sequence[Event]) -> None:
    """One file for those that take place and one for those that do not: a file has one METHOD."""
    for method, name, cancelled in (
        (PUBLISH, "lessons.ics", False),
        (CANCEL, "cancelled.ics", True),
    ):
        chosen = [event for event in events if event.cancelled == cancelled]
        if chosen:
            mail.attach(_part(chosen, method=method, name=name))


def _part(events: Sequence[Event], *, method: str, name: str) -> MIMEText:
    """A part of our own: Django would write the character set twice beside the method."""
    organizer, now = settings.DEFAULT_FROM_EMAIL, timezone.now()
    text = as_file(events, method=method, organizer=organizer, now=now).decode()
    part = MIMEText(text, "calendar", "utf-8")
    part.set_param("method", method)
    part.add_header("Content-Disposition", "attachment", filename=name)
    return part
