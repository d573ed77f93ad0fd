"""django-anymail itself, as config/providers.py sets it up: its backends, its webhook, its errors."""

import base64
import json
from collections.abc import Iterator
from math import inf
from typing import Any

import environ
import pytest
from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.signals import tracking
from django.core.mail import EmailMessage, get_connection
from django.test import RequestFactory

from config import providers as configured
from rollback import outbox
from rollback.models import DeafAddress
from rollback.outbox import providers
from rollback.outbox.line import Line
from tests.rollback.outbox_rows import released, rows

pytestmark = pytest.mark.django_db(transaction=True)
LOGIN = "us:" + "p" * 24


@pytest.fixture
def provider(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("EMAIL_PROVIDER_KEY", "a-key")
    monkeypatch.setenv("EMAIL_PROVIDER_LOGIN", LOGIN)

    def use(name: str) -> None:
        settings.EMAIL_PROVIDER = name
        for key, value in configured.settings_of(name, environ.Env(), timeout=1).items():
            setattr(settings, key, value)

    configured.listen()
    yield use
    tracking.disconnect(dispatch_uid="rollback.outbox")


@pytest.mark.parametrize("name", configured.KEYS)
def test_each_provider_is_there_takes_our_key_and_has_one_address(name: str, provider: Any) -> None:
    provider(name)
    assert type(get_connection()).__module__ == f"anymail.backends.{name}"
    [url] = configured.urls(name)
    assert str(url.pattern) == f"{name}/tracking/"


def test_what_a_provider_tells_reaches_the_row(provider: Any) -> None:
    [row] = rows(released())
    outbox.send_due()
    row.refresh_from_db()
    provider("postmark")
    told = {
        "RecordType": "Bounce",
        "Type": "HardBounce",
        "Email": "affected-0@school.example",
        "Details": "550 unknown",
        "Metadata": {"message_id": row.message_id},
        "BouncedAt": "2026-11-26T10:00:00Z",
    }
    [url] = configured.urls("postmark")

    def tell(**headers: str) -> int:
        request = RequestFactory().post(
            "/", json.dumps(told), content_type="application/json", headers=headers
        )
        return int(url.callback(request).status_code)

    with pytest.raises(AnymailWebhookValidationFailure):
        tell()
    assert not DeafAddress.objects.exists()
    login = base64.b64encode(LOGIN.encode()).decode()
    assert tell(Authorization=f"Basic {login}") == 200
    row.refresh_from_db()
    assert (bool(row.bounced_at), row.bounce) == (True, "550 unknown")
    assert DeafAddress.objects.get().email == "affected-0@school.example"


def test_a_provider_that_cannot_be_reached_is_away(provider: Any, settings: Any) -> None:
    provider("postmark")
    settings.ANYMAIL["POSTMARK_API_URL"] = "http://127.0.0.1:9/"
    with pytest.raises(providers.ProviderAway):
        Line().send(EmailMessage("x", "x", to=["affected-0@school.example"]), until=inf)
