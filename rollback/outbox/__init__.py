"""What people are told: rows first, written with the step that makes it true; mails from the rows, later."""

from rollback.outbox.going import pause, release, resume, stop
from rollback.outbox.holding import hold
from rollback.outbox.preparing import Recipient, one_by_one, prepare, tell
from rollback.outbox.resending import Resent, resend
from rollback.outbox.sending import NOTHING_GOES_OUT, goes_out, is_due, send_due

__all__ = [
    "NOTHING_GOES_OUT",
    "Recipient",
    "Resent",
    "goes_out",
    "hold",
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
