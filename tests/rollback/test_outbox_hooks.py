"""What mail servers tell: signed or not heard, each thing once, and no more mails to those addresses."""

import json
import time
from math import inf
from types import SimpleNamespace
from typing import Any

import environ
import pytest
import time_machine
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone

from config import providers as configured
from enrollment.api import throttling
from rollback import hooks, outbox
from rollback.models import DeafAddress, Notification
from rollback.outbox import providers
from rollback.outbox.line import Line, nobody_there
from tests.rollback.outbox_rows import STATE, now_due, released, rows

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/hooks/mail/"
SECRET = "0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(autouse=True)
def counted_anew() -> None:
    throttling.counts.clear()


@pytest.fixture
def secret(settings: Any) -> None:
    settings.MAIL_WEBHOOK_SECRET = SECRET


def tell(
    told: Any, *, signature: str | None = None, body: bytes | None = None, at: str | None = None
) -> tuple[int, Any]:
    sent = json.dumps(told).encode() if body is None else body
    when = str(int(time.time())) if at is None else at
    signed = hooks.signature_of(when, sent) if signature is None else signature
    headers = {hooks.HEADER: signed, hooks.TIMESTAMP: when}
    answer = Client(enforce_csrf_checks=True).post(
        URL, sent, content_type="application/json", headers=headers
    )
    is_json = answer["Content-Type"] == "application/json"
    return answer.status_code, answer.json() if is_json else None


def told_about(row: Notification, **more: str) -> dict[str, str]:
    return {"event": "bounced", "message_id": row.message_id, **more}


@pytest.fixture
def sent() -> Notification:
    made = released()
    outbox.send_due()
    return rows(made)[0]


def address_of(row: Notification) -> str:
    assert row.user is not None
    return row.user.email


def test_without_a_secret_there_is_no_such_page() -> None:
    assert tell({}, signature="sha256=x")[0] == 404


@pytest.mark.usefixtures("secret")
def test_a_mail_that_came_back_is_marked_and_its_address_gets_no_more(sent: Notification) -> None:
    told = told_about(sent, reason="550 5.1.1\r\nno such\x00 mailbox")
    assert tell(told) == (200, {"noted": 1, "unknown": 0, "ignored": 0})
    sent.refresh_from_db()
    assert sent.bounced_at
    assert sent.bounce == "550 5.1.1 no such mailbox"
    deaf = DeafAddress.objects.get()
    assert (deaf.email, deaf.why) == (address_of(sent), "bounced")
    # Again, as servers do when they did not hear the answer: nothing changes.
    first = sent.bounced_at
    assert tell({**told, "reason": "later"})[0] == 200
    sent.refresh_from_db()
    assert (sent.bounced_at, sent.bounce) == (first, "550 5.1.1 no such mailbox")
    assert DeafAddress.objects.count() == 1
    Notification.objects.update(state=STATE.WAITING)
    now_due()
    assert outbox.send_due() == {"not needed": 1}
    DeafAddress.objects.all().delete()
    Notification.objects.update(state=STATE.WAITING)
    now_due()
    assert outbox.send_due() == {"sent": 1}


@pytest.mark.usefixtures("secret")
def test_whatever_brackets_and_domain_a_message_id_comes_back_with(sent: Notification) -> None:
    told = told_about(sent)
    told["message_id"] = sent.message_id.strip("<>").replace("school.example", "relay.example")
    assert tell(told)[1]["noted"] == 1


@pytest.mark.usefixtures("secret")
def test_a_server_that_is_quicker_than_our_commit_is_understood(sent: Notification) -> None:
    told = told_about(sent)
    Notification.objects.update(message_id="", state=STATE.WAITING)
    assert tell(told)[1]["noted"] == 1


@pytest.mark.usefixtures("secret")
def test_a_list_with_what_is_of_no_concern_and_what_nobody_knows(sent: Notification) -> None:
    told = [
        {"event": "complained", "email": address_of(sent).upper()},
        {"event": "delivered", "message_id": sent.message_id},
        {"event": "bounced", "message_id": "<of-another-program@school.example>"},
        {"event": "bounced", "email": "nobody@elsewhere.example"},
        {"event": "bounced", "email": "no address"},
    ]
    assert tell(told) == (200, {"noted": 1, "unknown": 3, "ignored": 1})
    assert [deaf.why for deaf in DeafAddress.objects.all()] == ["complained"]


@pytest.mark.usefixtures("secret")
def test_where_a_mail_was_led_on_to_only_the_mail_is_marked(sent: Notification) -> None:
    assert tell(told_about(sent, email="private@elsewhere.example"))[1]["noted"] == 1
    sent.refresh_from_db()
    assert sent.bounced_at
    assert not DeafAddress.objects.exists()


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("signature", ["", "sha256=", "sha256=" + "0" * 64, "ü"])
def test_what_is_not_signed_is_not_heard(sent: Notification, signature: str) -> None:
    body = json.dumps(told_about(sent)).encode()
    headers = {"HTTP_X_MAIL_SIGNATURE": signature.encode().decode("latin-1")}
    answer = Client().post(URL, body, content_type="application/json", **headers)  # type: ignore[arg-type]
    assert answer.status_code == 403
    other = json.dumps(told_about(sent, reason="x")).encode()
    now = str(int(time.time()))
    signed = hooks.signature_of(now, body)
    assert tell(None, body=other, signature=signed, at=now)[0] == 403
    assert tell(None, body=body, signature=signed, at=str(int(now) + 1))[0] == 403
    assert not DeafAddress.objects.exists()


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("off", [-301, 302])
def test_what_somebody_overheard_is_not_heard_again_later(sent: Notification, off: int) -> None:
    status, answer = tell(told_about(sent), at=str(int(time.time()) + off))
    assert status == 403
    assert "X-Timestamp is more than 300 seconds off" in answer["error"]
    assert not DeafAddress.objects.exists()
    assert tell(told_about(sent), at=str(int(time.time()) + off // 2))[0] == 200


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("at", ["", "soon", "-1", "1" * 13, "12.5"])
def test_a_time_that_is_none_is_not_of_now(at: str) -> None:
    assert tell([], at=at)[0] == 403


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "no JSON"),
        (b"\xff", 400, "no JSON"),
        (b"[" * 100_000, 400, "no JSON"),
        (b"3", 400, "Event 1: An event is an object"),
        (b'[{"event": "bounced", "email": "a@b.example"}, {}]', 400, "Event 2: “event” is missing"),
        (b'{"event": "bounced"}', 400, "Neither"),
        (b'{"event": "bounced", "email": ["a@b.example"]}', 400, "“email” is a text"),
        (b"[" + b"{}," * 1000 + b"{}]", 413, "More than 1000"),
        (b" " * (hooks.MOST_BYTES + 1), 413, "bytes"),
    ],
)
def test_what_cannot_be_read_says_where_and_nothing_of_it_is_taken(
    body: bytes, status: int, words: str
) -> None:
    found, answer = tell(None, body=body)
    assert found == status
    assert words in answer["error"]
    assert not DeafAddress.objects.exists()


@pytest.mark.usefixtures("secret")
def test_who_guesses_is_not_even_looked_at() -> None:
    with time_machine.travel(timezone.now(), tick=False):  # all in the same minute
        seen = {tell({}, signature="sha256=x")[0] for _ in range(hooks.MOST_UNSIGNED + 1)}
        assert seen == {403, 429}
        assert tell([])[0] == 200  # who signs is still heard


# ---------------------------------------------------------------- providers


def event(event_type: str, **facts: Any) -> SimpleNamespace:
    """As anymail's AnymailTrackingEvent."""
    names = ("recipient", "reject_reason", "mta_response", "description", "message_id")
    return SimpleNamespace(
        event_type=event_type, **{**dict.fromkeys(names), "metadata": {}, **facts}
    )


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (event("bounced", recipient="a@b.example", reject_reason="bounced"), "bounced"),
        (event("bounced", recipient="a@b.example", reject_reason="blocked"), None),
        (event("rejected", recipient="a@b.example", reject_reason="invalid"), "bounced"),
        (event("rejected", recipient="a@b.example", reject_reason="spam"), "complained"),
        (event("rejected", recipient="a@b.example", reject_reason="other"), None),
        (event("complained", recipient="a@b.example"), "complained"),
        (event("delivered", recipient="a@b.example"), None),
        (event("deferred", recipient="a@b.example"), None),
        (event("bounced"), None),
    ],
)
def test_what_a_provider_tells(told: Any, why: str | None) -> None:
    found = providers.event_of(told)
    assert (found and found.why) == why


def test_a_provider_gives_back_which_mail_it_was(sent: Notification) -> None:
    providers.told(
        None,
        event=event(
            "bounced", metadata={"message_id": sent.message_id}, mta_response="550 unknown"
        ),
        esp_name="Postmark",
    )
    sent.refresh_from_db()
    assert (bool(sent.bounced_at), sent.bounce) == (True, "550 unknown")


class Said(Exception):
    def __init__(self, status_code: int | None) -> None:
        super().__init__("said")
        self.status_code = status_code


class Unreachable(Said, OSError):
    pass


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (Unreachable(None), True),
        (Said(None), False),  # all recipients were refused
        (Said(400), False),
        (Said(401), True),
        (Said(429), True),
        (Said(503), True),
    ],
)
def test_a_providers_error_is_about_the_mail_or_about_all(error: Exception, away: bool) -> None:
    assert nobody_there(providers.in_our_words(error)) is away


def test_a_mail_tells_a_provider_which_it_is(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EMAIL_PROVIDER = "postmark"
    monkeypatch.setattr("rollback.outbox.line._provider_errors", lambda: (Said,))
    [row] = rows(released())
    assert outbox.send_due() == {"sent": 1}
    row.refresh_from_db()
    assert vars(mail.outbox[0])["metadata"] == {"message_id": row.message_id}

    def away(self: Any) -> None:
        raise Said(503)

    monkeypatch.setattr("django.core.mail.EmailMultiAlternatives.send", away)
    with pytest.raises(providers.ProviderAway):
        Line().send(mail.outbox[0], until=inf)


def environment(monkeypatch: pytest.MonkeyPatch, **values: str) -> environ.Env:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return environ.Env()


def test_a_provider_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    env = environment(monkeypatch, EMAIL_PROVIDER="resend")
    assert configured.name(env) == "resend"
    with pytest.raises(ImproperlyConfigured, match="set EMAIL_PROVIDER_KEY"):
        configured.settings_of("resend", env, timeout=10)
    env = environment(monkeypatch, EMAIL_PROVIDER_KEY="re_x", EMAIL_PROVIDER_LOGIN="us:" + "p" * 24)
    assert configured.settings_of("resend", env, timeout=10) == {
        "EMAIL_BACKEND": "anymail.backends.resend.EmailBackend",
        "ANYMAIL": {
            "RESEND_API_KEY": "re_x",
            "REQUESTS_TIMEOUT": 10,
            "WEBHOOK_SECRET": "us:" + "p" * 24,
        },
    }


def test_a_provider_that_we_do_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    env = environment(monkeypatch, EMAIL_PROVIDER="pigeon")
    with pytest.raises(ImproperlyConfigured, match="set it to one of"):
        configured.name(env)


@pytest.mark.parametrize("value", ["secret", ":" + "p" * 24, "us:short", "us:" + "p " * 12])
def test_a_login_that_can_be_guessed(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    env = environment(monkeypatch, EMAIL_PROVIDER_LOGIN=value)
    with pytest.raises(ImproperlyConfigured, match="name:password"):
        configured.webhook_login(env)
