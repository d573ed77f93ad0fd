"""Files of a folder, opened once, and hashed as they are read.

The folder may lie where others write: what was looked at under a name need not be what is read later.
"""

import errno
import hashlib
import io
import os
import stat
from pathlib import Path

LINK = "is a link, which may lead anywhere; put the file itself there"
NO_FILE = "is no file"


class Hashed(io.RawIOBase):
    """The bytes of a descriptor, and what their checksum comes to so far."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._sha = hashlib.sha256()
        self._file = io.FileIO(number, "rb")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._file.readinto(buffer) or 0
        self._sha.update(buffer[:count])
        return count

    def close(self) -> None:
        self._file.close()
        super().close()

    @property
    def sha256(self) -> str:
        return self._sha.hexdigest()

    def as_text(self, *, encoding: str, newline: str) -> io.TextIOWrapper:
        """Closes this one with it."""
        return io.TextIOWrapper(io.BufferedReader(self), encoding=encoding, newline=newline)


def opened(path: Path) -> Hashed:
    """:raises OSError: also for a link, a pipe, or a folder."""
    return Hashed(_descriptor(path))


def _descriptor(path: Path) -> int:
    try:
        # Without O_NONBLOCK a pipe would be waited for.
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise OSError(errno.ELOOP, LINK) from error
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, NO_FILE)
    return number


def whole(path: Path) -> bytes:
    """:raises OSError:"""
    with opened(path) as file:
        return file.readall()


def sha256(path: Path) -> str:
    """:raises OSError:"""
    block = memoryview(bytearray(1 << 20))
    with opened(path) as file:
        while file.readinto(block):
            pass
        return file.sha256
