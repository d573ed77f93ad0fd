"""A real SMTP server for the tests of mails; imported as a fixture by each of them."""

import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from tests import ports

BAD = "typo@school.example"


class PostOffice:
    """A real SMTP server that knows no BAD, and that can be told to take its time."""

    def __init__(self) -> None:
        self.delivered: list[str] = []
        self.mails: list[EmailMessage] = []
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address == BAD:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.reached.set()
        await server.loop.run_in_executor(None, self.go_on.wait, 20)
        self.delivered.extend(envelope.rcpt_tos)
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"


@pytest.fixture
def post_office(settings: Any) -> Iterator[PostOffice]:
    handler = PostOffice()
    port = ports.of_our_own(19_025)
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    try:
        yield handler
    finally:
        handler.go_on.set()
        controller.stop()
