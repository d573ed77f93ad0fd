"""The folder with the backups: who may write there now, what is proved in it, what may go."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from rollback.backups import receipts, source
from rollback.backups.failing import BackupFailed, BackupRuns
from rollback.backups.receipts import DUMP, RECEIPT, Receipt, ReceiptRefused
from rollback.backups.source import Identity

PARTIAL = ".partial"
NAMED = re.compile(r".+-\d{8}-\d{6}-\d{3}")
# However few one wants to keep.
FEWEST = 2


class TooFew(BackupFailed):
    pass


@dataclass(frozen=True, kw_only=True)
class Item:
    """receipt: None where nothing proves it, and `why`."""

    name: str
    size: int | None
    receipt: Receipt | None
    why: str = ""


def folder() -> Path:
    """Made where it is not there; nobody else may look into it.

    :raises BackupFailed:
    """
    found = Path(settings.BACKUP_DIR)
    try:
        found.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(found, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        words = _("Backups cannot be kept in %(folder)s (%(error)s). Correct BACKUP_DIR.")
        raise BackupFailed(words % {"folder": found, "error": error.strerror}) from error
    return found


@contextmanager
def alone(where: Path) -> Iterator[None]:
    """:raises BackupRuns: somebody else is at the folder. Whoever is killed has left it."""
    with (where / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            words = _("Another backup is under way in %(folder)s. Wait until it has ended.")
            raise BackupRuns(words % {"folder": where}) from error
        yield


def new_name(database: str, *, as_of: datetime) -> str:
    safe = re.sub(r"[^A-Za-z0-9_]", "_", database)[:60]
    return f"{safe}-{as_of:%Y%m%d-%H%M%S}-{as_of.microsecond // 1000:03d}{DUMP}"


def remove_leftovers(where: Path) -> None:
    """What a killed run has begun. Only for whoever is alone here."""
    for partial in where.glob(f"*{PARTIAL}"):
        stem = partial.name.removesuffix(PARTIAL).removesuffix(DUMP).removesuffix(RECEIPT)
        if NAMED.fullmatch(stem):
            dump = where / f"{stem}{DUMP}"
            if not dump.exists():
                receipts.beside(dump).unlink(missing_ok=True)
            partial.unlink(missing_ok=True)


def items(*, of: Identity) -> list[Item]:
    """Everything in the folder that is, or says it is, a backup; the newest first. Files are not read."""
    where = folder()
    names = {one.name.removesuffix(DUMP) for one in where.glob(f"*{DUMP}")}
    names |= {one.name.removesuffix(RECEIPT) for one in where.glob(f"*{RECEIPT}")}
    found = [_item(where / f"{name}{DUMP}", of) for name in names]
    return sorted(found, key=_newest_first)


def _newest_first(item: Item) -> tuple[bool, float, str]:
    at = item.receipt.as_of.timestamp() if item.receipt else 0.0
    return item.receipt is None, -at, item.name


def _item(path: Path, of: Identity) -> Item:
    size = path.stat().st_size if path.exists() else None
    try:
        receipt = receipts.read(path, of=of)
    except ReceiptRefused as why:
        return Item(name=path.name, size=size, receipt=None, why=str(why))
    return Item(name=path.name, size=size, receipt=receipt)


def newest_verified(*, within: timedelta | None = None) -> Receipt | None:
    """Of this database, its file read again and found as it was proved. within: no older than that, by
    the database's clock.
    """
    with source.school().connect() as connection:
        (now,) = source.one_row(connection, "SELECT clock_timestamp()")
        identity = source.identity(connection)
    for receipt in intact(of=identity):
        # Of a moment that is yet to come by this clock: then nobody knows how old it is.
        if within is not None and receipt.as_of > now:
            continue
        return receipt if within is None or now - receipt.as_of <= within else None
    return None


def intact(*, of: Identity) -> Iterator[Receipt]:
    """The newest first; each file is read when it is asked for."""
    for item in items(of=of):
        if item.receipt is not None:
            try:
                yield receipts.read(item.receipt.path, of=of, contents=True)
            except ReceiptRefused:
                continue


def prune(*, keep: int) -> list[str]:
    """All but the newest `keep` that are proved, and whose files are still what was proved. What nothing
    proves, or belongs to another database, is not ours to remove.

    :returns: names
    :raises TooFew: fewer than two would be left
    """
    if keep < FEWEST:
        words = _("At least %(fewest)d proved backups are kept; %(keep)d would be too few.")
        raise TooFew(words % {"fewest": FEWEST, "keep": keep})
    where = folder()
    identity = source.school().identity()
    with alone(where):
        kept: list[Receipt] = []
        for receipt in intact(of=identity):
            kept.append(receipt)
            if len(kept) == keep:
                break
        else:
            return []
        oldest = min(receipt.as_of for receipt in kept)
        return [
            _remove(item.receipt)
            for item in items(of=identity)
            if item.receipt is not None and item.receipt.as_of < oldest
        ]


def _remove(receipt: Receipt) -> str:
    """The file first: a receipt alone proves nothing, and takes no room."""
    receipt.path.unlink()
    receipts.beside(receipt.path).unlink()
    return receipt.name
