"""One program the supervisor keeps running: started, watched, restarted, ended with its own."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
LARGEST_LOG = 5_000_000
LONGEST_PAUSE = 30.0
# Whoever lived this long had a good start; the next pause is short again.
GOOD_LIFE = 60.0
STOP_SECONDS = 8.0


@dataclass
class Child:
    """`ending` is the signal on which the program stops without waiting for its work."""

    name: str
    command: list[str]
    log: Path
    env: Mapping[str, str]
    ending: signal.Signals = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause: float = 0.5
    restart_at: float = 0.0
    asked: bool = False

    def start(self) -> None:
        _make_room(self.log)
        with self.log.open("ab") as log:
            # The command is ours. A group of its own: Ctrl-C in the terminal reaches only us.
            self.process = subprocess.Popen(  # noqa: S603
                self.command,
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_bound_to(os.getpid(), self.ending),
            )
        self.started_at = time.monotonic()

    def exit_code(self) -> int | None:
        return self.process.poll() if self.process else None

    def bury(self) -> None:
        """Ends what the dead program left behind and plans its successor."""
        self._signal(signal.SIGKILL)
        self.process = None
        lived = time.monotonic() - self.started_at
        self.pause = 1.0 if lived > GOOD_LIFE else min(self.pause * 2, LONGEST_PAUSE)
        self.restart_at = time.monotonic() + self.pause

    def ask_to_stop(self) -> None:
        """Once: to some programs a second SIGTERM means to drop everything."""
        if not self.asked:
            self._signal(signal.SIGTERM)
        self.asked = True

    def stop(self) -> None:
        """Asks, waits, and ends the whole group for good."""
        if self.process is None:
            return
        self.ask_to_stop()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        self._signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def last_lines(self, count: int = 10) -> str:
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 8_000))
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-count:])

    def _signal(self, number: signal.Signals) -> None:
        """To the group: a server's workers end with it, even if it was killed before them."""
        if self.process:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)


def _make_room(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_suffix(".old.log"))


def _bound_to(parent: int, ending: signal.Signals) -> Callable[[], None]:
    """Even a supervisor killed with -9 takes its children along: the kernel signals them."""

    def bind() -> None:
        if LIBC is not None:
            LIBC.prctl(PR_SET_PDEATHSIG, ending)
        if os.getppid() != parent:
            os._exit(1)

    return bind
