"""How old the newest proved backup is. By the files, where they are; whoever only looks on goes by the rows,
which follow the files each time these are looked at.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from rollback.backups import rows, shelf
from rollback.backups.failing import BackupFailed
from rollback.models import Backup

# A night and two hours to make it.
LIMIT = timedelta(hours=26)
NEWEST = """
    SELECT clock_timestamp(), max(as_of) FILTER (WHERE as_of <= clock_timestamp())
      FROM rollback_backup WHERE status = 'verified'
"""


@dataclass(frozen=True, kw_only=True)
class Age:
    """as_of: None where there is no proved backup. Both by the database's clock: what says it is of later
    than now proves nothing. lost: why the folder with the backups cannot be looked into.
    """

    now: datetime
    as_of: datetime | None
    lost: str = ""

    @property
    def is_too_old(self) -> bool:
        return self.as_of is None or self.now - self.as_of > LIMIT


def of_newest() -> Age:
    """By the rows."""
    with connection.cursor() as cursor:
        cursor.execute(NEWEST)
        now, as_of = cursor.fetchone()
    return Age(now=now, as_of=as_of)


def on_shelf() -> Age:
    """By the files and receipts in the folder, each file read. Rows that say otherwise are corrected.

    :raises BackupFailed: which database it is about cannot be said
    """
    claimed = rows.claimed()
    lost, newest = _why_lost(), None
    if not lost:
        try:
            newest = shelf.newest_verified()
        except OSError as error:
            lost = str(error)
    rows.follow(newest, claimed=claimed, why=lost)
    now = of_newest().now
    return Age(now=now, as_of=newest.as_of if newest else None, lost=lost)


def _why_lost() -> str:
    try:
        shelf.folder()
    except BackupFailed as error:
        return str(error)
    return ""


def sentence(age: Age) -> str:
    """Empty while all is well, and where no nightly backup is wanted."""
    if not (settings.BACKUP_NIGHTLY and age.is_too_old):
        return ""
    if age.lost:
        return age.lost
    if age.as_of is None:
        return _("There is no proved backup: run manage.py backup.")
    words = _(
        "No proved backup is younger than 26 hours; the newest is of %(at)s. Run manage.py backup."
    )
    return words % {"at": date_format(localtime(age.as_of), "Y-m-d H:i")}


def failed_since() -> str:
    """What the newest attempt complained about, if it failed."""
    newest = Backup.objects.order_by("-pk").first()
    return newest.error if newest and newest.status == Backup.Status.FAILED else ""
