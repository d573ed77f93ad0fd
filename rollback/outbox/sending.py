"""The outbox's rows become mails: claimed with a lease by the database's clock, sent without a lock.

SMTP can only promise that a mail goes out at least once: a worker that dies between the server's “250” and
its own COMMIT leaves a mail that goes out again, with the same Message-ID.
"""

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import structlog
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now

from enrollment.operations.mailing import MAX_TRIES, WAITS, in_words, is_away
from rollback.audit import Actor
from rollback.models import Notification
from rollback.outbox import going
from rollback.outbox.message import NotNeeded, build
from rollback.outbox.programs import ProgramRefused, post

log = structlog.get_logger(__name__)

# Longer than any server is waited for: after it whoever claimed a row is taken for dead.
LEASE = timedelta(minutes=2)
# The server is away: not the row's fault, so no try is counted.
AWAY = timedelta(seconds=30)
OUTBOX = Actor(name="outbox", automatic=True)
State = Notification.State

CLAIM = """
    UPDATE rollback_notification SET tries = tries + 1,
           next_at = clock_timestamp() + make_interval(secs => %(lease)s)
     WHERE id = (SELECT id FROM rollback_notification
                  WHERE state = 'waiting' AND next_at <= clock_timestamp() AND urgency <= %(urgency)s
                  ORDER BY urgency, tries, next_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id
"""


def send_due(
    *,
    seconds: float | None = None,
    urgency: int = Notification.Urgency.PEOPLE,
    say: Callable[[Counter[str]], object] | None = None,
) -> Counter[str]:
    """All that is due, or as much as fits into so many seconds. urgency: of these and more urgent ones.

    say: told after each. :returns: what became of how many: "sent", "not needed", "failed", "away"
    """
    done: Counter[str] = Counter()
    began = time.monotonic()
    server = get_connection()
    try:
        while (row := _claimed(urgency)) is not None:
            done[_sent(row, server)] += 1
            if say:
                say(done)
            if done["away"] or (seconds is not None and time.monotonic() - began > seconds):
                break
    finally:
        _close(server)
    going.finish(actor=OUTBOX)
    return done


def _claimed(urgency: int) -> Notification | None:
    # Durable: inside somebody's transaction the row would stay locked while its mail is on the way.
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(CLAIM, {"lease": LEASE.total_seconds(), "urgency": urgency})
        found = cursor.fetchone()
    if found is None:
        return None
    together = ("sending__incident", "user__student", "user__teacher", "channel")
    return Notification.objects.select_related(*together).filter(pk=found[0]).first()


def _sent(row: Notification, server: BaseEmailBackend) -> str:
    if row.tries > MAX_TRIES:
        return _give_up(row, "The worker stopped each time it tried.")
    try:
        if row.channel:
            post(row)
            _note_sent(row)
        else:
            built = build(row)
            _send(built.mail, server)
            _note_sent(row, message_id=built.message_id, version=built.version)
    except NotNeeded as why:
        _rest(row, State.NOT_NEEDED, str(why))
        return "not needed"
    # A header, an address, a gap or a program's refusal is a ValueError; servers' errors are OSErrors.
    except (OSError, ValueError) as error:
        _close(server)  # it may be what is broken; the next mail gets a new one
        return _failed(row, error)
    return "sent"


def _send(mail: EmailMultiAlternatives, server: BaseEmailBackend) -> None:
    server.open()
    mail.connection = server
    mail.send()


def _note_sent(row: Notification, *, message_id: str = "", version: int = 0) -> None:
    """Whatever became of the sending meanwhile: it has gone out."""
    Notification.objects.filter(pk=row.pk).update(
        state=State.SENT, sent_at=Now(), message_id=message_id, version=version, error=""
    )


def _failed(row: Notification, error: OSError | ValueError) -> str:
    words = in_words(error)[:2000]
    log.warning("outbox.failed", notification=row.pk, tries=row.tries, error=words)
    if row.channel is None and is_away(error):
        _again(row, words, after=AWAY, tries=Greatest(F("tries") - 1, 0))
        return "away"
    # A program that refuses would do so the next time as well.
    if row.tries >= MAX_TRIES or isinstance(error, ProgramRefused):
        return _give_up(row, words)
    _again(row, words, after=timedelta(minutes=WAITS[row.tries - 1]), tries=F("tries"))
    return "failed"


def _again(row: Notification, words: str, *, after: timedelta, tries: object) -> None:
    Notification.objects.filter(pk=row.pk).update(next_at=Now() + after, error=words, tries=tries)


def _give_up(row: Notification, words: str) -> str:
    log.error("outbox.given_up", notification=row.pk, reason=words)
    _rest(row, State.DEAD, words)
    return "failed"


def _rest(row: Notification, state: str, words: str) -> None:
    Notification.objects.filter(pk=row.pk).exclude(state=State.STOPPED).update(
        state=state, error=words
    )


def _close(server: BaseEmailBackend) -> None:
    try:
        server.close()
    except OSError as error:  # it was lost before
        log.info("outbox.not_closed", error=str(error))


def resend(*, notifications: list[int]) -> int:
    """What was given up is tried again from the beginning. :returns: how many"""
    found = Notification.objects.filter(pk__in=notifications, state=State.DEAD)
    return found.update(state=State.WAITING, tries=0, next_at=Now(), error="")
