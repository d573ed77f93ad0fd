"""Ports that no other test run on this machine takes between our look at them and the server's."""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TextIO

from config.local import ports

# A school takes some more above its own: for mails, their reader and sockets.
BLOCK = 40
# Kept open: a lock lasts as long as its file is.
_held: list[TextIO] = []


@cache
def of_our_own(first: int) -> int:
    """The same each time for one `first`; :returns: the lowest port of a block for this process."""
    return next(port for port in _free(first) if _is_locked(port))


def _free(first: int) -> Iterator[int]:
    for port in range(first, 65_500, BLOCK):
        if ports.next_free(port) == port:
            yield port


def _is_locked(port: int) -> bool:
    with suppress(OSError):  # another run holds it, or the file is another user's
        file = (Path(tempfile.gettempdir()) / f"school-port-{port}.lock").open("a")
        _held.append(file)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
