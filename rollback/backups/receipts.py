"""A receipt says that a file was restored, compared row by row, and is a backup of this very database.

It lies beside the file and is signed: whoever can write there cannot make one without the key.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from rollback.backups.failing import BackupFailed
from rollback.backups.opened import Opened, opened
from rollback.backups.source import Identity
from rollback.schema.fingerprint import Fingerprint

FORM = 1
SALT = "rollback.backups.receipt"
DUMP, RECEIPT = ".dump", ".receipt.json"

Migration = tuple[str, str]


class ReceiptRefused(Exception):
    """It proves nothing. The message says why."""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """path: of the dump it is about. as_of: when its rows were what they are, by the database's clock.
    seconds: dump, fingerprint, restore, compare, total.
    """

    path: Path
    system: str
    database: str
    server: int
    snapshot: str
    as_of: datetime
    migrations: tuple[Migration, ...]
    sha256: str
    size: int
    fingerprint: Fingerprint
    seconds: Mapping[str, float]

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def rows(self) -> int:
        return self.fingerprint.rows

    def is_of(self, identity: Identity) -> bool:
        return (self.system, self.database) == (identity.system, identity.database)

    def facts(self) -> dict[str, Any]:
        return {
            "form": FORM,
            "file": self.path.name,
            "system": self.system,
            "database": self.database,
            "server": self.server,
            "snapshot": self.snapshot,
            "as_of": self.as_of.isoformat(),
            "migrations": [list(one) for one in self.migrations],
            "sha256": self.sha256,
            "size": self.size,
            "seconds": dict(self.seconds),
            "fingerprint": self.fingerprint.as_json(),
        }


def beside(path: Path) -> Path:
    """The receipt's place; of a receipt, its own."""
    if path.name.endswith(RECEIPT):
        return path
    return path.with_name(path.name.removesuffix(DUMP) + RECEIPT)


def write(receipt: Receipt) -> Path:
    """Whole or not at all."""
    facts = receipt.facts()
    text = json.dumps(facts | {"hmac": _sign(facts)}, ensure_ascii=False, indent=1)
    where = beside(receipt.path)
    partial = where.with_name(where.name + ".partial")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(where)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    settle(where.parent)
    return where


def settle(folder: Path) -> None:
    """A new name in a folder is there after a power cut only when the folder is written as well."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def read(path: Path, *, of: Identity | None, contents: bool = False) -> Receipt:
    """path: of the dump or its receipt. of: the database it must be a backup of; None: of any.
    contents: whether the file is read as well, a second a gigabyte; else only its size is compared.

    :raises ReceiptRefused:
    """
    where = beside(path)
    receipt = _understood(_signed(where), where)
    told = {"name": receipt.name, "database": receipt.database}
    if of is not None and not receipt.is_of(of):
        words = _(
            "%(name)s is a backup of another database (%(database)s of another server or name)."
        )
        raise ReceiptRefused(words % told)
    _check_file(receipt, contents=contents)
    return receipt


def _signed(where: Path) -> dict[str, Any]:
    """Nothing in it is believed before the signature fits."""
    told = {"name": where.name}
    try:
        facts = json.loads(where.read_bytes())
    except FileNotFoundError as error:
        words = _("There is no receipt %(name)s: nothing proves that backup.")
        raise ReceiptRefused(words % told) from error
    except OSError as error:
        words = _("%(name)s cannot be read: %(error)s.")
        raise ReceiptRefused(words % (told | {"error": error.strerror})) from error
    except (ValueError, RecursionError) as error:
        raise ReceiptRefused(_("%(name)s is no receipt, or was cut off.") % told) from error
    said = facts.pop("hmac", "") if isinstance(facts, dict) else ""
    if not (isinstance(said, str) and compare_digest(said.encode(), _sign(facts).encode())):
        words = _(
            "%(name)s is not signed with this school's key: it was changed, or comes from elsewhere, or "
            "BACKUP_KEY (without one, SECRET_KEY) is another one since."
        )
        raise ReceiptRefused(words % told)
    return dict(facts)


def _understood(facts: Mapping[str, Any], where: Path) -> Receipt:
    try:
        if facts["form"] != FORM or beside(where.with_name(facts["file"])) != where:
            raise ValueError
        return Receipt(
            path=where.with_name(facts["file"]),
            system=facts["system"],
            database=facts["database"],
            server=facts["server"],
            snapshot=facts["snapshot"],
            as_of=datetime.fromisoformat(facts["as_of"]),
            migrations=tuple((app, name) for app, name in facts["migrations"]),
            sha256=facts["sha256"],
            size=facts["size"],
            fingerprint=Fingerprint.from_json(facts["fingerprint"]),
            seconds=facts["seconds"],
        )
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        words = _("%(name)s is signed, but about another file or of another version of the school.")
        raise ReceiptRefused(words % {"name": where.name}) from error


def _check_file(receipt: Receipt, *, contents: bool) -> None:
    if contents:
        with held(receipt):
            return
    try:
        _check_size(receipt, receipt.path.lstat().st_size)
    except OSError as error:
        raise _unreadable(receipt, error) from error


@contextmanager
def held(receipt: Receipt) -> Iterator[Opened]:
    """Its file, opened, and found to be what was proved. What is done with it is done with just that.

    :raises ReceiptRefused:
    """
    with ExitStack() as stack:
        try:
            found = stack.enter_context(opened(receipt.path))
            _check_size(receipt, found.size)
            digest = found.sha256()
        except OSError as error:
            raise _unreadable(receipt, error) from error
        except BackupFailed as error:
            raise ReceiptRefused(str(error)) from error
        if digest != receipt.sha256:
            words = _(
                "%(name)s is not what it was when it was proved: its checksum is another one."
            )
            raise ReceiptRefused(words % {"name": receipt.name})
        yield found


def _check_size(receipt: Receipt, size: int) -> None:
    if size != receipt.size:
        words = _("%(name)s has %(found)d bytes, and had %(size)d when it was proved.")
        told = {"name": receipt.name, "size": receipt.size, "found": size}
        raise ReceiptRefused(words % told)


def _unreadable(receipt: Receipt, error: OSError) -> ReceiptRefused:
    words = _("%(name)s cannot be read: %(error)s.")
    return ReceiptRefused(words % {"name": receipt.name, "error": error.strerror})


def _sign(facts: Any) -> str:
    """Of what it says, however it is written."""
    text = json.dumps(facts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    secret = settings.BACKUP_KEY or settings.SECRET_KEY
    return salted_hmac(SALT, text, secret=secret, algorithm="sha256").hexdigest()
