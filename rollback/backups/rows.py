"""Rows for whoever looks on: the console, the metrics. What counts is the receipt beside the file."""

from collections.abc import Callable, Collection

import structlog
from django.db import Error, connection, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from rollback.backups.receipts import Receipt
from rollback.domain.errors import without_rows
from rollback.models import Backup

log = structlog.get_logger(__name__)


class Record:
    """What becomes of one attempt. This one keeps nothing: of a database that is not the school's."""

    def tidy(self) -> None:
        pass

    def begun(self, name: str) -> None:
        pass

    def done(self, receipt: Receipt) -> None:
        pass

    def failed(self, error: BaseException) -> None:
        pass


class Row(Record):
    """A backup is none the worse where its row cannot be written."""

    name = ""

    def tidy(self) -> None:
        """Whoever calls is alone: what is still under way was killed."""
        running = Backup.objects.filter(status=Backup.Status.RUNNING)
        ended = _("It was ended before it was done.")
        _try(lambda: running.update(status=Backup.Status.FAILED, finished_at=Now(), error=ended))

    def begun(self, name: str) -> None:
        self.name = name
        _try(lambda: Backup.objects.create(name=name, status=Backup.Status.RUNNING))

    def done(self, receipt: Receipt) -> None:
        self._end(
            status=Backup.Status.VERIFIED,
            as_of=receipt.as_of,
            size=receipt.size,
            rows=receipt.rows,
            seconds=dict(receipt.seconds),
        )

    def failed(self, error: BaseException) -> None:
        self._end(status=Backup.Status.FAILED, error=without_rows(error) or type(error).__name__)

    def _end(self, **facts: object) -> None:
        """Also where a copy of the school was restored in which it was never begun."""
        if self.name:
            values = {**facts, "finished_at": Now()}
            _try(lambda: Backup.objects.update_or_create(name=self.name, defaults=values))


def gone(names: list[str]) -> None:
    pruned = Backup.objects.filter(name__in=names)
    _try(lambda: pruned.update(status=Backup.Status.PRUNED))


def refused(name: str, why: str) -> None:
    """One that was proved once, and is not what it was."""
    known = Backup.objects.filter(name=name)
    _try(lambda: known.update(status=Backup.Status.FAILED, error=why))


def claimed() -> list[int]:
    """The rows that say there is a proved backup. Asked before the folder is looked into: what is proved
    meanwhile is in the folder before it has its row.
    """
    return list(Backup.objects.filter(status=Backup.Status.VERIFIED).values_list("pk", flat=True))


def follow(newest: Receipt | None, *, claimed: Collection[int], why: str = "") -> None:
    """newest: in the folder. A row that says there is a newer one says too much, and whoever looks on would
    believe it. One that came back, as with its disk, is proved again.
    """
    lost = Backup.objects.filter(pk__in=claimed, status=Backup.Status.VERIFIED)
    if newest is not None:
        lost = lost.filter(as_of__gt=newest.as_of).exclude(name=newest.name)
        known = Backup.objects.filter(name=newest.name).exclude(status=Backup.Status.VERIFIED)
        proved = {"status": Backup.Status.VERIFIED, "error": "", "as_of": newest.as_of}
        _try(lambda: known.update(**proved))
    words = why or _("It is not in the folder with the backups any more as it was proved.")
    _try(lambda: lost.update(status=Backup.Status.FAILED, error=words))


def _try(write: Callable[[], object]) -> None:
    try:
        with transaction.atomic():
            write()
    except Error as error:
        log.warning("backups.row_not_written", error=without_rows(error))
        if not connection.in_atomic_block:
            connection.close()
