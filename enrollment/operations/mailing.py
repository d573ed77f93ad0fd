"""Mails derived from rows that wait for one: claimed with a lease, sent without a lock, tried again.

What a kind of mail says and when it is due stands in its own module; see confirmations and notices.
"""

import smtplib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Generic, TypeVar

import psycopg
import structlog
from celery import current_app
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Case, Model, QuerySet, Value, When
from django.db.models.functions import Concat
from django.utils import timezone, translation
from kombu.exceptions import OperationalError
from psycopg_pool import PoolTimeout

from enrollment.models import Enrollment, User
from enrollment.queries.people import language_of, zone_of

log = structlog.get_logger(__name__)


# Minutes to wait after each failed try; after the last one the office is told.
WAITS = (1, 5, 30, 60, 120, 240, 480, 720, 1440, 1440, 1440)
MAX_TRIES = len(WAITS) + 1
# Longer than any mail server is waited for: after it the worker is taken for dead.
LEASE = timedelta(minutes=10)
# The server is away or does not let us in: no other mail would fare better just now.
AWAY = (
    smtplib.SMTPServerDisconnected,
    smtplib.SMTPConnectError,
    smtplib.SMTPHeloError,
    smtplib.SMTPAuthenticationError,
)
# As many connections as the queue's pool may hold.
MOST_DEAD = 4

Row = TypeVar("Row", bound=Model)


class Outcome(Enum):
    NOTHING_DUE = auto()
    SENT = auto()
    NOT_NEEDED = auto()
    FAILED = auto()
    SERVER_AWAY = auto()


class Mailing(ABC, Generic[Row]):
    """One kind of mail.

    name: in the log. task: the Celery task that sends what is due. prefix: the row's columns
    `…_tries`, how often it was tried, and `…_next_at`, not before then.
    """

    name: str
    task: str
    prefix: str

    @abstractmethod
    def due(self, *, now: datetime) -> QuerySet[Row]:
        """The rows whose time has come, in the order they go out."""

    @abstractmethod
    def user(self, row: Row) -> User:
        """Whom it is to."""

    @abstractmethod
    def mail(self, row: Row) -> EmailMessage | None:
        """None: by now there is nothing to tell. Asked in the language and on the clock of its reader."""

    @abstractmethod
    def done(self, row: Row, *, now: datetime, sent: bool) -> None:
        """Write down that the row waits no more: its mail went out, or none was needed."""

    @abstractmethod
    def give_up(self, row: Row, *, reason: str) -> None:
        """Tell the office, and leave the row in peace."""

    def tries(self, row: Row) -> int:
        tries: int = getattr(row, f"{self.prefix}_tries")
        return tries

    def note(self, row: Row, *, tries: int, next_at: datetime) -> None:
        fields: dict[str, Any] = {f"{self.prefix}_tries": tries, f"{self.prefix}_next_at": next_at}
        for name, value in fields.items():
            setattr(row, name, value)
        type(row)._default_manager.filter(pk=row.pk).update(**fields)


@contextmanager
def for_reader(user: User) -> Iterator[None]:
    """What is written in here is in this person's language, and its times are on their clock."""
    with translation.override(language_of(user)), timezone.override(zone_of(user)):
        yield


def wake(mailing: Mailing[Any], *, after: timedelta = timedelta()) -> None:
    """Ask the worker to look now, or later. Without a queue beat finds the row by itself."""
    ask_worker(mailing.task, countdown=after.total_seconds() or None)


def ask_worker(task: str, **options: Any) -> None:
    """By name: tasks stand above operations.

    Caught is what a queue that is not in order says: away (kombu, OSError), its schema missing or
    its database unwell (psycopg), its transport's library not installed or unknown (ImportError,
    LookupError). The row is committed; nothing of this may reach the person.
    """
    try:
        _enqueue(task, options)
    except (OperationalError, OSError, psycopg.Error, ImportError, LookupError) as error:
        log.warning("queue.unreachable", error=str(error))


def _enqueue(task: str, options: dict[str, Any]) -> None:
    """What lay in the queue's pool while the database was away is found dead one by one, by use."""
    for left in reversed(range(MOST_DEAD + 1)):
        try:
            current_app.send_task(task, **options)
        except (psycopg.OperationalError, OperationalError) as error:
            if not (left and _was_dead(error)):
                raise
        else:
            return


def _was_dead(error: Exception) -> bool:
    """The pool's time-out says that there is no other connection to be had: waited for once is enough."""
    found = error if isinstance(error, psycopg.Error) else error.__cause__
    return isinstance(found, psycopg.OperationalError) and not isinstance(found, PoolTimeout)


def send_next(mailing: Mailing[Row], *, now: datetime) -> Outcome:
    """Mail one row that is due.

    The row is claimed first and sent without any lock, so nobody waits for the mail server. A
    worker that dies in between leaves it untold, and the mail is sent again after the lease.
    """
    row = claim(mailing, now=now)
    if row is None:
        return Outcome.NOTHING_DUE
    if mailing.tries(row) > MAX_TRIES:
        _give_up(mailing, row, reason="the worker stopped each time it tried")
        return Outcome.FAILED
    try:
        with for_reader(mailing.user(row)):
            mail = mailing.mail(row)
        if mail is not None:
            mail.send()
    # A header or an address that cannot be written is a ValueError; SMTP's errors are OSErrors.
    except (OSError, ValueError) as error:
        _failed(mailing, row, error, now=now)
        return Outcome.SERVER_AWAY if is_away(error) else Outcome.FAILED
    mailing.done(row, now=now, sent=mail is not None)
    return Outcome.NOT_NEEDED if mail is None else Outcome.SENT


# Durable: inside somebody's transaction the row would stay locked while its mail is on the way.
@transaction.atomic(durable=True)
def claim(mailing: Mailing[Row], *, now: datetime) -> Row | None:
    """The next one that is due, leased to this worker; two workers never get the same."""
    if not settings.OUTWARD_REQUESTS:  # a copy of the school
        return None
    due = mailing.due(now=now)
    row = due.select_for_update(skip_locked=True, of=("self",), no_key=True).first()
    if row is not None:
        mailing.note(row, tries=mailing.tries(row) + 1, next_at=now + LEASE)
    return row


def tell_office(enrollment_id: int, note: str) -> None:
    """The office reads it at the enrollment; what it wrote there meanwhile stays. Nothing is noted
    about a student who is deleted: the note holds an address."""
    separator = Case(When(office_note="", then=Value("")), default=Value("\n"))
    here = Enrollment.objects.filter(student__user__deleted_at__isnull=True)
    here.filter(pk=enrollment_id).update(office_note=Concat("office_note", separator, Value(note)))


def _failed(mailing: Mailing[Row], row: Row, error: OSError | ValueError, *, now: datetime) -> None:
    tries, words = mailing.tries(row), in_words(error)
    # What the server says repeats the recipient's address: it stands in no log.
    log.warning(f"{mailing.name}.failed", row=row.pk, tries=tries, error=in_short(error))
    if tries >= MAX_TRIES:
        _give_up(mailing, row, reason=words)
        return
    mailing.note(row, tries=tries, next_at=now + timedelta(minutes=WAITS[tries - 1]))


def _give_up(mailing: Mailing[Row], row: Row, *, reason: str) -> None:
    mailing.give_up(row, reason=reason)
    log.error(f"{mailing.name}.given_up", row=row.pk)


def is_away(error: OSError | ValueError) -> bool:
    if isinstance(error, smtplib.SMTPException):
        return isinstance(error, AWAY)
    return isinstance(error, OSError)


def in_words(error: OSError | ValueError) -> str:
    """What the server answered, without Python's brackets around it."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answers = error.recipients.values()
        return "; ".join(f"{code} {text.decode(errors='replace')}" for code, text in answers)
    return str(error) or type(error).__name__


def in_short(error: OSError | ValueError) -> str:
    """For logs: which error, and the server's codes; not its words."""
    codes: set[int] = set()
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = {code for code, _text in error.recipients.values()}
    elif isinstance(error, smtplib.SMTPResponseException):
        codes = {error.smtp_code}
    return " ".join([type(error).__name__, *map(str, sorted(codes))])
