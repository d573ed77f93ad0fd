"""What people are told: rows first, written with the step that makes it true; mails from the rows, later."""

from rollback.outbox.going import pause, release, resume, stop
from rollback.outbox.preparing import Recipient, one_by_one, prepare, tell
from rollback.outbox.sending import is_due, resend, send_due

__all__ = [
    "Recipient",
    "is_due",
    "one_by_one",
    "pause",
    "prepare",
    "release",
    "resend",
    "resume",
    "send_due",
    "stop",
    "tell",
]
