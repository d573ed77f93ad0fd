"""Which processes run which version of the flags, and how quickly they came to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePath

# Without a sign of life for so long a process has switched everything off by itself, if it lives.
SILENT = timedelta(seconds=5)
# Program → what it runs. A program that is not here is a "process".
KINDS = {
    "granian": "web",
    "gunicorn": "web",
    "uwsgi": "web",
    "uvicorn": "socket",
    "daphne": "socket",
    "hypercorn": "socket",
    "manage.py": "command",
    "check_migrations.py": "command",
    "django-admin": "command",
}


def kind_of(words: Sequence[str]) -> str:
    """`words`: the command line. :returns: web, socket, worker, beat, command or process."""
    if not words:
        return "process"
    path = PurePath(words[0])
    # `python -m granian` names the file within the package.
    program = path.parent.name if path.name == "__main__.py" else path.name
    if program == "celery":
        return next((word for word in words[1:] if word in {"worker", "beat"}), "command")
    if program == "manage.py" and "runserver" in words[1:2]:
        return "web"
    return KINDS.get(program, "process")


@dataclass(frozen=True, slots=True)
class Seen:
    """A process by its own last word; all times by the database's clock."""

    kind: str
    host: str
    pid: int
    started_at: datetime
    version: int
    reached_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RollCall:
    """version: the one that is asked for. reached: they run it. waiting: they live and do not run
    it yet. silent: whether they live is not known. slowest: from the change to the last of those
    that were there before it; None without one.
    """

    version: int
    reached: Sequence[Seen]
    waiting: Sequence[Seen]
    silent: Sequence[Seen]
    slowest: timedelta | None

    @property
    def alive(self) -> int:
        return len(self.reached) + len(self.waiting)


def call_the_roll(
    processes: Iterable[Seen], *, version: int, newest: int, changed_at: datetime, now: datetime
) -> RollCall:
    """version: asked for. newest: the database's, which may be further on. changed_at: when it
    became the newest.

    A version above the newest is from before the database was restored: not reached.
    """
    reached, waiting, silent = [], [], []
    for process in processes:
        if now - process.seen_at > SILENT:
            silent.append(process)
        elif version <= process.version <= newest:
            reached.append(process)
        else:
            waiting.append(process)
    delays = [
        max(process.reached_at - changed_at, timedelta(0))
        for process in reached
        if process.started_at < changed_at and process.version == newest
    ]
    return RollCall(
        version=version,
        reached=reached,
        waiting=waiting,
        silent=silent,
        slowest=max(delays, default=None),
    )
