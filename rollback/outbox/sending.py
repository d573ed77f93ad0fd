"""The outbox's rows become mails: claimed with a lease by the database's clock, sent without a lock.

SMTP can only promise that a mail goes out at least once: a worker that dies between the server's “250” and
its own COMMIT leaves a mail that goes out again, with the same Message-ID. So a worker has one row in its
hands, never several.
"""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now
from django.template import TemplateSyntaxError

from enrollment.operations.mailing import MAX_TRIES, WAITS, in_short, in_words
from rollback.audit import Actor
from rollback.models import Notification
from rollback.outbox import going
from rollback.outbox.ahead import Ahead
from rollback.outbox.line import Line, TooLate, nobody_there
from rollback.outbox.message import NotNeeded, build, check_call
from rollback.outbox.programs import ProgramRefused, post
from rollback.outbox.remembering import remembering

log = structlog.get_logger(__name__)

# Longer than any server is waited for: after it whoever claimed a row is taken for dead.
LEASE = timedelta(minutes=2)
# Who has slept for so long with a row in the hands lets it be: somebody else may have it by now.
LATE = LEASE / 2
# The server is away: not the row's fault, so no try is counted.
AWAY = timedelta(seconds=30)
# So many refusals one after the other are about the server, or about us, and not about so many mails.
REFUSALS = 10
# Seconds between the tries to write down that a mail has gone out: a minute in all, in which a database
# starts again. But for a mail that took long it is within the lease, so that nobody else sends it meanwhile.
INSIST = (0.2, 1.0, 3.0, *(5.0,) * 11)
STOPPED = "The worker stopped each time it tried."
NOTHING_GOES_OUT = "Nothing goes out from here: OUTWARD_REQUESTS is false."
OUTBOX = Actor(name="outbox", automatic=True)
State = Notification.State
# What has been written about a row by then stays.
OVER = (State.SENT, State.STOPPED)

CLAIM = """
    UPDATE rollback_notification SET tries = tries + 1,
           next_at = clock_timestamp() + make_interval(secs => %(lease)s)
     WHERE id = (SELECT n.id FROM rollback_notification n
                  WHERE state = 'waiting' AND next_at <= clock_timestamp() AND urgency <= %(urgency)s
                    AND (SELECT s.state FROM rollback_sending s WHERE s.id = n.sending_id)
                        IN ('going', 'done')
                  ORDER BY urgency, tries, next_at LIMIT 1 FOR UPDATE OF n SKIP LOCKED)
    RETURNING id, tries
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
    if not goes_out():
        if is_due(urgency=urgency):
            log.warning("outbox.nothing_goes_out", reason=NOTHING_GOES_OUT)
        return Counter()
    # Inside somebody's transaction a row would stay locked while its mail is on the way.
    with transaction.atomic(durable=True):
        pass
    done: Counter[str] = Counter()
    until = None if seconds is None else time.monotonic() + seconds
    refused = 0
    with closing(Line()) as line, remembering():
        ahead = Ahead(urgency=urgency)
        while True:
            # Taken before the row is: a worker that stands still while it is looked up is late as well.
            since = time.monotonic()
            if (claimed := _claim(urgency)) is None:
                break
            became = _handle(ahead.row(*claimed), line, until=since + LATE.total_seconds())
            done[became] += 1
            refused = refused + 1 if became == "failed" else 0
            if say:
                say(done)
            is_over = until is not None and time.monotonic() > until
            if became == "away" or refused == REFUSALS or is_over:
                break
    going.finish(actor=OUTBOX)
    return done


def goes_out() -> bool:
    """A copy of the school, and a backup that is being restored, tell nobody anything."""
    return bool(settings.OUTWARD_REQUESTS)


def is_due(*, urgency: int) -> bool:
    """Whether anything so urgent waits, without taking it."""
    waiting = Notification.objects.filter(state=State.WAITING, urgency__lte=urgency)
    return waiting.filter(next_at__lte=Now()).exists()


def _claim(urgency: int) -> tuple[int, int] | None:
    """:returns: its number, and the how manieth try this is"""
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, {"lease": LEASE.total_seconds(), "urgency": urgency})
        found: tuple[int, int] | None = cursor.fetchone()
    return found


def _handle(row: Notification | None, line: Line, *, until: float) -> str:
    if row is None:  # a person was deleted, and with them what was to be said to them
        return "not needed"
    if row.tries > MAX_TRIES:
        return _give_up(row, STOPPED, reason=STOPPED)
    try:
        return _sent(row, line, until=until)
    except TooLate:
        log.warning("outbox.too_late", notification=row.pk)
        return "late"
    except NotNeeded as why:
        _rest(row, State.NOT_NEEDED, str(why))
        return "not needed"
    # A header, an address, a gap or a program's refusal is a ValueError; servers' errors are OSErrors.
    except (OSError, ValueError) as error:
        line.close()  # it may be what is broken; the next mail gets a new one
        return _failed(row, error)
    # A letter of another release, unknown or unreadable here.
    except (LookupError, TemplateSyntaxError) as error:
        return _failed(row, ValueError(f"{type(error).__name__}: {error}"))


def _sent(row: Notification, line: Line, *, until: float) -> str:
    """:raises NotNeeded: :raises TooLate: :raises OSError: :raises ValueError: :raises LookupError:"""
    check_call(row)
    built = None if row.channel else build(row)
    if time.monotonic() > until:
        raise TooLate
    if built is None:
        post(row)
        _note_sent(row)
    else:
        line.send(built.mail, until=until)
        _note_sent(row, message_id=built.message_id, version=built.version)
    return "sent"


def _note_sent(row: Notification, *, message_id: str = "", version: int = 0) -> None:
    """Whatever became of the sending meanwhile: it has gone out. A connection that is lost just now would
    else make it go out once more."""
    rows = Notification.objects.filter(pk=row.pk)
    for pause in (*INSIST, None):
        try:
            rows.update(
                state=State.SENT, sent_at=Now(), message_id=message_id, version=version, error=""
            )
            return
        except (OperationalError, InterfaceError):
            if pause is None:
                raise
            connection.close()
            time.sleep(pause)


def _failed(row: Notification, error: OSError | ValueError) -> str:
    words = in_words(error)[:2000]
    # What the server says repeats the recipient's address: it stands in the row, and in no log.
    log.warning("outbox.failed", notification=row.pk, tries=row.tries, error=in_short(error))
    if row.channel is None and nobody_there(error):
        _again(row, words, after=AWAY, tries=Greatest(F("tries") - 1, 0))
        return "away"
    # A program that refuses would do so the next time as well.
    if row.tries >= MAX_TRIES or isinstance(error, ProgramRefused):
        return _give_up(row, words, reason=in_short(error))
    _again(row, words, after=timedelta(minutes=WAITS[row.tries - 1]), tries=F("tries"))
    return "failed"


def _again(row: Notification, words: str, *, after: timedelta, tries: object) -> None:
    Notification.objects.filter(pk=row.pk).exclude(state__in=OVER).update(
        next_at=Now() + after, error=words, tries=tries
    )


def _give_up(row: Notification, words: str, *, reason: str) -> str:
    """reason: for the log."""
    log.error("outbox.given_up", notification=row.pk, reason=reason)
    _rest(row, State.DEAD, words)
    return "failed"


def _rest(row: Notification, state: str, words: str) -> None:
    Notification.objects.filter(pk=row.pk).exclude(state__in=OVER).update(state=state, error=words)
