"""The status page as files: always served from them, and made anew by whoever finds them too old.

One at a time makes them, of all processes of a machine; everybody else goes on with what there is. Where
the database is away or does not answer, the page says how old it is. A folder that cannot be written costs
the other processes: this one goes on from memory.
"""

import fcntl
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from rollback.database.base import answers_expected
from rollback.domain.errors import without_rows
from rollback.domain.standing import Facts
from rollback.limits import limited
from rollback.public.status import days, facts, shown

log = structlog.get_logger(__name__)

FRESH = 30.0  # seconds
# Somebody is at it, or should be: until then nothing is said about it.
LATE = 90.0
# After a failure this process leaves the database in peace for so long.
PAUSE = 10.0
# So often somebody looks whether there are days to be stored.
STORING = 600.0
# For all questions together; a connection is waited for as long as settings.DATABASES says.
PATIENCE = 2.0
# The very first page of a machine, while another makes it.
FIRST = 4.0


@dataclass(frozen=True, slots=True)
class Kept:
    """as_of: seconds since 1970."""

    text: bytes
    as_of: float
    is_stale: bool = False

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.as_of, tz=UTC)


class _Here:
    """What this process knows."""

    def __init__(self) -> None:
        self.making = threading.Lock()
        # As of time.monotonic(), which may have begun a moment ago.
        self.failed_at, self.stored_at = -PAUSE, -STORING
        # Whether it was the database that failed.
        self.is_lost = False
        self.memory: dict[str, Kept] = {}


_here = _Here()


def forget() -> None:
    global _here
    _here = _Here()


os.register_at_fork(after_in_child=forget)


def get(name: str) -> Kept | None:
    """The newest there is of this file, made anew first if it is too old and nobody else is at it."""
    kept = _read(name)
    if kept is not None and _is_fresh(kept):
        return kept
    outcome = renew(name)
    if outcome is None and kept is None:
        return _waited_for(name)
    kept = _read(name)
    if kept is None or _is_fresh(kept):
        return kept
    is_stale = outcome is False or time.time() - kept.as_of > LATE
    return Kept(kept.text, kept.as_of, is_stale)


def renew(name: str) -> bool | None:
    """:returns: None where another is at it; False where it was not possible."""
    here = _here
    if time.monotonic() - here.failed_at < PAUSE:
        return False
    with _alone(here) as is_alone:
        if not is_alone:
            return None
        kept = _read(name)
        if kept is not None and _is_fresh(kept):  # another was quicker
            return True
        return _is_made(here, by="a page")


def look(*, by: str) -> bool:
    """After each tick, and by beat: stores the days that are over, too, which those who ask for the page
    do not, however often they ask. :returns: whether it made the page.
    """
    here, kept = _here, _read(shown.JSON)
    is_due = time.monotonic() - here.stored_at > STORING
    if kept is not None and _is_fresh(kept) and not is_due:
        return False
    is_paused = time.monotonic() - here.failed_at < PAUSE
    if is_paused and here.is_lost:
        return False
    with _alone(here) as is_alone:
        is_made = is_alone and not is_paused and _is_made(here, by=by)
    # Nobody who asks for the page waits for these, and a page that is broken keeps none from being stored.
    if is_due and is_alone and not here.is_lost:
        _settle(here, by=by)
    return is_made


def _is_made(here: _Here, *, by: str) -> bool:
    try:
        _make()
    except Error as error:  # whoever asks for the page sees how old it is
        here.failed_at, here.is_lost = time.monotonic(), True
        log.warning("status.not_made", by=by, error=without_rows(error))
        _let_go()
        return False
    except Exception:
        # The door: whatever a row has that cannot be shown, the page of before can.
        here.failed_at, here.is_lost = time.monotonic(), False
        log.exception("status.broken", by=by)
        return False
    here.is_lost = False
    return True


def _settle(here: _Here, *, by: str) -> None:
    deadline = time.monotonic() + PATIENCE
    try:
        # A statement that takes too long is ended by the server; a server that does not even do that is gone.
        with answers_expected(lambda since: time.monotonic() - since > PATIENCE):
            count = days.settle(now=timezone.now(), may_go_on=lambda: time.monotonic() < deadline)
    except Error as error:
        count = 0
        log.warning("status.days_not_stored", by=by, error=without_rows(error))
        _let_go()
    if not count:  # else there may be more, next time
        here.stored_at = time.monotonic()


def _make() -> None:
    """:raises Error: the database is away, or takes too long."""
    found = read_facts()
    _keep(shown.texts(found, links=shown.our_links()), as_of=found.as_of.timestamp())


def read_facts() -> Facts:
    deadline = time.monotonic() + PATIENCE
    with (
        answers_expected(lambda _since: time.monotonic() > deadline),
        limited(lock="500ms", statement=f"{int(PATIENCE * 1000)}ms"),
    ):
        return facts.read(now=timezone.now())


def _let_go() -> None:
    """A connection that was given up must not be the next page's."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


# ---------------------------------------------------------------- one at a time


@contextmanager
def _alone(here: _Here) -> Iterator[bool]:
    """Of this process by a lock in memory; of this machine by one on a file, which its end releases."""
    if not here.making.acquire(blocking=False):
        yield False
        return
    try:
        with _lock_file() as is_ours:
            yield is_ours
    finally:
        here.making.release()


@contextmanager
def _lock_file() -> Iterator[bool]:
    try:
        settings.STATUS_DIR.mkdir(parents=True, exist_ok=True)
        file = os.open(settings.STATUS_DIR / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        log.warning("status.not_kept", error=str(error))
        yield True  # then each process by itself
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        yield False
        return
    try:
        yield True
    finally:
        os.close(file)


def _waited_for(name: str) -> Kept | None:
    deadline = time.monotonic() + FIRST
    while (kept := _read(name)) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return kept


# ---------------------------------------------------------------- files


def _is_fresh(kept: Kept) -> bool:
    """One from the future is of a clock that was wrong."""
    return 0 <= time.time() - kept.as_of < FRESH


def _read(name: str) -> Kept | None:
    """The file, or what this process made itself and could not write, whichever is newer."""
    here, path = _here.memory.get(name), settings.STATUS_DIR / name
    try:
        if here is not None and here.as_of >= path.stat().st_mtime:
            return here
        with path.open("rb") as file:
            kept = Kept(file.read(), os.fstat(file.fileno()).st_mtime)
    except OSError:
        return here
    _here.memory[name] = kept
    return kept


def _keep(texts: dict[str, str], *, as_of: float) -> None:
    _here.memory = {name: Kept(text.encode(), as_of) for name, text in texts.items()}
    try:
        write(settings.STATUS_DIR, texts, as_of=as_of)
    except OSError as error:
        log.warning("status.not_kept", error=str(error))


def write(folder: Path, texts: dict[str, str], *, as_of: float) -> None:
    """Each file whole or not at all; the one that says how old they are comes last.

    :raises OSError:
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(texts, key=lambda name: name == shown.JSON):
        _replace(folder / name, texts[name].encode(), as_of=as_of)


def _replace(path: Path, text: bytes, *, as_of: float) -> None:
    file, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(file, "wb") as made:
            made.write(text)
            os.fchmod(made.fileno(), 0o644)
        os.utime(name, (as_of, as_of))
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
