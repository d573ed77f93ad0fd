"""A backup each night by itself, and a loud word when there was none."""

from datetime import timedelta

import structlog
from django.conf import settings

from rollback.backups import age, rows, shelf
from rollback.backups.failing import BackupFailed, BackupRuns
from rollback.backups.making import make
from rollback.domain.errors import without_rows

log = structlog.get_logger(__name__)

# Beat comes several times a night, and a queue may bring a task twice: one is enough.
FRESH = timedelta(hours=20)


def tonight() -> str:
    """:returns: the new backup's name; empty where none is wanted, needed, or another process makes one
    :raises BackupFailed:
    """
    if not settings.BACKUP_NIGHTLY:
        return ""
    try:
        newest = age.on_shelf()
        if newest.as_of is not None and newest.now - newest.as_of < FRESH:
            return ""
        receipt = make(say=lambda words: None)
    except BackupRuns:
        return ""
    except BackupFailed as error:
        log.error("backups.failed", error=without_rows(error))
        raise
    log.info("backups.proved", name=receipt.name, rows=receipt.rows, seconds=dict(receipt.seconds))
    removed = shelf.prune(keep=settings.BACKUP_KEEP)
    rows.gone(removed)
    return receipt.name


def look() -> bool:
    """By the files: rows would go on saying that all is well when the disk is gone.

    :returns: whether all is well. Said each time it is not: it is for whoever reads the log.
    """
    if not settings.BACKUP_NIGHTLY:
        return True
    last = age.failed_since()
    try:
        words = age.sentence(age.on_shelf())
    except BackupFailed as error:
        words = without_rows(error)
    if words:
        log.error("backups.none_proved", because=words, last_attempt=last)
    return not words
