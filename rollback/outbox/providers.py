"""What django-anymail tells of a mail, where a provider is configured: to the same function as the webhook.

Nothing here imports it: a school without a provider has no need of it.
"""

from typing import Any

import structlog

from rollback.models import DeafAddress
from rollback.outbox.bounces import Event, note, one_line

log = structlog.get_logger(__name__)

Why = DeafAddress.Why
# What the provider itself would not send, because of what it knows of the address.
REJECTED = {"invalid": Why.BOUNCED, "bounced": Why.BOUNCED, "spam": Why.COMPLAINED}
# What we send along with a mail, and it sends back with each event.
METADATA = "message_id"


class ProviderAway(OSError):
    """No answer, too many questions, or our key is not taken: no other mail would fare better."""


class ProviderRefused(ValueError):
    """It answered, and does not send this mail."""


def told(sender: Any, event: Any, **_rest: Any) -> None:
    """Receives anymail's signal `tracking`."""
    ours = event_of(event)
    if ours is not None:
        note(ours)


def event_of(event: Any) -> Event | None:
    """:returns: None for what is of no concern"""
    why = _why(event)
    metadata = event.metadata if isinstance(event.metadata, dict) else {}
    message_id = str(metadata.get(METADATA) or "")
    email = str(event.recipient or "")
    if why is None or not (message_id or email):
        return None
    said = event.mta_response or event.description or event.reject_reason or ""
    return Event(why=why, message_id=message_id, email=email, reason=one_line(str(said)))


def _why(event: Any) -> str | None:
    if event.event_type == "rejected":
        return REJECTED.get(event.reject_reason)
    # A provider's “blocked”: the mail's contents, or its own name; the address is as it was.
    if event.event_type == "bounced" and event.reject_reason != "blocked":
        return Why.BOUNCED
    return Why.COMPLAINED if event.event_type == "complained" else None


def in_our_words(error: Exception) -> OSError | ValueError:
    """Of what anymail raises: whether it is about this mail."""
    status: int | None = getattr(error, "status_code", None)
    is_away = isinstance(error, OSError) if status is None else status in (401, 403, 429)
    if is_away or (status is not None and status >= 500):
        return ProviderAway(str(error))
    return ProviderRefused(str(error))
