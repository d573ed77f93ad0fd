"""What people are told: rows first, written with the step that makes it true; mails from the rows, later."""

from rollback.outbox.going import pause, release, resume, stop
from rollback.outbox.preparing import Recipient, prepare, tell
from rollback.outbox.sending import is_due, resend, send_due

__all__ = [
    "Recipient",
    "is_due",
    "pause",
    "prepare",
    "release",
    "resend",
    "resume",
    "send_due",
    "stop",
    "tell",
]
