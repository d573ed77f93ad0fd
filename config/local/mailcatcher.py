"""A mail server that delivers to a folder, and the page on which those mails are read.

For a desk: it listens on this machine only and nothing ever leaves it.
"""

import argparse
import mailbox
import re
import signal
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox

from config.local import mailpages

HOST = "127.0.0.1"
OWN_NAMES = {"127.0.0.1", "localhost"}
MAIL = re.compile(r"/mail/([\w.,:=+-]+?)(/html)?")
# Nothing of a mail may run, load or send; the HTML part lives in a sandbox besides.
POLICY = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'"
)
MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
)


class Reader(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, folder: Path) -> None:
        super().__init__((HOST, port), Page)
        self.folder = folder

    def box(self) -> mailbox.Maildir:
        """Opened for each page: a Maildir object is not meant for two threads."""
        return mailbox.Maildir(self.folder)


class Page(BaseHTTPRequestHandler):
    server: Reader

    def do_GET(self) -> None:
        """Another site's page that points its own name at this machine is not let in."""
        if self.headers.get("Host", "").split(":")[0] not in OWN_NAMES:
            self._answer("Only localhost.", HTTPStatus.MISDIRECTED_REQUEST)
        elif self.path == "/":
            self._answer(mailpages.inbox(self.server.box()))
        elif self.path == "/style.css":
            self._answer(mailpages.STYLE, kind="text/css")
        elif found := MAIL.fullmatch(self.path):
            self._mail(found[1], html=bool(found[2]))
        else:
            self._answer(mailpages.missing(), HTTPStatus.NOT_FOUND)

    def _mail(self, key: str, *, html: bool) -> None:
        message = mailpages.read(self.server.box(), key)
        if message is None:
            self._answer(mailpages.missing(), HTTPStatus.NOT_FOUND)
        elif html:
            self._answer(mailpages.html_part(message), policy=MAIL_POLICY)
        else:
            self._answer(mailpages.letter(key, message))

    def _answer(
        self,
        text: str,
        status: HTTPStatus = HTTPStatus.OK,
        kind: str = "text/html",
        policy: str = POLICY,
    ) -> None:
        body = text.encode(errors="replace")
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """A line for every page read would bury the mails in the log."""


def start(folder: Path, smtp_port: int, reader_port: int) -> tuple[Controller, Reader]:
    """Both listen when this returns; the reader answers in a thread of its own."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    smtp = Controller(Mailbox(folder), hostname=HOST, port=smtp_port)
    smtp.start()
    reader = Reader(reader_port, folder)
    threading.Thread(target=reader.serve_forever, daemon=True).start()
    return smtp, reader


def main() -> None:
    parser = argparse.ArgumentParser(description="Catches the mails of a desk.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("smtp_port", type=int)
    parser.add_argument("reader_port", type=int)
    wanted = parser.parse_args()
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    smtp, reader = start(wanted.folder, wanted.smtp_port, wanted.reader_port)
    signal.sigwait(signals)
    reader.shutdown()
    smtp.stop()


if __name__ == "__main__":
    main()
