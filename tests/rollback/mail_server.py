"""A mail server as a process of its own, to be killed, frozen and started again.

python -m tests.rollback.mail_server PORT FILE: each mail is a line of JSON in FILE before it is answered
for, so that what was taken is known whatever becomes of the server.
"""

import json
import os
import signal
import sys
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller


class Book:
    def __init__(self, file: Path) -> None:
        self.file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        head, _blank, _body = envelope.content.partition(b"\r\n\r\n")
        mail = message_from_bytes(head + b"\r\n\r\n", policy=default)
        told = {"to": envelope.rcpt_tos, "id": mail["Message-ID"], "subject": mail["Subject"]}
        os.write(self.file, json.dumps(told).encode() + b"\n")
        return "250 OK"


def main() -> None:
    port, file = int(sys.argv[1]), Path(sys.argv[2])
    Controller(Book(file), hostname="127.0.0.1", port=port).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    main()
