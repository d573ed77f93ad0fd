"""The process that does the steps on the copy: started, asked, waited for, ended with all it has started."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import IO, Any, Self, cast

from django.conf import settings
from django.utils.translation import gettext as _

from rollback.domain.errors import without_details

CHILD = "rollback.rehearsing.child"
START_SECONDS, CLOSE_SECONDS = 120, 5
LAST_LINES = 8


class StepFailed(Exception):
    """The message says in words what was found; `facts` what was measured all the same."""

    def __init__(self, words: str, **facts: Any) -> None:
        super().__init__(words)
        self.facts = facts


class HelperGone(StepFailed):
    """It hung or died: there is nobody left who could do the next step."""


def hung(seconds: float) -> str:
    words = _("It hung: no end within %(seconds)s s. It was stopped.")
    return words % {"seconds": f"{seconds:g}"}


class Helper:
    """say: takes what the step says while it works."""

    def __init__(self, *, env: Mapping[str, str], log: Path, say: Callable[[str], object]) -> None:
        self._log, self._say = log, say
        self._told: SimpleQueue[str] = SimpleQueue()
        with log.open("ab") as errors:
            # Our own module and no word of anybody's. A group of its own is ended as a whole.
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", CHILD],
                env=dict(env),
                cwd=settings.BASE_DIR,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self._asks = cast(IO[str], self._process.stdin)
        self._answers = cast(IO[str], self._process.stdout)
        threading.Thread(target=self._listen, name="rehearsal", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._asks.close()
        with suppress(subprocess.TimeoutExpired):
            # So that it can close its browser.
            self._process.wait(CLOSE_SECONDS)
        self.end()

    def ready(self) -> dict[str, Any]:
        """:raises StepFailed: it does not start, or is not where it should be"""
        return self._answer(time.monotonic() + START_SECONDS, START_SECONDS)

    def do(self, step: str, *, seconds: float) -> dict[str, Any]:
        """:returns: what the step found. :raises StepFailed:"""
        try:
            self._asks.write(json.dumps({"step": step}) + "\n")
            self._asks.flush()
        except (OSError, ValueError) as error:  # broken, or closed by us when it hung
            raise HelperGone(self._how_it_ended()) from error
        return self._answer(time.monotonic() + seconds, seconds)

    def _answer(self, deadline: float, seconds: float) -> dict[str, Any]:
        while True:
            try:
                line = self._told.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                self.end()
                raise HelperGone(hung(seconds)) from None
            if not line:
                raise HelperGone(self._how_it_ended())
            told = json.loads(line)
            if "say" in told:
                self._say(told["say"])
            elif "failed" in told:
                raise StepFailed(told["failed"], **told["facts"])
            else:
                return dict(told["done"])

    def _listen(self) -> None:
        for line in self._answers:
            self._told.put(line)
        self._told.put("")

    def _how_it_ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        said = self._log.read_text(errors="replace").splitlines()
        lines = list(without_details(said))[-LAST_LINES:]
        words = _("The rehearsal’s process ended (code %(code)s). It said last: %(lines)s")
        return words % {"code": self._process.returncode, "lines": " / ".join(lines)}

    def end(self) -> None:
        """With its server and its browser: all of them are of its group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with suppress(OSError):
            self._asks.close()
