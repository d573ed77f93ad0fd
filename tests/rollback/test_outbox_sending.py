"""Rows become mails: counted work, servers that hang up, refuse or lie, workers that come too late."""

import smtplib
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from kombu.exceptions import OperationalError
from structlog.testing import capture_logs

from config.celery import app
from enrollment.operations.mailing import MAX_TRIES
from rollback import evaluate, outbox
from rollback.management import outbox_words
from rollback.models import DeafAddress, NoNews, Notification, Sending
from rollback.oncall import delivering
from rollback.outbox import ahead, message, remembering, sending, waking
from rollback.outbox.line import Line, TooLate, hangs_up
from rollback.tasks import send_notifications
from tests import ports
from tests.bench.figures import TRANSACTION
from tests.conftest import send_pages_soon
from tests.rollback.others import eventually, other_session
from tests.rollback.outbox_rows import OFFICE, STATE, now_due, page, people_of, released, rows

pytestmark = pytest.mark.django_db(transaction=True)


# ---------------------------------------------------------------- counted work


def test_a_mail_costs_two_questions_and_the_rest_is_asked_for_many_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Claimed and noted. The facts and drafts of fifty, the letter and the incident: once."""
    monkeypatch.setattr(ahead, "FRESH", 600.0)  # on a machine that is busy as well
    monkeypatch.setattr(remembering, "FOR", 600.0)

    def asked(people: int) -> int:
        released(people)
        with CaptureQueriesContext(connection) as found:
            assert outbox.send_due()["sent"] == people
        _forget_people()
        return len([one for one in found if not one["sql"].startswith(TRANSACTION)])

    assert asked(7) - asked(2) == 5 * 2


def _forget_people() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE enrollment_user SET email = 'was-' || id || '@school.example'")


def test_one_connection_carries_all_mails(hangs_up_after: Any) -> None:
    server = hangs_up_after(1000)
    released(5)
    assert outbox.send_due() == {"sent": 5}
    assert server.connections == 1


# ---------------------------------------------------------------- servers


class Moody(SMTP):
    """A server that hangs up after so many mails of one connection: a limit that many have."""

    def __init__(self, handler: Any, **options: Any) -> None:
        super().__init__(handler, **options)
        self.book = handler
        self.taken = 0

    def connection_made(self, transport: Any) -> None:
        self.book.connections += 1
        super().connection_made(transport)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        if self.taken == self.book.after:
            if self.book.word:
                await self.push(self.book.word)
            self.transport.close()  # type: ignore[union-attr]
            return
        self.taken += 1
        await super().smtp_MAIL(arg)


class Book:
    def __init__(self, after: int, word: str) -> None:
        self.after, self.word, self.connections = after, word, 0
        self.told: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.told += envelope.rcpt_tos
        return "250 OK"


@pytest.fixture
def hangs_up_after(settings: Any) -> Iterator[Any]:
    port = ports.of_our_own(19_105)
    started: list[Controller] = []

    class Ours(Controller):
        def factory(self) -> SMTP:
            return Moody(self.handler)

    def start(mails: int, word: str = "") -> Book:
        book = Book(mails, word)
        started.append(Ours(book, hostname="127.0.0.1", port=port))
        started[-1].start()
        book.connections = 0  # it looks by itself whether it has started
        return book

    _use(settings, port)
    yield start
    for one in started:
        one.stop()


def _use(settings: Any, port: int) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""


@pytest.mark.parametrize("word", ["", "421 too many mails on one connection"])
def test_a_server_that_hangs_up_after_two_mails_gets_all(hangs_up_after: Any, word: str) -> None:
    server = hangs_up_after(2, word)
    made = released(5)
    assert outbox.send_due() == {"sent": 5}
    assert sorted(server.told) == [f"affected-{n}@school.example" for n in range(5)]
    assert server.connections == 3
    assert {row.tries for row in rows(made)} == {1}


def test_a_server_that_takes_nothing_is_away_and_no_try_is_counted(hangs_up_after: Any) -> None:
    hangs_up_after(0, "421 not now")
    made = released(3)
    assert outbox.send_due() == {"away": 1}
    assert [row.tries for row in rows(made)] == [0, 0, 0]
    [told] = [row for row in rows(made) if row.error]
    assert "not now" in told.error
    assert told.next_at > timezone.now() + timedelta(seconds=20)


def test_what_counts_as_hanging_up() -> None:
    assert hangs_up(smtplib.SMTPRecipientsRefused({"a@b": (421, b"later")}))
    assert not hangs_up(smtplib.SMTPRecipientsRefused({"a@b": (550, b"no such mailbox")}))
    assert not hangs_up(smtplib.SMTPSenderRefused(550, b"no", "a@b"))
    assert hangs_up(ConnectionResetError())


def refuse(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[int]:
    asked: list[int] = []

    def send(self: Line, mail: Any, *, until: float) -> None:
        asked.append(1)
        raise error

    monkeypatch.setattr(Line, "send", send)
    return asked


def test_ten_refusals_one_after_the_other_are_about_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = refuse(monkeypatch, smtplib.SMTPDataError(452, b"disk full"))
    made = released(12)
    assert outbox.send_due() == {"failed": 10}
    assert len(asked) == 10
    assert sorted(row.tries for row in rows(made)) == [0, 0] + [1] * 10


def test_after_twelve_tries_it_is_given_up_and_can_be_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        refuse(patch, smtplib.SMTPDataError(550, b"spam"))
        [row] = rows(released())
        for _ in range(MAX_TRIES):
            now_due()
            assert outbox.send_due() == {"failed": 1}
    row.refresh_from_db()
    assert (row.state, row.tries) == (STATE.DEAD, MAX_TRIES)
    assert "spam" in row.error
    assert outbox.send_due() == {}
    assert outbox.resend(notifications=[row.pk], to_people=True, actor=OFFICE) == outbox.Resent(
        waiting=1
    )
    assert outbox.send_due() == {"sent": 1}
    assert outbox.resend(notifications=[row.pk], to_people=True, actor=OFFICE) == outbox.Resent()


# ---------------------------------------------------------------- rows


def test_who_cannot_be_told_costs_nobody_elses_mail() -> None:
    made = released(4)
    deaf, gone, _left, fine = people_of(made)
    DeafAddress.objects.create(email=deaf.email.upper(), why="bounced")
    gone.is_active = False
    gone.save()
    first = rows(made)[2]
    Notification.objects.filter(pk=first.pk).update(tries=MAX_TRIES)  # it killed each worker
    assert outbox.send_due() == {"sent": 1, "not needed": 2, "failed": 1}
    assert [one.to for one in mail.outbox] == [[fine.email]]


def test_news_go_to_nobody_who_wants_none() -> None:
    made = released(2)
    Sending.objects.filter(pk=made.pk).update(letter="restored")
    NoNews.objects.create(user=people_of(made)[0])
    assert outbox.send_due() == {"sent": 1, "not needed": 1}


def test_a_letter_that_cannot_be_made_keeps_nobody_from_theirs() -> None:
    made = released()
    Sending.objects.filter(pk=made.pk).update(letter="of the next release")
    page("call@school.example")
    assert outbox.send_due() == {"sent": 1, "failed": 1}
    [row] = rows(made)
    assert row.state == STATE.WAITING
    assert "of the next release" in row.error


def test_a_row_that_is_gone_when_it_is_looked_up_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = released(2)
    claim = sending._claim

    def claim_and_delete(urgency: int) -> tuple[int, int] | None:
        claimed = claim(urgency)
        if claimed and claimed[0] == rows(made)[0].pk and len(rows(made)) == 2:
            Notification.objects.filter(pk=claimed[0]).delete()
        return claimed

    monkeypatch.setattr(sending, "_claim", claim_and_delete)
    assert outbox.send_due() == {"not needed": 1, "sent": 1}


def test_who_has_slept_with_a_row_in_the_hands_lets_it_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was frozen for longer than its lease: by then another one has sent the mail."""
    released()
    monkeypatch.setattr(sending, "LATE", timedelta(microseconds=1))
    assert outbox.send_due() == {"late": 1}
    assert not mail.outbox


def test_a_worker_that_stands_still_while_it_takes_a_row_is_late_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The lease runs from the claim on, by the database's clock, and not from when the row was looked up."""
    released()
    claim = sending._claim

    def claim_slowly(urgency: int) -> tuple[int, int] | None:
        claimed = claim(urgency)
        time.sleep(0.3)
        return claimed

    monkeypatch.setattr(sending, "_claim", claim_slowly)
    monkeypatch.setattr(sending, "LATE", timedelta(seconds=0.2))
    assert outbox.send_due() == {"late": 1}
    assert not mail.outbox


def test_a_second_call_of_a_server_that_hung_up_comes_too_late(hangs_up_after: Any) -> None:
    """It hangs up after the first mail; by the second call for the second one the lease may be over."""
    server = hangs_up_after(1)
    first, second = (message.build(row).mail for row in rows(released(2)))
    with closing(Line()) as line:
        line.send(first, until=time.monotonic() + 60)
        open_again = line._server.open

        def slowly() -> Any:
            if server.connections and line._server.connection is None:  # type: ignore[attr-defined]
                time.sleep(0.3)
            return open_again()

        line._server.open = slowly  # type: ignore[method-assign]
        with pytest.raises(TooLate):
            line.send(second, until=time.monotonic() + 0.2)
    assert server.told == ["affected-0@school.example"]
    assert server.connections == 2


def test_a_database_that_starts_again_doubles_no_mail(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """Away from the mail on, for ten tries to write down that it has gone out."""
    settings.DATABASE_FAILURES = 1_000_000
    released()
    send, right, slept = Line.send, connection.settings_dict["PORT"], []

    def send_and_lose(self: Line, mail: Any, *, until: float) -> None:
        send(self, mail, until=until)
        connection.close()
        connection.settings_dict["PORT"] = str(ports.of_our_own(19_185))

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 10:
            connection.settings_dict["PORT"] = right

    monkeypatch.setattr(Line, "send", send_and_lose)
    monkeypatch.setattr(sending, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    try:
        assert outbox.send_due() == {"sent": 1}
    finally:
        connection.settings_dict["PORT"] = right
    assert 30 < sum(slept) < 60
    assert outbox.send_due() == {}
    assert len(mail.outbox) == 1


def test_the_note_insists_for_a_minute_and_within_the_lease() -> None:
    assert 55 <= sum(sending.INSIST) < (sending.LEASE - sending.LATE).total_seconds()


def test_a_log_has_the_code_and_not_the_servers_words(monkeypatch: pytest.MonkeyPatch) -> None:
    words = b"5.1.1 <affected-0@school.example>: no such mailbox"
    refuse(monkeypatch, smtplib.SMTPRecipientsRefused({"affected-0@school.example": (550, words)}))
    [row] = rows(released())
    Notification.objects.filter(pk=row.pk).update(tries=MAX_TRIES - 1)
    with capture_logs() as lines:
        assert outbox.send_due() == {"failed": 1}
    assert [one["event"] for one in lines] == ["outbox.failed", "outbox.given_up"]
    assert lines[0]["error"] == lines[1]["reason"] == "SMTPRecipientsRefused 550"
    assert "@" not in str(lines)
    row.refresh_from_db()
    assert "affected-0@school.example" in row.error


def test_what_has_gone_out_is_not_given_up_by_a_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    [row] = rows(released())

    def told_meanwhile(self: Line, mail: Any, **options: Any) -> None:
        Notification.objects.filter(pk=row.pk).update(state=STATE.SENT, tries=MAX_TRIES)
        raise smtplib.SMTPDataError(550, b"spam")

    Notification.objects.filter(pk=row.pk).update(tries=MAX_TRIES - 1)
    monkeypatch.setattr(Line, "send", told_meanwhile)
    outbox.send_due()
    row.refresh_from_db()
    assert row.state == STATE.SENT


def test_a_connection_that_is_lost_after_the_mail_makes_no_second_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sending, "INSIST", (0.01, 0.1))
    released()
    send = Line.send

    def send_and_lose(self: Line, mail: Any, *, until: float) -> None:
        send(self, mail, until=until)
        connection.ensure_connection()
        pid = connection.connection.info.backend_pid
        with other_session(autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
        time.sleep(0.05)

    monkeypatch.setattr(Line, "send", send_and_lose)
    assert outbox.send_due() == {"sent": 1}
    assert outbox.send_due() == {}
    assert len(mail.outbox) == 1


def test_it_is_never_sent_inside_of_a_transaction() -> None:
    released()
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        outbox.send_due()


def test_the_message_id_is_the_same_for_each_try() -> None:
    [row] = rows(released())
    first = message.build(row)
    assert message.build(message.with_facts().get(pk=row.pk)).message_id == first.message_id
    assert first.mail.extra_headers["Message-ID"] == first.message_id


# ---------------------------------------------------------------- who asks for it


def test_a_worker_is_asked_after_commit_and_a_dead_queue_reaches_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []

    def send_task(task: str, **options: Any) -> None:
        asked.append((task, options))
        raise OperationalError("no broker")

    monkeypatch.setattr(app, "send_task", send_task)
    with transaction.atomic():
        made = released()
        assert not asked
    assert asked == [(waking.TASK, {"expires": waking.WORTH})]
    outbox.pause(sending=made.pk, actor=OFFICE)
    assert len(asked) == 1
    outbox.resume(sending=made.pk, actor=OFFICE)
    page("call@school.example")
    assert len(asked) == 3


def test_nothing_of_a_queue_that_breaks_in_a_new_way_reaches_whoever_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def send_task(task: str, **options: Any) -> None:
        raise RuntimeError("never seen before")

    monkeypatch.setattr(app, "send_task", send_task)
    assert released().state == Sending.State.GOING


def test_the_task_is_there_and_beat_asks_for_it(settings: Any) -> None:
    released(2)
    assert app.tasks[waking.TASK].name == waking.TASK
    assert send_notifications() == {"sent": 2}
    asked = settings.CELERY_BEAT_SCHEDULE["send-notifications"]
    assert asked["task"] == waking.TASK
    assert asked["options"]["expires"] < asked["schedule"]


def test_whoever_evaluates_sends_the_pages_and_only_them(
    real_switchboard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "soon", send_pages_soon)
    released()
    made = page("call@school.example")
    assert evaluate.tick(by="a test")
    assert eventually(lambda: rows(made)[0].state == STATE.SENT, within=20)
    assert eventually(lambda: not delivering._sending.locked(), within=20)
    assert [one.to for one in mail.outbox] == [["call@school.example"]]


def test_a_mail_server_that_hangs_holds_up_nothing_that_follows(
    monkeypatch: pytest.MonkeyPatch, real_switchboard: Any
) -> None:
    page("call@school.example")
    asked: list[int] = []
    monkeypatch.setattr(delivering, "soon", send_pages_soon)
    with delivering._sending:  # somebody sends, and does not come back
        monkeypatch.setattr(outbox, "send_due", lambda **_options: asked.append(1))
        assert evaluate.tick(by="a test")
    assert not asked


# ---------------------------------------------------------------- from the terminal


def said(*words: str) -> str:
    out = StringIO()
    call_command("rollback", *words, stdout=out)
    return out.getvalue()


def test_send_says_what_became_of_it() -> None:
    assert said("send") == "Nothing is due.\n"
    released(2)
    page("call@school.example")
    assert said("send", "--pages") == "1 sent.\n"
    assert said("send") == "2 sent.\n"


def test_who_looks_sees_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    released(2)
    options = {"pages": False, "seconds": None}
    assert outbox_words.send(options, is_terminal=True) == ["2 sent."]
    assert "2/2" in capsys.readouterr().err


def test_send_says_that_the_server_is_away(settings: Any) -> None:
    _use(settings, ports.of_our_own(19_145))
    released(2)
    assert "does not answer" in said("send")


def test_outbox_shows_what_was_given_up_and_sends_it_again() -> None:
    made = released(2)
    dead, other = rows(made)
    Notification.objects.filter(pk=dead.pk).update(state=STATE.DEAD, tries=12, error="550 spam")
    shown = said("outbox")
    assert "given up" in shown
    assert "550 spam" in shown
    assert "@" not in shown
    with pytest.raises(CommandError, match=str(other.pk)):
        said("outbox", "resend", str(dead.pk), str(other.pk))
    with pytest.raises(CommandError, match="--all"):
        said("outbox", "resend")
    assert "1 will be tried again" in said("outbox", "resend", str(dead.pk))
    assert said("send") == "2 sent.\n"
    assert "Nothing was given up." in said("outbox")
