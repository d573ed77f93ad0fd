"""The way to the mail server, kept open from one mail to the next."""

import smtplib
import time

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from enrollment.operations.mailing import in_short, is_away
from rollback.outbox.providers import in_our_words

log = structlog.get_logger(__name__)

# “Service not available”: it hangs up, and this mail is not what is wrong.
HANGS_UP = 421


class TooLate(Exception):
    """Somebody else may have the row by now: nothing was sent."""


class Line:
    def __init__(self) -> None:
        self._server: BaseEmailBackend = get_connection()
        self._sent = 0

    def send(self, mail: EmailMessage, *, until: float) -> None:
        """A server that hangs up after so many mails, or so many minutes, is called once more.

        until: of the monotonic clock; later than that nothing is sent.

        :raises TooLate: :raises OSError: :raises ValueError:
        """
        try:
            self._send(mail, until)
        except OSError as error:
            if not (self._sent and hangs_up(error)):
                raise
            self.close()
            self._send(mail, until)

    def _send(self, mail: EmailMessage, until: float) -> None:
        self._server.open()
        # Looked at last: a name server or a greeting may have taken its time.
        if time.monotonic() > until:
            raise TooLate
        mail.connection = self._server
        try:
            mail.send()
        except _provider_errors() as error:
            raise in_our_words(error) from error
        self._sent += 1

    def close(self) -> None:
        self._sent = 0
        try:
            self._server.close()
        except OSError as error:  # it was lost before
            log.info("outbox.not_closed", error=in_short(error))


def _provider_errors() -> tuple[type[Exception], ...]:
    if not settings.EMAIL_PROVIDER:
        return ()
    from anymail.exceptions import AnymailError

    return (AnymailError,)


def hangs_up(error: OSError | ValueError) -> bool:
    """The connection is gone, by itself or with a word."""
    return isinstance(error, smtplib.SMTPServerDisconnected | ConnectionError) or (
        HANGS_UP in _codes(error)
    )


def nobody_there(error: OSError | ValueError) -> bool:
    """No other mail would fare better just now."""
    return is_away(error) or hangs_up(error)


def _codes(error: OSError | ValueError) -> set[int]:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return {code for code, _text in error.recipients.values()}
    return {error.smtp_code} if isinstance(error, smtplib.SMTPResponseException) else set()
