"""A backup's file, opened once: what is looked at, compared and restored is one and the same, whatever its
name leads to meanwhile.
"""

import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation import gettext as _

from rollback.backups.failing import BackupFailed

CHUNK = 1024 * 1024
OTHERS = stat.S_IWGRP | stat.S_IWOTH
# Whoever opens a file by this name has a place of their own in it. Elsewhere (/dev/fd of BSD and macOS) they
# share one, and pg_restore reads with several processes.
DESCRIPTORS = Path("/proc/self/fd")


@dataclass(frozen=True, kw_only=True)
class Opened:
    """place: by which a program finds it that is handed the descriptor."""

    name: str
    number: int
    place: Path

    @property
    def size(self) -> int:
        return os.fstat(self.number).st_size

    def sha256(self) -> str:
        found, at = hashlib.sha256(), 0
        while chunk := os.pread(self.number, CHUNK, at):
            found.update(chunk)
            at += len(chunk)
        return found.hexdigest()


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """What others may write to meanwhile, and where no descriptor can be handed on, a copy of it.

    :raises OSError: :raises BackupFailed: it is no file, or a link to one
    """
    with ExitStack() as stack:
        number = _descriptor(path, stack)
        if is_ours_alone(os.fstat(number)) and _are_handed_on():
            place = DESCRIPTORS / str(number)
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="school-backup-")))
            place = folder / path.name
            with open(number, "rb", closefd=False) as source, place.open("xb") as copy:
                shutil.copyfileobj(source, copy, CHUNK)
            number = _descriptor(place, stack)
        yield Opened(name=path.name, number=number, place=place)


def _descriptor(path: Path, stack: ExitStack) -> int:
    is_link = path.is_symlink()
    try:
        # Nobody waits for whoever would write into a pipe.
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if is_link:
            raise _no_file(path) from error
        raise
    stack.callback(os.close, number)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        raise _no_file(path)
    return number


def _no_file(path: Path) -> BackupFailed:
    words = _("%(path)s is a link or no file. Name the backup's file itself.")
    return BackupFailed(words % {"path": path})


def _are_handed_on() -> bool:
    return sys.platform == "linux" and DESCRIPTORS.is_dir()


def is_ours_alone(found: os.stat_result) -> bool:
    """Nobody else can change it."""
    return found.st_uid == os.geteuid() and not found.st_mode & OTHERS
