"""Who sends the mails, where it is no SMTP server: a provider, through django-anymail.

Those that give back with each event what was sent along with the mail, and need one key. anymail knows more:
its page of a provider says what its settings are called.
"""

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from config import environment

KEYS = {
    "brevo": "BREVO_API_KEY",
    "postmark": "POSTMARK_SERVER_TOKEN",
    "resend": "RESEND_API_KEY",
    "sendgrid": "SENDGRID_API_KEY",
    "sparkpost": "SPARKPOST_API_KEY",
}
SHORTEST = 20


def name(env: environ.Env) -> str:
    """Empty where mails go out by SMTP."""
    return environment.choice(env, "EMAIL_PROVIDER", ("", *KEYS), "")


def settings_of(provider: str, env: environ.Env, *, timeout: int) -> dict[str, Any]:
    """Django's settings for it. :raises ImproperlyConfigured:"""
    key = environment.text(env, "EMAIL_PROVIDER_KEY", "")
    if not key:
        raise ImproperlyConfigured(
            f"EMAIL_PROVIDER is {provider}; set EMAIL_PROVIDER_KEY to the key it has given you."
        )
    return {
        "EMAIL_BACKEND": f"anymail.backends.{provider}.EmailBackend",
        "ANYMAIL": {
            KEYS[provider]: key,
            "REQUESTS_TIMEOUT": timeout,
            "WEBHOOK_SECRET": webhook_login(env),
        },
    }


def webhook_login(env: environ.Env) -> str:
    """What the provider logs in with at /hooks/anymail/; empty where it is not to come."""
    value = environment.text(env, "EMAIL_PROVIDER_LOGIN", "")
    user, _colon, password = value.partition(":")
    if value and not (user and len(password) >= SHORTEST and value.isascii() and " " not in value):
        raise ImproperlyConfigured(
            "EMAIL_PROVIDER_LOGIN must be like name:password, with a password of at least "
            f"{SHORTEST} random letters and digits; make one with `openssl rand -hex 24`, or leave it empty."
        )
    return value


def urls(provider: str) -> list[Any]:
    """Its webhook for what became of mails, and no other: each of them would be a way in."""
    from anymail.urls import urlpatterns

    return [one for one in urlpatterns if one.name == f"{provider}_tracking_webhook"]


def listen() -> None:
    from anymail.signals import tracking

    from rollback.outbox.providers import told

    tracking.connect(told, dispatch_uid="rollback.outbox")
