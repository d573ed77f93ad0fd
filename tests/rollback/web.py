"""Web servers that may be killed."""

import os
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPException
from typing import IO

import psutil  # type: ignore[import-untyped]

from config.local.place import BASE_DIR
from tests import ports

START_SECONDS = 60.0


class Web:
    """The school's web server, as `make run` starts it, with two workers.

    application: a module. env: more of it.
    """

    def __init__(
        self,
        log: IO[bytes],
        *,
        database_url: str,
        application: str = "tests.rollback.simulated_wsgi",
        first_port: int = 19_700,
        **env: str,
    ) -> None:
        self.port = ports.of_our_own(first_port)
        self._log = log
        self._application = application
        self._env = {
            "DATABASE_URL": database_url,
            "PYTHONPATH": str(BASE_DIR),
            "LOG_LEVEL": "ERROR",
            **env,
        }
        self._start()

    def _start(self) -> None:
        words = f"granian --interface wsgi --host 127.0.0.1 --port {self.port} --workers 2 --no-ws"
        words += f" --blocking-threads 1 --respawn-failed-workers {self._application}:application"
        self._process = subprocess.Popen(
            [sys.executable, "-m", *words.split()],
            env=os.environ | self._env,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, "the web server did not start"
            time.sleep(0.05)

    def _answers(self) -> bool:
        page = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            page.request("GET", "/", headers={"Host": f"localhost:{self.port}"})
            return page.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            page.close()

    def workers(self) -> list[psutil.Process]:
        found: list[psutil.Process] = psutil.Process(self._process.pid).children(recursive=True)
        return found

    def kill_workers(self) -> None:
        """-9; granian starts others."""
        for worker in self.workers():
            worker.kill()

    def kill(self) -> None:
        """-9, all of it."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def restart(self) -> None:
        self.kill()
        self._start()
