"""A program that takes webhooks: a real HTTP server, which answers as the test wants it."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hooks:
    """status, answer, location: of each answer. wait: seconds before it. drip: a byte at a time, for ever."""

    def __init__(self) -> None:
        self.status, self.answer, self.location = 200, "ok", ""
        self.wait, self.drip = 0.0, False
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.url = ""

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _path, _headers, body in self.got]


@contextmanager
def hooks() -> Iterator[Hooks]:
    said = Hooks()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            said.got.append((self.path, dict(self.headers), self.rfile.read(length)))
            time.sleep(said.wait)
            if said.drip:
                self._drip()
                return
            self.send_response(said.status)
            if said.location:
                self.send_header("Location", said.location)
            self.end_headers()
            self.wfile.write(said.answer.encode())

        do_GET = do_POST  # noqa: N815

        def _drip(self) -> None:
            try:
                for _second in range(100):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.1)
            except OSError:  # whoever asked has left
                return

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    said.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    try:
        yield said
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
