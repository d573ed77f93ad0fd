"""Backups that are proved: what has a receipt was restored once, and was found to be the same."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.utils.translation import gettext as _

from rollback.backups import receipts, rows, shelf, source
from rollback.backups.failing import BackupFailed, BackupRuns
from rollback.backups.making import Clock, NotProved, Shares, check, make
from rollback.backups.receipts import Receipt, ReceiptRefused
from rollback.backups.scratch import restored
from rollback.backups.shelf import TooFew, newest_verified
from rollback.domain.errors import without_rows

__all__ = [
    "BackupFailed",
    "BackupRuns",
    "NotProved",
    "Receipt",
    "ReceiptRefused",
    "TooFew",
    "make",
    "newest_verified",
    "prune",
    "read",
    "scratch",
    "verify",
]

Say = Callable[[str], object]


def read(path: Path | str, *, contents: bool = False, elsewhere: bool = False) -> Receipt:
    """path: of a backup or its receipt; a name alone is looked for in BACKUP_DIR. contents: whether its
    checksum is compared as well, which takes a second a gigabyte. elsewhere: of whatever database.

    :raises ReceiptRefused:
    """
    of = None if elsewhere else source.school().identity()
    return receipts.read(_found(Path(path)), of=of, contents=contents)


def _found(path: Path) -> Path:
    """A name that is in both places means the one in BACKUP_DIR."""
    there = shelf.folder() / path.name
    is_there = path.parent == Path() and (there.exists() or not path.exists())
    return there if is_there else path


def verify(
    *,
    file: Path | str,
    say: Say,
    shares: Shares = lambda part, share: None,
    elsewhere: bool = False,
) -> Receipt:
    """Proves it once more: checksum, restored, every row and definition as the receipt has them.

    :raises ReceiptRefused: :raises BackupFailed:
    """
    receipt = read(file, elsewhere=elsewhere)
    try:
        say(_("Comparing the checksum …"))
        with receipts.held(receipt) as held:
            say(_("Restoring into a scratch database, and reading every row of it …"))
            check(source.school(), held, receipt.fingerprint, clock=Clock(), shares=shares)
    except psycopg.Error as error:
        words = _("It could not be looked at: %(error)s")
        raise BackupFailed(words % {"error": without_rows(error)}) from error
    except (ReceiptRefused, NotProved) as why:
        rows.refused(receipt.name, str(why))
        raise
    say(_("%(name)s is as it was proved.") % {"name": receipt.name})
    return receipt


@contextmanager
def scratch(*, receipt: Receipt, say: Say) -> Iterator[str]:
    """A copy of the school as it was then, to do with as one likes. :returns: its address, as a URL.

    :raises ReceiptRefused: its file is not what it was
    :raises BackupFailed:
    """
    with receipts.held(receipt) as held:
        say(_("Restoring %(name)s into a scratch database …") % {"name": receipt.name})
        with restored(source.school(), held) as address:
            yield source.as_url(address)


def prune(*, keep: int) -> list[str]:
    """:returns: the names of those that were removed. :raises TooFew:"""
    removed = shelf.prune(keep=keep)
    rows.gone(removed)
    return removed
