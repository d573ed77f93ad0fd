"""Mails that came back, and people who complained of one: no more mails go to that address.

Whoever tells is believed for having signed, and told again the same changes nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models.functions import Now

from enrollment.models import User
from enrollment.queries.people import at_address
from rollback.models import DeafAddress, Notification, Stakeholder

log = structlog.get_logger(__name__)

# As `message.message_id_of` writes it; with whatever brackets and domain it comes back.
OURS = re.compile(r"<?[a-z_]{1,30}\.(\d{1,18})\.(\d{1,18})@[^@\s]+?>?")
LONGEST = 254
KINDS = frozenset(DeafAddress.Why.values)


class NotAnEvent(ValueError):
    pass


@dataclass(frozen=True, kw_only=True)
class Event:
    """why: of `DeafAddress.Why`. One of message_id and email is there."""

    why: str
    message_id: str = ""
    email: str = ""
    reason: str = ""


def event_of(told: Any) -> Event | None:
    """From JSON. :returns: None for what is of no concern (delivered, opened …). :raises NotAnEvent:"""
    if not isinstance(told, Mapping):
        raise NotAnEvent("An event is an object with “event” and “message_id” or “email”.")
    fields = {name: told.get(name) or "" for name in ("event", "message_id", "email", "reason")}
    if wrong := [name for name, value in fields.items() if not isinstance(value, str)]:
        raise NotAnEvent(f"“{wrong[0]}” is a text.")
    if not fields["event"]:
        raise NotAnEvent("“event” is missing: bounced or complained.")
    if fields["event"] not in KINDS:
        return None
    if not (fields["message_id"] or fields["email"]):
        raise NotAnEvent("Neither “message_id” nor “email” is there.")
    return Event(
        why=fields["event"],
        message_id=fields["message_id"].strip(),
        email=fields["email"].strip(),
        reason=one_line(fields["reason"]),
    )


@transaction.atomic
def note(event: Event) -> bool:
    """:returns: whether we know whom it is about"""
    row = _row(event.message_id)
    if row is not None:
        Notification.objects.filter(pk=row.pk, bounced_at=None).update(
            bounced_at=Now(), bounce=event.reason or DeafAddress.Why(event.why).value
        )
    address = _address(event, row)
    if not address:
        log.info("outbox.bounce_of_nobody", why=event.why, notification=row and row.pk)
        return row is not None
    DeafAddress.objects.bulk_create(
        [DeafAddress(email=address, why=event.why, said=event.reason)], ignore_conflicts=True
    )
    log.info("outbox.bounced", why=event.why, notification=row and row.pk)
    return True


def _row(message_id: str) -> Notification | None:
    """By the numbers in it: a server may answer before ours has written down what it was sent as."""
    found = OURS.fullmatch(message_id)
    if found is None:
        return None
    sending, pk = map(int, found.groups())
    return Notification.objects.select_related("user").filter(pk=pk, sending=sending).first()


def _address(event: Event, row: Notification | None) -> str:
    """Where we write to. One that is told and is nobody's here may be where somebody's mails are led on
    to: only the mail we know is marked then."""
    if not event.email:
        return "" if row is None else (row.user.email if row.user else row.email)
    try:
        validate_email(event.email)
    except ValidationError:
        return ""
    return event.email if len(event.email) <= LONGEST and _is_ours(event.email) else ""


def _is_ours(address: str) -> bool:
    return (
        at_address(User.objects.all(), address).exists()
        or at_address(Stakeholder.objects.all(), address).exists()
        or at_address(Notification.objects.filter(user=None, channel=None), address).exists()
    )


def one_line(text: str) -> str:
    """A server's answer, for people to read: no NUL, which no database takes, and no end of it."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[:1000]).split())[:200]
